"""The gateway as Open WebUI's image engine, in the three dialects that it speaks."""

import io
import json
from typing import Any

import pytest
from PIL import Image

from imagegen.v1.job_pb2 import JobState
from tests.openwebui.account import Refused
from tests.openwebui.chat_model import MODEL
from tests.openwebui.stack import Stack

pytestmark = [
    pytest.mark.openwebui,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(300),
]

ENGINES = ["openai", "automatic1111", "comfyui"]


@pytest.mark.parametrize("engine", ENGINES)
async def test_the_image_button_of_a_chat_works_and_is_live(stack: Stack, engine: str) -> None:
    prompt = f"a castle by {engine}"
    async with stack.installer.installed("--images", engine, "--filter"):
        arguments = json.dumps({"prompt": prompt, "size": "192x128"})
        chat = await stack.guest.send(MODEL, f"use generate_image {arguments}", image_button=True)
        await chat.ended()
    assert len(chat.previews) >= 2, chat.log()
    assert len(chat.shown) == 1, chat.log()
    assert (await stack.guest.account.picture(chat.shown[0])).size == (192, 128)
    job = await stack.job(prompt)
    assert job.state == JobState.JOB_STATE_SUCCEEDED
    # Open WebUI tells the other engines nothing of its users.
    assert job.owner == ("guest@example.com" if engine == "openai" else "openwebui")


@pytest.mark.parametrize("engine", ENGINES)
async def test_the_playground_makes_several_at_once(stack: Stack, engine: str) -> None:
    body = {"prompt": f"two towers by {engine}", "n": 2, "size": "128x192"}
    async with stack.installer.installed("--images", engine):
        files = await stack.admin.account.post("/api/v1/images/generations", body)
    assert [(await stack.admin.account.picture(file["url"])).size for file in files] == [(128, 192)] * 2


@pytest.mark.parametrize("engine", ENGINES)
async def test_the_settings_page_finds_the_engine_and_its_models(stack: Stack, engine: str) -> None:
    account = stack.admin.account
    async with stack.installer.installed("--images", engine):
        settings = await account.get("/api/v1/images/config")
        if engine != "openai":  # the page has no such button for it
            url, key = _address(settings, engine)
            assert await account.post("/api/v1/images/verify", {"engine": engine, "url": url, "key": key})
            assert await account.get("/api/v1/images/models")


async def test_a_picture_is_edited_in_the_chat(stack: Stack) -> None:
    file = await stack.admin.account.upload(_png((160, 96)))
    arguments = json.dumps({"prompt": "add a rainbow", "image_urls": ["FILE"]})
    async with stack.installer.installed("--images", "openai", "--edits"):
        chat = await stack.admin.send(MODEL, f"use edit_image {arguments}", image_button=True, attached=[file])
        await chat.ended()
    assert len(chat.shown) == 1, chat.log()
    assert (await stack.admin.account.picture(chat.shown[0])).size == (160, 96)
    assert (await stack.job("add a rainbow")).spec.image.init_image != ""


async def test_a_person_can_read_why_there_is_no_picture(stack: Stack) -> None:
    async with stack.installer.installed("--images", "openai"):
        with pytest.raises(Refused) as refused:
            await stack.admin.account.post("/api/v1/images/generations", {"prompt": "too large", "size": "9000x9000"})
    assert "[ERROR: " in refused.value.detail
    assert "9000" in refused.value.detail or "4096" in refused.value.detail


@pytest.mark.parametrize("engine", ENGINES)
async def test_the_stop_button_cancels_the_job(stack: Stack, engine: str) -> None:
    prompt = f"a never-ending wall by {engine}"
    await stack.client.pause_queue()
    try:
        async with stack.installer.installed("--images", engine):
            arguments = json.dumps({"prompt": prompt})
            chat = await stack.admin.send(MODEL, f"use generate_image {arguments}", image_button=True)
            await stack.accepted(prompt)
            await chat.stop()
            await chat.ended()
            assert (await stack.job(prompt)).state == JobState.JOB_STATE_CANCELLED
    finally:
        await stack.client.resume_queue()


def _address(settings: dict[str, Any], engine: str) -> tuple[str, str]:
    if engine == "comfyui":
        return settings["COMFYUI_BASE_URL"], settings["COMFYUI_API_KEY"]
    return settings["AUTOMATIC1111_BASE_URL"], settings["AUTOMATIC1111_API_AUTH"]


def _png(size: tuple[int, int]) -> bytes:
    picture = io.BytesIO()
    Image.new("RGB", size, "teal").save(picture, "PNG")
    return picture.getvalue()
