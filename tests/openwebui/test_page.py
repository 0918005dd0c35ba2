"""What a person sees in the real page."""

import pytest
from playwright.async_api import Locator

from tests.openwebui.chat_model import MODEL
from tests.openwebui.page import CHROMIUM, open_page
from tests.openwebui.stack import Stack

pytestmark = [
    pytest.mark.openwebui,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(300),
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium (Debian: apt-get install chromium)"),
]


async def test_a_picture_emerges_in_its_place_and_is_there_after_a_reload(stack: Stack) -> None:
    async with stack.installer.installed("--chat"), open_page(stack.admin.account) as chat:
        await chat.choose_model("imagegen")
        await chat.send("a lighthouse at dusk --size 320x256 --steps 40")
        await chat.preview.wait_for()
        first = await chat.preview.get_attribute("src")
        await chat.page.wait_for_function(f"document.querySelector('{chat.PREVIEW}').src !== {first!r}")
        await chat.picture.wait_for()
        await _check_final(chat.picture, (320, 256))
        assert await chat.preview.count() == 0
        await chat.page.reload()
        await _check_final(chat.picture, (320, 256))


async def test_the_image_button_shows_one_picture_from_the_first_preview_to_the_last(stack: Stack) -> None:
    async with (
        stack.installer.installed("--images", "openai", "--filter"),
        open_page(stack.guest.account) as chat,
    ):
        await chat.choose_model(MODEL)
        await chat.press_image_button()
        await chat.send("draw a bridge in fog")
        await chat.preview.wait_for()
        assert await chat.preview.count() == 1
        await chat.picture.wait_for()
        await _check_final(chat.picture, (512, 384))
        assert await chat.preview.count() == 0


async def _check_final(picture: Locator, size: tuple[int, int]) -> None:
    """There is one, and it can be seen."""
    seen = await picture.evaluate("image => image.decode().then(() => [image.naturalWidth, image.naturalHeight])")
    assert tuple(seen) == size
