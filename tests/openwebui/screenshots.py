"""Takes the pictures of docs/openwebui.md anew: `make openwebui-screenshots`. Needs Open WebUI and Chromium."""

import asyncio
import io
import os
import re
import tempfile
from pathlib import Path

from PIL import Image

from tests.openwebui.chat_model import MODEL
from tests.openwebui.page import ChatPage, open_page
from tests.openwebui.stack import Stack, open_stack

FOLDER = Path(__file__).parents[2] / "docs" / "screenshots"
DEMO_SPEED = 0.25
"""Slow enough that the moment is met."""
NEARLY_DONE = re.compile("[89][0-9] %")
DONE = re.compile("^Done")


async def main() -> None:
    venv = Path(os.environ["OPENWEBUI_VENV"]).absolute()  # noqa: ASYNC240  # nothing else runs yet
    with tempfile.TemporaryDirectory() as folder:
        async with open_stack(venv, Path(folder), demo_speed=DEMO_SPEED) as stack:
            async with stack.installer.installed("--chat"):
                await chat_model(stack)
            async with stack.installer.installed("--images", "openai", "--edits", "--filter"):
                await image_button(stack)
            async with stack.installer.installed("--tools"):
                await tool_server(stack)


async def chat_model(stack: Stack) -> None:
    async with open_page(stack.admin.account) as chat:
        await chat.choose_model("imagegen")
        await chat.send("a lighthouse at dusk, calm sea, stars --size 512x384 --seed 12")
        await _take_on_the_way(chat, "openwebui-chat-preview.webp")
        await chat.status.filter(has_text=DONE).wait_for()
        await chat.picture.wait_for()
        await _take(chat, "openwebui-chat-done.webp")


async def image_button(stack: Stack) -> None:
    async with open_page(stack.admin.account) as chat:
        await chat.choose_model(MODEL)
        await chat.press_image_button()
        await chat.send("Draw a red fox in the snow")
        await _take_on_the_way(chat, "openwebui-image-button.webp")
        await chat.picture.wait_for()


async def tool_server(stack: Stack) -> None:
    async with open_page(stack.admin.account) as chat:
        await chat.choose_model(MODEL)
        await chat.switch_on_tool("imagegen")
        await chat.send("Draw a harbour at dawn")
        await _take_on_the_way(chat, "openwebui-tool-server.webp")
        await chat.picture.wait_for()


async def _take_on_the_way(chat: ChatPage, name: str) -> None:
    await chat.preview.wait_for()
    await chat.status.filter(has_text=NEARLY_DONE).first.wait_for()
    await _take(chat, name)


async def _take(chat: ChatPage, name: str) -> None:
    picture = Image.open(io.BytesIO(await chat.page.screenshot()))
    picture.save(FOLDER / name, "WEBP", quality=85, method=6)


if __name__ == "__main__":
    asyncio.run(main())
