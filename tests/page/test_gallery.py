"""The gallery with ten thousand pictures: found, marked, deleted, brought back, made again."""

import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Locator, Page, expect

from tests.page.browsing import serious_problems
from tests.page.many_pictures import write_pictures
from tests.page.stack import Stack, running_stack

COUNT = 10_000
NEWEST, OLDEST = "library number 9999", "lighthouse number 0"
MOST_TILES = 120
"""That exist at once, whatever the gallery holds."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    folder = tmp_path_factory.mktemp("many")
    write_pictures(folder, COUNT)
    async with running_stack(folder) as stack:
        yield stack


@pytest_asyncio.fixture(loop_scope="session")
async def gallery(page: Page, stack: Stack) -> Page:
    await page.goto(f"{stack.url}/#/gallery")
    await picture(page, 0).locator("img").wait_for()
    return page


def picture(page: Page, place: int) -> Locator:
    return page.locator(f"[data-place='{place}']")


def link(page: Page, prompt: str) -> Locator:
    return page.get_by_role("gridcell").get_by_role("link", name=prompt, exact=True)


def shelf(page: Page, name: str) -> Locator:
    return page.get_by_role("group", name="What to show").get_by_role("button", name=name)


async def test_ten_thousand_pictures_are_scrolled_through(gallery: Page) -> None:
    """Only what is in sight exists, the scroll bar is honest, and its end can be jumped to."""
    grid = gallery.get_by_role("grid")
    columns = int(await grid.get_attribute("aria-colcount") or 0)
    assert int(await grid.get_attribute("aria-rowcount") or 0) == -(-COUNT // columns)
    assert await gallery.get_by_role("gridcell").count() < MOST_TILES
    await picture(gallery, 0).focus()
    await gallery.keyboard.press("End")
    await expect(link(gallery, OLDEST)).to_be_focused()
    await expect(link(gallery, OLDEST).locator("img")).to_be_visible()
    assert await gallery.get_by_role("gridcell").count() < MOST_TILES
    await gallery.keyboard.press("Home")
    await expect(link(gallery, NEWEST)).to_be_focused()


async def test_pictures_are_found_by_words_and_filters(gallery: Page) -> None:
    await gallery.get_by_role("searchbox", name="Search in prompts").fill("FOX 99")
    await expect(gallery.get_by_text("21 pictures")).to_be_visible()
    await gallery.get_by_role("button", name="Filter").click()
    await gallery.get_by_label("Model").select_option("ink.safetensors")
    await expect(gallery.get_by_text("7 pictures")).to_be_visible()
    await expect(gallery).to_have_url(re.compile(r"#/gallery\?text=FOX\+99&model=ink\.safetensors$"))
    assert await serious_problems(gallery) == []
    await gallery.reload()  # the address says it all
    await expect(gallery.get_by_text("7 pictures")).to_be_visible()
    await gallery.get_by_role("button", name="Filter (1)").click()
    await gallery.get_by_label("Made for").select_option("anna")
    await expect(gallery.get_by_text("No picture fits")).to_be_visible()
    await gallery.get_by_role("button", name="Clear filters").last.click()
    await expect(link(gallery, NEWEST)).to_be_visible()


async def test_a_picture_is_looked_at_and_marked(gallery: Page) -> None:
    await link(gallery, NEWEST).click()
    box = gallery.get_by_role("dialog")
    await expect(box.get_by_role("img", name=NEWEST)).to_be_visible()
    await expect(box.get_by_text("1 of 10,000")).to_be_visible()
    await gallery.keyboard.press("f")
    await expect(box.get_by_role("button", name="No longer a favorite")).to_be_visible()
    await gallery.keyboard.press("ArrowRight")
    await expect(box.get_by_role("img", name="bicycle number 9998")).to_be_visible()
    assert await serious_problems(gallery) == []
    await gallery.keyboard.press("Escape")
    await expect(link(gallery, "bicycle number 9998")).to_be_focused()
    await shelf(gallery, "Favorites").click()
    await expect(gallery.get_by_role("gridcell")).to_have_count(1)
    await gallery.get_by_role("button", name="No longer a favorite").click()
    await expect(gallery.get_by_text("No favorites yet")).to_be_visible()


async def test_deleted_pictures_can_be_brought_back(gallery: Page) -> None:
    """At once by the message that tells of it, later from the list of deleted ones."""
    await picture(gallery, 0).focus()
    await gallery.keyboard.press("Space")
    await gallery.keyboard.press("Shift+ArrowRight")
    await expect(gallery.get_by_text("2 selected")).to_be_visible()
    await gallery.keyboard.press("Delete")
    await expect(gallery.get_by_text("2 pictures deleted")).to_be_visible()
    await expect(link(gallery, NEWEST)).to_have_count(0)
    await gallery.get_by_role("button", name="Undo").click()
    await expect(picture(gallery, 0)).to_have_attribute("aria-label", NEWEST)

    await link(gallery, NEWEST).focus()
    await gallery.keyboard.press("Delete")
    await expect(gallery.get_by_text("1 picture deleted")).to_be_visible()
    await shelf(gallery, "Deleted").click()
    await link(gallery, NEWEST).click()
    await expect(gallery.get_by_role("dialog").get_by_role("img", name=NEWEST)).to_be_visible()
    await gallery.get_by_role("button", name="Bring back").click()
    await expect(gallery.get_by_text("Nothing was deleted")).to_be_visible()
    await shelf(gallery, "Pictures").click()
    await expect(picture(gallery, 0)).to_have_attribute("aria-label", NEWEST)


async def test_the_keyboard_goes_along_with_its_picture(gallery: Page, stack: Stack) -> None:
    await link(gallery, NEWEST).focus()
    made = await stack.ended(await stack.make("a cat on a roof"))
    await expect(picture(gallery, 0)).to_have_attribute("aria-label", "a cat on a roof")
    await expect(picture(gallery, 1)).to_be_focused()
    await gallery.keyboard.press("Delete")
    await gallery.get_by_role("button", name="Undo").click()
    await expect(picture(gallery, 1)).to_have_attribute("aria-label", NEWEST)
    await stack.call("DELETE", f"/api/v1/assets/{made['outputs'][0]['asset']['digest']}?permanently=true")


async def test_a_new_picture_moves_nothing_and_its_settings_make_it_again(gallery: Page, stack: Stack) -> None:
    await gallery.get_by_role("grid").hover()
    await gallery.mouse.wheel(0, 3000)
    await expect(link(gallery, NEWEST)).to_have_count(0)
    await stack.make("a lighthouse at dusk", seed=7)
    await gallery.get_by_role("button", name="1 new picture").click()
    await link(gallery, "a lighthouse at dusk").click()
    await gallery.get_by_role("link", name="Use these settings").click()
    await expect(gallery).to_have_url(re.compile("#/generate"))
    await expect(gallery.get_by_label("Prompt", exact=True)).to_have_value("a lighthouse at dusk")
