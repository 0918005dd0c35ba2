"""Every view, in light and dark, on a desktop and a phone: it is there, fits, and is fit for everybody."""

import pytest
from playwright.async_api import Browser

from tests.page.browsing import DESKTOP, PHONE, serious_problems, watched_page
from tests.page.stack import Stack

VIEWS = {
    "generate": "Generate",
    "queue": "Queue",
    "gallery": "Gallery",
    "workflows": "Workflows",
    "backends": "Backends",
    "settings": "Settings",
}


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize(
    "look",
    [{**DESKTOP, "color_scheme": "light"}, {**PHONE, "color_scheme": "dark"}],
    ids=["desktop-light", "phone-dark"],
)
async def test_every_view_is_fit_for_everybody(
    browser: Browser, stack: Stack, view: str, look: dict[str, object]
) -> None:
    await stack.make("a lighthouse at dusk")
    async with watched_page(browser, **look) as page:
        await page.goto(f"{stack.url}/#/{view}")
        await page.get_by_role("heading", level=1, name=VIEWS[view]).wait_for()
        assert await page.title() == f"{VIEWS[view]} · imagegen"
        assert await serious_problems(page) == []
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


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
