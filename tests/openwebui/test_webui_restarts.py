"""What becomes of jobs and chats when Open WebUI dies in the middle of an answer."""

import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from imagegen.v1.job_pb2 import JobState
from tests.openwebui.browser import open_browser
from tests.openwebui.chat_model import MODEL
from tests.openwebui.stack import Stack

pytestmark = [
    pytest.mark.openwebui,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(300),
]


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def everything(signed_stack: Stack) -> AsyncIterator[None]:
    async with signed_stack.installer.installed("--all"):
        yield


@pytest.mark.parametrize("way", ["chat", "button", "tool"])
async def test_a_job_that_nobody_waits_for_any_more_is_cancelled_and_chats_go_on(signed_stack: Stack, way: str) -> None:
    account, webui = signed_stack.admin.account, signed_stack.webui
    prompt = f"a tower of cards by {way}"
    order = f"use generate_image {json.dumps({'prompt': prompt})}"
    await signed_stack.client.pause_queue()
    try:
        async with open_browser(account) as browser:
            match way:
                case "chat":
                    await browser.send("imagegen", prompt)
                case "button":
                    await browser.send(MODEL, order, image_button=True)
                case _:
                    await browser.send(MODEL, order, tool_ids=["server:imagegen"])
            await signed_stack.accepted(prompt)
            await webui.kill()
        assert (await signed_stack.job(prompt)).state == JobState.JOB_STATE_CANCELLED
    finally:
        await signed_stack.client.resume_queue()
        await webui.start()
    async with open_browser(account) as browser:
        chat = await browser.send("imagegen", f"another {prompt} --size 128x128 --steps 4")
        await chat.ended()
        assert len((await chat.saved())["files"]) == 1, chat.log()
