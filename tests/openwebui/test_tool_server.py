"""The tool server: any model that can call tools makes pictures, live."""

import io
import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from PIL import Image

from imagegen.v1.job_pb2 import JobState
from tests.openwebui.browser import Chat
from tests.openwebui.chat_model import MODEL
from tests.openwebui.stack import Stack

pytestmark = [
    pytest.mark.openwebui,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(300),
]

TOOLS = ["server:imagegen"]


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def tool_server(stack: Stack) -> AsyncIterator[None]:
    async with stack.installer.installed("--tools"):
        yield


async def test_a_model_makes_a_picture_that_emerges_in_the_chat(stack: Stack) -> None:
    chat = await _call(stack, "generate_image", {"prompt": "an old mill", "size": "256x192"})
    assert len(chat.previews) >= 2, chat.log()
    assert any(status.startswith("Sampling") for status in chat.statuses), chat.statuses
    assert [event.data["done"] for event in chat.events if event.type == "status"][-1] is True
    await _check_saved(chat, (256, 192))
    assert (await stack.job("an old mill")).owner == "guest@example.com"


async def test_a_model_changes_an_attached_picture(stack: Stack) -> None:
    source = io.BytesIO()
    Image.new("RGB", (160, 96), "navy").save(source, "PNG")
    file = await stack.guest.account.upload(source.getvalue())
    chat = await stack.guest.send(
        MODEL, _order("edit_image", {"prompt": "add a moon", "image": "FILE"}), tool_ids=TOOLS, attached=[file]
    )
    await chat.ended()
    await _check_saved(chat, (160, 96))
    assert (await stack.job("add a moon")).spec.image.init_image != ""


async def test_the_model_learns_what_went_wrong(stack: Stack) -> None:
    chat = await _call(stack, "generate_image", {"prompt": "too large", "size": "9000x9000"})
    answers = [item for item in (await chat.saved())["output"] if item["type"] == "function_call_output"]
    assert "9000" in json.dumps(answers), chat.log()
    assert chat.shown == []


async def test_the_stop_button_cancels_the_job(stack: Stack) -> None:
    await stack.client.pause_queue()
    try:
        order = _order("generate_image", {"prompt": "a distant star"})
        chat = await stack.guest.send(MODEL, order, tool_ids=TOOLS)
        await chat.until(lambda chat: any(status.startswith("Queued") for status in chat.statuses))
        await chat.stop()
        await chat.ended()
        assert (await stack.job("a distant star")).state == JobState.JOB_STATE_CANCELLED
    finally:
        await stack.client.resume_queue()


def _order(tool: str, arguments: dict[str, str]) -> str:
    return f"use {tool} {json.dumps(arguments)}"


async def _call(stack: Stack, tool: str, arguments: dict[str, str]) -> Chat:
    chat = await stack.guest.send(MODEL, _order(tool, arguments), tool_ids=TOOLS)
    await chat.ended()
    return chat


async def _check_saved(chat: Chat, size: tuple[int, int]) -> None:
    saved = await chat.saved()
    assert "data:image" not in json.dumps(saved)
    assert [file["url"] for file in saved["files"]] == chat.shown, chat.log()
    assert len(chat.shown) == 1, chat.log()
    assert (await chat.browser.account.picture(chat.shown[0])).size == size
