"""The gateway as a chat model: nothing is installed in Open WebUI but a connection."""

import asyncio
import io
import json
import random
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from PIL import Image

from imagegen.v1.job_pb2 import JobState
from tests.openwebui.browser import Chat
from tests.openwebui.stack import Stack

pytestmark = [
    pytest.mark.openwebui,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(300),
]

MODEL = "imagegen"
PREVIEW_MAX_BYTES = 60_000
ALL_TASKS = {"title_generation": True, "tags_generation": True, "follow_up_generation": True}


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def connection(stack: Stack) -> AsyncIterator[None]:
    async with stack.installer.installed("--chat"):
        yield


async def test_the_picture_emerges_in_the_chat_and_stays(stack: Stack) -> None:
    chat = await stack.admin.send(MODEL, "a harbour at dawn --size 320x256 --steps 30")
    await chat.ended()

    previews = chat.previews
    assert len(previews) >= 2, chat.log()
    assert {preview.media_type for preview in previews} <= {"image/jpeg", "image/webp"}
    assert all(len(preview.content) < PREVIEW_MAX_BYTES for preview in previews)
    assert all(preview.size == (320, 256) for preview in previews)
    assert any(status.startswith("Sampling") for status in chat.statuses), chat.statuses
    assert [event.data["done"] for event in chat.events if event.type == "status"][-1] is True
    await _check_saved(stack, chat, [(320, 256)])


async def test_status_and_previews_come_no_faster_than_open_webui_can_take(stack: Stack) -> None:
    chat = await stack.admin.send(MODEL, "a windmill in a storm --size 256x256 --steps 60")
    await chat.ended()
    events = chat.events
    seconds = events[-1].at_s - events[0].at_s
    assert len(chat.previews) <= 4 * seconds + 1
    assert len(chat.statuses) <= 2 * seconds + 3, "the first, the last and what is told of the end come at once"


async def test_several_pictures_are_all_kept(stack: Stack) -> None:
    chat = await stack.admin.send(MODEL, "three boats --size 128x128 --steps 4 --n 3")
    await chat.ended()
    await _check_saved(stack, chat, [(128, 128)] * 3)


async def test_an_attached_picture_is_where_it_starts_from(stack: Stack) -> None:
    source = io.BytesIO()
    Image.new("RGB", (192, 128), "red").save(source, "PNG")
    file = await stack.admin.account.upload(source.getvalue())
    chat = await stack.admin.send(MODEL, "make it a sunset --steps 6", attached=[file])
    await chat.ended()
    await _check_saved(stack, chat, [(192, 128)])
    assert (await stack.job("make it a sunset")).spec.image.init_image != ""


@pytest.mark.parametrize("side", [840, 1680])  # 2 and 8 MB
async def test_large_pictures_are_stored_whole(stack: Stack, side: int) -> None:
    source = io.BytesIO()
    Image.frombytes("RGB", (side, side), random.Random(side).randbytes(3 * side * side)).save(source, "PNG")
    file = await stack.admin.account.upload(source.getvalue())
    prompt = f"grains of sand, {side} of them --size {side}x{side} --steps 10 --denoise 0.1"
    chat = await stack.admin.send(MODEL, prompt, attached=[file])
    await chat.ended()
    await _check_saved(stack, chat, [(side, side)])
    (output,) = (await stack.job(f"{side} of them")).outputs
    assert output.asset.size_bytes > 2.9 * side * side, "noise cannot be packed"
    assert all(len(preview.content) < PREVIEW_MAX_BYTES for preview in chat.previews)


async def test_the_stop_button_cancels_the_job(stack: Stack) -> None:
    chat = await stack.admin.send(MODEL, "a slow glacier --steps 200")
    await chat.until(lambda chat: bool(chat.previews))
    await chat.stop()
    await chat.ended()
    assert (await stack.job("a slow glacier")).state == JobState.JOB_STATE_CANCELLED


async def test_titles_tags_and_follow_ups_make_no_pictures(stack: Stack) -> None:
    chat = await stack.admin.send(MODEL, "a lonely owl --size 128x128 --steps 4", background_tasks=ALL_TASKS)
    await chat.ended()
    told = {event.type for event in chat.events}
    assert {"chat:title", "chat:message:follow_ups"} <= told, chat.log()
    await stack.job("owl")  # exactly one: the templates of these tasks quote the prompt
    saved = await stack.admin.account.get(f"/api/v1/chats/{chat.chat_id}")
    assert "owl" in saved["title"]


async def test_a_temporary_chat_shows_the_picture_and_no_previews(stack: Stack) -> None:
    """Its page would keep every preview beside the picture."""
    chat = await stack.admin.send(MODEL, "a brief comet --size 128x128 --steps 20", temporary=True)
    await chat.ended()
    assert chat.previews == []
    assert len(chat.shown) == 1, chat.log()
    assert any(status.startswith("Sampling") for status in chat.statuses)


async def test_two_people_at_once_have_their_own_jobs_and_pictures(stack: Stack) -> None:
    chats = [
        await person.send(MODEL, f"a gift for {name} --size 128x128 --steps 20")
        for name, person in (("alice", stack.admin), ("bob", stack.guest))
    ]
    await asyncio.gather(*(chat.ended() for chat in chats))
    assert (await stack.job("gift for alice")).owner == "admin@example.com"
    assert (await stack.job("gift for bob")).owner == "guest@example.com"
    for chat in chats:
        await _check_saved(stack, chat, [(128, 128)])
    assert not stack.guest.events_of(chats[0].message_id)


async def test_who_has_to_wait_is_told_so(stack: Stack) -> None:
    await stack.client.pause_queue()
    try:
        chat = await stack.admin.send(MODEL, "a patient tree --size 128x128 --steps 4")
        await chat.until(lambda chat: any(status.startswith("Queued") for status in chat.statuses))
    finally:
        await stack.client.resume_queue()
    await chat.ended()
    await _check_saved(stack, chat, [(128, 128)])


async def test_what_cannot_be_done_is_said_in_the_chat(stack: Stack) -> None:
    chat = await stack.admin.send(MODEL, "a fox --sampler euler_that_is_not")
    await chat.ended()
    saved = await chat.saved()
    assert "euler_that_is_not" in json.dumps([saved.get("error"), saved["content"]]), chat.log()
    assert chat.shown == []


async def _check_saved(stack: Stack, chat: Chat, sizes: list[tuple[int, int]]) -> None:
    """A reload shows exactly these pictures, which Open WebUI has stored; so does the page as it is."""
    saved = await chat.saved()
    assert "data:image" not in json.dumps(saved)
    urls = [file["url"] for file in saved.get("files", [])]
    pictures = [await chat.browser.account.picture(url) for url in urls]
    assert [picture.size for picture in pictures] == sizes, chat.log()
    assert sorted(chat.shown) == sorted(urls)
