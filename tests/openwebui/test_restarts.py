"""What people see when a part of ours dies in the middle of a chat."""

import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from imagegen.v1.job_pb2 import JobState
from tests.openwebui.stack import Stack

pytestmark = [
    pytest.mark.openwebui,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(300),
]

MODEL = "imagegen"


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def connection(stack: Stack) -> AsyncIterator[None]:
    async with stack.installer.installed("--chat"):
        yield


async def test_a_chat_goes_on_when_the_server_comes_back(stack: Stack) -> None:
    chat = await stack.admin.send(MODEL, "a phoenix --size 128x128 --steps 60")
    await chat.until(lambda chat: bool(chat.previews))
    await stack.server.kill()
    await stack.server.start()
    await chat.ended()
    saved = await chat.saved()
    assert len(saved["files"]) == 1, chat.log()
    assert (await stack.admin.account.picture(saved["files"][0]["url"])).size == (128, 128)


async def test_a_chat_says_so_when_the_gateway_goes_and_its_picture_is_kept(stack: Stack) -> None:
    chat = await stack.admin.send(MODEL, "an ark --size 128x128 --steps 60")
    await chat.until(lambda chat: bool(chat.previews))
    await stack.gateway.stop()
    try:
        await chat.ended()
    finally:
        await stack.gateway.start()
    saved = await chat.saved()
    assert "the job goes on" in json.dumps(saved["error"]), chat.log()
    assert chat.statuses[-1] == "Interrupted"
    assert chat.shown == [], "what is half done does not look like a result"
    assert (await stack.job("an ark")).state == JobState.JOB_STATE_SUCCEEDED, "it is in the gallery"
