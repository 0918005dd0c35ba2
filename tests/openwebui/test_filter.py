"""The filter function: the stock image button, whose picture emerges in the chat."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.openwebui.browser import Chat
from tests.openwebui.chat_model import MODEL
from tests.openwebui.stack import Stack

pytestmark = [
    pytest.mark.openwebui,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(300),
]

PREVIEW_MAX_BYTES = 60_000


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def live_button(stack: Stack) -> AsyncIterator[None]:
    async with stack.installer.installed("--images", "openai", "--edits", "--filter"):
        yield


@pytest.mark.parametrize("function_calling", ["native", "legacy"])
async def test_the_picture_of_the_image_button_emerges_in_the_chat(stack: Stack, function_calling: str) -> None:
    prompt = f"a bridge in fog, {function_calling}"
    chat = await stack.guest.send(
        MODEL, _order(prompt), image_button=True, function_calling=function_calling
    )  # fmt: skip
    await chat.ended()
    _check_live(chat)
    await _check_saved(chat)
    assert (await stack.job(prompt)).owner == "guest@example.com"


async def test_two_chats_of_one_person_do_not_mix_up_their_pictures(stack: Stack) -> None:
    chats = [
        await stack.admin.send(MODEL, _order(f"the {place} of two places"), image_button=True)
        for place in ("first", "second")
    ]
    await asyncio.gather(*(chat.ended() for chat in chats))
    for chat in chats:
        _check_live(chat)
        await _check_saved(chat)
    first, second = ({preview.content for preview in chat.previews} for chat in chats)
    assert not first & second


async def test_a_chat_without_pictures_is_left_alone(stack: Stack) -> None:
    chat = await stack.admin.send(MODEL, "hello")
    await chat.ended()
    assert chat.statuses == []
    assert chat.shown == []


async def test_a_chat_goes_on_when_the_gateway_is_away(stack: Stack) -> None:
    await stack.gateway.stop()
    try:
        chat = await stack.admin.send(MODEL, _order("a picture of nothing"), image_button=True)
        await chat.ended()
    finally:
        await stack.gateway.start()
    assert (await chat.saved())["content"] == "There it is.", "what the model says when the tool has answered"
    assert chat.shown == []


def _order(prompt: str) -> str:
    return f"use generate_image {json.dumps({'prompt': prompt, 'size': '256x192'})}"


def _check_live(chat: Chat) -> None:
    assert len(chat.previews) >= 2, chat.log()
    assert all(len(preview.content) < PREVIEW_MAX_BYTES for preview in chat.previews)
    assert all(preview.size == (256, 192) for preview in chat.previews)
    assert any(status.startswith("Sampling") for status in chat.statuses), chat.statuses
    assert [event.data["done"] for event in chat.events if event.type == "status"][-1] is True


async def _check_saved(chat: Chat) -> None:
    """The picture that the engine stored is the only one, for the page as it is and after a reload."""
    saved = await chat.saved()
    assert "data:image" not in json.dumps(saved)
    assert [file["url"] for file in saved["files"]] == chat.shown, chat.log()
    assert len(chat.shown) == 1, chat.log()
    assert (await chat.browser.account.picture(chat.shown[0])).size == (256, 192)
