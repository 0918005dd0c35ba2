"""The installer: what it sets up, and that it leaves no trace."""

import json
from typing import Any

import pytest

from tests.openwebui.account import Account
from tests.openwebui.chat_model import MODEL
from tests.openwebui.stack import Stack

pytestmark = [
    pytest.mark.openwebui,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(300),
]

CONFIGURATION = (
    "/openai/config",
    "/api/v1/images/config",
    "/api/v1/configs/tool_servers",
    "/api/v1/functions/",
)
"""All that the installer changes."""


async def test_what_was_there_is_back_byte_for_byte(stack: Stack) -> None:
    before = await _configuration(stack.admin.account)
    async with stack.installer.installed("--all"):
        during = await _configuration(stack.admin.account)
    after = await _configuration(stack.admin.account)
    assert after == before
    assert all(during[path] != before[path] for path in CONFIGURATION)


async def test_a_second_time_changes_nothing(stack: Stack) -> None:
    async with stack.installer.installed("--all"):
        once = await _configuration(stack.admin.account)
        said = await stack.installer.install("--all")
        assert await _configuration(stack.admin.account) == once
    assert "nothing" in said.lower(), said


async def test_what_an_admin_changed_since_stays(stack: Stack) -> None:
    account = stack.admin.account
    before = await account.get("/api/v1/images/config")
    try:
        async with stack.installer.installed("--images", "openai"):
            settings = await account.get("/api/v1/images/config")
            await account.post("/api/v1/images/config/update", {**settings, "IMAGE_SIZE": "640x480"})
        assert (await account.get("/api/v1/images/config"))["IMAGE_SIZE"] == "640x480"
    finally:
        await account.post("/api/v1/images/config/update", before)


async def test_the_models_are_there_for_everybody(stack: Stack) -> None:
    async with stack.installer.installed("--chat"):
        for browser in (stack.admin, stack.guest):
            models = (await browser.account.get("/api/models?refresh=true"))["data"]
            assert "imagegen" in {model["id"] for model in models}


async def test_all_of_it_at_once_shows_each_picture_once(stack: Stack) -> None:
    """Filter, tool server and chat model could all show it."""
    order = 'use generate_image {"prompt": "a crossroads by tool", "size": "128x128"}'
    async with stack.installer.installed("--all"):
        for model, prompt in ((MODEL, order), ("imagegen", "a crossroads --size 128x128")):
            chat = await stack.admin.send(model, prompt, image_button=True, tool_ids=["server:imagegen"])
            await chat.ended()
            assert len(chat.shown) == 1, chat.log()
            assert [file["url"] for file in (await chat.saved())["files"]] == chat.shown
            assert len({status for status in chat.statuses if status.startswith("Done")}) == 1, chat.statuses
    assert len(await stack.jobs("a crossroads")) == 2


async def _configuration(account: Account) -> dict[str, str]:
    """Each part as text, in which the order of names is of no account."""
    return {path: json.dumps(_without_times(await account.get(path)), sort_keys=True) for path in CONFIGURATION}


def _without_times(part: Any) -> Any:
    """When a function was made or changed is Open WebUI's to say."""
    if isinstance(part, list):
        return [_without_times(each) for each in part]
    if isinstance(part, dict):
        return {name: _without_times(value) for name, value in part.items() if name not in ("updated_at", "created_at")}
    return part
