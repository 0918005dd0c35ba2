"""Channels, where people talk to each other and mention models."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
import pytest_asyncio

from tests.openwebui.account import Account
from tests.openwebui.stack import JOB_TIMEOUT_S, Stack

pytestmark = [
    pytest.mark.openwebui,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(300),
]

_POLL_S = 0.1


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def connection(stack: Stack) -> AsyncIterator[None]:
    async with stack.installer.installed("--chat"):
        yield


async def test_models_that_are_mentioned_answer_with_their_own_picture(stack: Stack) -> None:
    """Open WebUI gives them all pictures of the thread each time."""
    channel = await stack.admin.account.post("/api/v1/channels/create", {"name": "pictures"})
    thread = Thread(stack.admin.account, f"/api/v1/channels/{channel['id']}/messages")
    for prompt in ("a kite over dunes", "another kite", "a third kite"):
        await _check_picture(thread, await thread.ask(f"{prompt} --size 128x128 --steps 20"), (128, 128))
        assert (await stack.job(prompt)).spec.image.prompt == prompt
        assert (await stack.job(prompt)).spec.image.init_image == ""
    await _check_picture(thread, await thread.ask("make it red --steps 4 --edit"), (128, 128))
    assert (await stack.job("make it red")).spec.image.init_image != ""


@dataclass
class Thread:
    """What follows one message of a channel."""

    account: Account
    path: str
    """Of the channel's messages."""
    first: str = ""
    """Id of the first message."""
    answers: set[str] = field(default_factory=set)

    async def ask(self, prompt: str) -> str:
        """Mentions the model; gives the id of its answer as soon as that is done."""
        message = {"content": f"<@M:imagegen|imagegen> {prompt}", "parent_id": self.first or None}
        asked = await self.account.post(f"{self.path}/post", message)
        self.first = self.first or asked["id"]
        async with asyncio.timeout(JOB_TIMEOUT_S):
            while not (new := await self._done() - self.answers):  # noqa: ASYNC110  # another process makes it
                await asyncio.sleep(_POLL_S)
        self.answers |= new
        return new.pop()

    async def _done(self) -> set[str]:
        messages = await self.account.get(f"{self.path}/{self.first}/thread")
        return {message["id"] for message in messages if (message["meta"] or {}).get("done")}


async def _check_picture(thread: Thread, answer: str, size: tuple[int, int]) -> None:
    """There is exactly one."""
    (file,) = (await thread.account.get(f"{thread.path}/{answer}/data"))["files"]
    assert (await thread.account.picture(file["url"])).size == size
