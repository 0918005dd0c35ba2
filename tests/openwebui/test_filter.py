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
SIZE = (256, 192)


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def live_button(stack: Stack) -> AsyncIterator[None]:
    async with stack.installer.installed("--images", "openai", "--edits", "--filter"):
        yield


async def test_the_picture_of_the_image_button_emerges_in_the_chat(stack: Stack) -> None:
    chat = await stack.guest.send(MODEL, _order("a bridge in fog"), image_button=True)
    await chat.ended()
    await _check(chat, SIZE)
    assert (await stack.job("a bridge in fog")).owner == "guest@example.com"


async def test_it_does_so_for_models_that_cannot_call_tools(stack: Stack) -> None:
    """Open WebUI makes the picture before it asks them, in the size of its settings."""
    chat = await stack.guest.send(MODEL, "a ferry in mist", image_button=True, function_calling="legacy")
    await chat.ended()
    await _check(chat, (512, 512))


async def test_two_chats_of_one_person_do_not_mix_up_their_pictures(stack: Stack) -> None:
    chats = [
        await stack.admin.send(MODEL, _order(f"the {place} of two places"), image_button=True)
        for place in ("first", "second")
    ]
    await asyncio.gather(*(chat.ended() for chat in chats))
    for chat in chats:
        await _check(chat, SIZE)
    first, second = ({preview.content for preview in chat.previews} for chat in chats)
    assert not first & second


async def test_who_asks_for_much_does_not_keep_others_waiting(stack: Stack) -> None:
    crumb = {"prompt": "a crumb", "size": "64x64"}  # what somebody got last still counts: let it be little
    await stack.guest.account.post("/api/v1/images/generations", crumb)
    await stack.client.pause_queue()
    try:
        crowd = [f"number {number} of six pictures" for number in range(1, 7)]
        chats = [await stack.admin.send(MODEL, _order(prompt), image_button=True) for prompt in crowd]
        for prompt in crowd:
            await stack.accepted(prompt)
        chats.append(await stack.guest.send(MODEL, _order("a single picture"), image_button=True))
        await stack.accepted("a single picture")
    finally:
        await stack.client.resume_queue()
    await asyncio.gather(*(chat.ended() for chat in chats))

    jobs = [await stack.job(prompt) for prompt in (*crowd, "a single picture")]
    single = jobs[-1].end_time.ToNanoseconds()
    assert sum(job.end_time.ToNanoseconds() < single for job in jobs) <= 2, "the others were asked for before it"
    for chat in chats:
        await _check(chat, SIZE)
    seen = [{preview.content for preview in chat.previews} for chat in chats]
    assert sum(map(len, seen)) == len(set().union(*seen)), "each is seen in one chat only"
    assert not any(stack.guest.events_of(chat.message_id) for chat in chats[:-1])


async def test_a_temporary_chat_shows_how_far_it_is_and_no_previews(stack: Stack) -> None:
    """Its page would keep every preview beside the picture."""
    chat = await stack.admin.send(MODEL, _order("a sandcastle"), image_button=True, temporary=True)
    await chat.ended()
    assert any(status.startswith("Sampling") for status in chat.statuses), chat.log()
    assert chat.previews == []
    assert len(chat.shown) == 1


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
    width, height = SIZE
    return f"use generate_image {json.dumps({'prompt': prompt, 'size': f'{width}x{height}'})}"


async def _check(chat: Chat, size: tuple[int, int]) -> None:
    """It was live, and what the engine stored is the only picture, for the page as it is and after a reload."""
    assert len(chat.previews) >= 2, chat.log()
    assert all(len(preview.content) < PREVIEW_MAX_BYTES for preview in chat.previews)
    assert all(preview.size == size for preview in chat.previews)
    assert any(status.startswith("Sampling") for status in chat.statuses), chat.statuses
    assert [event.data["done"] for event in chat.events if event.type == "status"][-1] is True
    saved = await chat.saved()
    assert "data:image" not in json.dumps(saved)
    assert [file["url"] for file in saved["files"]] == chat.shown, chat.log()
    assert len(chat.shown) == 1, chat.log()
    assert (await chat.browser.account.picture(chat.shown[0])).size == size
