"""An adapter on a fake server, and what tests do with both."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from imagegen_adapters.comfyui.adapter import open_comfyui
from imagegen_adapters.comfyui.client import Timing
from imagegen_adapters.config import BackendConfig
from imagegen_adapters.contract import Adapter, ImageParameters, ImageReady, RawGraph, Run, Task, Update, Warned
from tests.fakes.comfyui import FakeComfyUI, open_fake

U = TypeVar("U", bound=Update)

FAST = Timing(
    request_s=1.0,
    status_s=1.0,
    transfer_s=3.0,
    reconnect_pause_s=0.1,
    reconnect_limit_s=0.2,
    poll_s=0.05,
    silence_s=0.3,
    refused_s=0.3,
    unreachable_s=1.0,
    cancel_s=1.0,
)


@dataclass(slots=True)
class Bench:
    """A fake server and an adapter on it."""

    fake: FakeComfyUI
    adapter: Adapter

    async def run(self, source: ImageParameters | RawGraph, **fields: Any) -> list[Update]:
        """Runs a task to its end."""
        async with self.adapter.run(task(source, **fields)) as run:
            return [update async for update in run]


@asynccontextmanager
async def open_bench(version: str = "0.3.64", *, step_s: float = 0.005, **options: Any) -> AsyncIterator[Bench]:
    async with open_fake(version, step_s=step_s, **options) as fake, open_adapter(fake.url) as adapter:
        yield Bench(fake, adapter)


def open_adapter(url: str, **options: str) -> AbstractAsyncContextManager[Adapter]:
    return open_comfyui(BackendConfig(name="fake", kind="comfyui", url=url, options=options), FAST)


def task(source: ImageParameters | RawGraph, **fields: Any) -> Task:
    return Task(**{"attempt_id": str(uuid.uuid4()), "source": source, **fields})


def request(**fields: Any) -> ImageParameters:
    return ImageParameters(**{"prompt": "a red fox", "width": 64, "height": 64, "steps": 4, "seed": 1, **fields})


def of(kind: type[U], updates: Iterable[Update]) -> list[U]:
    return [update for update in updates if isinstance(update, kind)]


def images(updates: Iterable[Update]) -> list[ImageReady]:
    return of(ImageReady, updates)


def warnings(updates: Iterable[Update]) -> list[str]:
    return [warning.code for warning in of(Warned, updates)]


async def until(run: Run, is_it: Callable[[Update], bool]) -> Update:
    """Takes updates up to the one that is wanted."""
    async for update in run:
        if is_it(update):
            return update
    raise AssertionError("the run ended before")


async def eventually(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not is_so():  # noqa: ASYNC110  # the fake has no event for everything
            await asyncio.sleep(0.01)
