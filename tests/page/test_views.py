"""Every view, in light and dark, on a desktop and a phone: it is there, fits, and is fit for everybody."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from tests.page.browsing import DESKTOP, PHONE, VIEWS, serious_problems, watched_page
from tests.page.stack import Stack

SMALLEST: Any = {"viewport": {"width": 360, "height": 740}}
LOOKS: dict[str, Any] = {
    "desktop-light": {**DESKTOP, "color_scheme": "light"},
    "phone-dark": {**PHONE, "color_scheme": "dark"} | SMALLEST,
}


@pytest_asyncio.fixture(params=LOOKS.values(), ids=LOOKS, scope="module", loop_scope="session")
async def walked(request: pytest.FixtureRequest, browser: Browser, stack: Stack) -> AsyncIterator[Page]:
    """A tab in which somebody goes from view to view."""
    await stack.make("a lighthouse at dusk")
    async with watched_page(browser, **request.param) as page:
        yield page


@pytest.mark.parametrize("view", VIEWS)
async def test_every_view_is_fit_for_everybody(walked: Page, stack: Stack, view: str) -> None:
    await walked.goto(f"{stack.url}/#/{view}")
    await walked.get_by_role("heading", level=1, name=VIEWS[view]).wait_for()
    assert await walked.title() == f"{VIEWS[view]} · imagegen"
    assert await serious_problems(walked) == []
    assert await walked.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_a_view_that_is_broken_leaves_the_others_alone(browser: Browser, stack: Stack) -> None:
    async with await browser.new_context() as context:
        page = await context.new_page()
        broken = "export default () => { throw new Error('broken') }"
        await page.route("**/QueueView-*.js", lambda route: route.fulfill(body=broken, content_type="text/javascript"))
        await page.goto(f"{stack.url}/#/queue")
        await page.get_by_role("alert").filter(has_text="This part of the page could not be shown").wait_for()
        await page.get_by_role("link", name="Backends").click()
        await page.get_by_role("heading", level=1, name="Backends").wait_for()
        await page.get_by_role("link", name="Queue").click()
        await page.unroute("**/QueueView-*.js")
        await page.get_by_role("button", name="Load the page again").click()
        await page.get_by_role("heading", level=1, name="Queue").wait_for()


async def test_keys_lead_past_the_navigation(page: Page, stack: Stack) -> None:
    await page.goto(f"{stack.url}/#/gallery")
    await page.get_by_role("heading", level=1).wait_for()
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("main")).to_be_focused()
    assert page.url.endswith("#/gallery")


async def test_the_focus_comes_along_to_another_view(page: Page, stack: Stack) -> None:
    await page.goto(f"{stack.url}/#/queue")
    await page.get_by_role("link", name="Make a picture").click()
    await page.get_by_role("heading", level=1, name="Generate").wait_for()
    await expect(page.get_by_role("main")).to_be_focused()


async def test_what_goes_wrong_is_fit_for_everybody(page: Page, stack: Stack) -> None:
    await page.goto(f"{stack.url}/#/workflows/no-such-workflow")
    await page.get_by_role("alert").filter(has_text="no such workflow").wait_for()
    await expect(page.get_by_role("heading", level=1)).to_be_visible()
    assert await serious_problems(page) == []

    await page.goto(f"{stack.url}/#/workflows?import=")
    pasted = page.get_by_label("Or paste text here")
    await pasted.fill("no workflow")
    await page.get_by_role("button", name="Read it").click()
    await page.get_by_role("alert").filter(has_text="could not be read").wait_for()
    await expect(pasted).to_have_value("no workflow")
    assert await serious_problems(page) == []

    await page.goto(f"{stack.url}/#/backends")
    await page.get_by_role("button", name="Add a backend").click()
    await page.get_by_label("Address").fill("http://127.0.0.1:9")
    await page.get_by_role("button", name="Look what is there").click()
    await page.get_by_role("dialog").get_by_role("alert").wait_for()
    assert await serious_problems(page) == []


async def test_a_selection_that_ends_outside_leaves_a_dialog_open(page: Page, stack: Stack) -> None:
    await page.goto(f"{stack.url}/#/backends")
    await page.get_by_role("button", name="Add a backend").click()
    await page.get_by_label("Address").fill("http://192.168.1.20:8188")
    await page.get_by_label("Address").hover()
    await page.mouse.down()
    await page.mouse.move(5, 5)
    await page.mouse.up()
    await expect(page.get_by_label("Address")).to_be_visible()
    await page.mouse.click(5, 5)
    await expect(page.get_by_label("Address")).to_have_count(0)
