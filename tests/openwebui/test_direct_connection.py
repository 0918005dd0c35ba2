"""A connection of one user, from the page to the gateway. Open WebUI ignores events there, and reads by itself."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import expect

from imagegen.v1.job_pb2 import JobState
from tests.openwebui.page import CHROMIUM, TIMEOUT_MS, open_page
from tests.openwebui.stack import KEY, Stack

pytestmark = [
    pytest.mark.openwebui,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(300),
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium (Debian: apt-get install chromium)"),
]

CONNECTIONS = "/api/v1/configs/connections"
MY_SETTINGS = "/api/v1/users/user/settings/update"


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def connection(stack: Stack) -> AsyncIterator[None]:
    admin = stack.admin.account
    before = await admin.get(CONNECTIONS)
    await admin.post(CONNECTIONS, {**before, "ENABLE_DIRECT_CONNECTIONS": True})
    await admin.post(MY_SETTINGS, {"ui": {"directConnections": _connections(f"{stack.gateway.address}/openai/v1")}})
    yield
    await admin.post(MY_SETTINGS, {"ui": {"directConnections": _connections()}})
    await admin.post(CONNECTIONS, before)


@pytest.mark.parametrize("side", [128, 1024])
async def test_the_picture_is_shown_and_stored_and_the_whole_one_is_a_link_away(stack: Stack, side: int) -> None:
    """The page loses whatever of the stream it gets in two reads, of 64 kB each."""
    async with open_page(stack.admin.account) as chat:
        await chat.choose_model("imagegen")
        await chat.send(f"a private garden, {side} steps wide --size {side}x{side} --steps 8")
        for _ in ("as it comes", "after a reload"):
            await chat.picture.wait_for()
            seen = await chat.picture.evaluate("image => image.decode().then(() => image.naturalWidth)")
            assert seen == min(side, 512)
            assert await chat.preview.count() == 0
            digest = (await stack.job(f"{side} steps wide")).outputs[0].asset.digest
            link = chat.page.get_by_role("link", name="Picture 1")
            await expect(link).to_have_attribute("href", f"{stack.gateway.address}/api/v1/assets/{digest}")
            await chat.page.reload()


async def test_a_person_can_read_what_is_wrong(stack: Stack) -> None:
    async with open_page(stack.admin.account) as chat:
        await chat.choose_model("imagegen")
        await chat.send("a fox --sampler euler_that_is_not")
        await expect(chat.page.get_by_text("no such sampler").first).to_be_visible(timeout=TIMEOUT_MS)


async def test_who_closes_the_page_cancels_the_job(stack: Stack) -> None:
    """Stop does not: the page goes on reading."""
    async with open_page(stack.admin.account) as chat:
        await chat.choose_model("imagegen")
        await chat.send("a private glacier --steps 500 --size 768x768")
        await stack.accepted("a private glacier")
        await chat.stop()
        await chat.page.close()
    assert (await stack.job("a private glacier")).state == JobState.JOB_STATE_CANCELLED


def _connections(*urls: str) -> dict[str, object]:
    return {
        "OPENAI_API_BASE_URLS": list(urls),
        "OPENAI_API_KEYS": [KEY for _ in urls],
        "OPENAI_API_CONFIGS": {str(index): {"enable": True} for index, _ in enumerate(urls)},
    }
