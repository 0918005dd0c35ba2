"""Whose pictures they are where Open WebUI signs what it says of its users, and the gateway believes nothing else."""

import json

import pytest

from tests.openwebui.chat_model import MODEL
from tests.openwebui.stack import Stack

pytestmark = [
    pytest.mark.openwebui,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(300),
]

OWNER = "guest@example.com"


async def test_a_chat_with_the_model_is_its_users(signed_stack: Stack) -> None:
    async with signed_stack.installer.installed("--chat"):
        chat = await signed_stack.guest.send("imagegen", "a sealed letter --size 128x128 --steps 4")
        await chat.ended()
    assert (await signed_stack.job("a sealed letter")).owner == OWNER


async def test_the_image_button_is_its_users_and_live(signed_stack: Stack) -> None:
    order = json.dumps({"prompt": "a signet ring", "size": "256x192"})
    async with signed_stack.installer.installed("--images", "openai", "--filter"):
        chat = await signed_stack.guest.send(MODEL, f"use generate_image {order}", image_button=True)
        await chat.ended()
    assert (await signed_stack.job("a signet ring")).owner == OWNER
    assert chat.previews, chat.log()


async def test_a_tool_call_is_its_users(signed_stack: Stack) -> None:
    order = json.dumps({"prompt": "a wax seal", "size": "128x128"})
    async with signed_stack.installer.installed("--tools"):
        chat = await signed_stack.guest.send(MODEL, f"use generate_image {order}", tool_ids=["server:imagegen"])
        await chat.ended()
    assert (await signed_stack.job("a wax seal")).owner == OWNER
    assert len(chat.shown) == 1, chat.log()


async def test_the_installer_says_that_the_gateway_needs_the_secret(signed_stack: Stack) -> None:
    try:
        assert "openwebui_jwt_secret" in await signed_stack.installer.install("--images", "openai", "--filter")
    finally:
        await signed_stack.installer.uninstall()
