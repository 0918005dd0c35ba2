"""Runs tasks and keeps what they report."""

import asyncio
import hashlib
import io
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imagegen_adapters.contract import (
    Adapter,
    ImageParameters,
    ImageReady,
    Progressed,
    RawGraph,
    Run,
    Task,
    Update,
)
from imagegen_adapters.errors import AdapterError

Pixels: TypeAlias = NDArray[np.uint8]
_U = TypeVar("_U")


@dataclass(slots=True)
class Observed:
    """What a run reported, and how it ended."""

    updates: list[Update] = field(default_factory=list)
    error: AdapterError | None = None

    def of(self, kind: type[_U]) -> list[_U]:
        return [update for update in self.updates if isinstance(update, kind)]

    @property
    def images(self) -> list[ImageReady]:
        return [image for image in self.of(ImageReady) if not image.intermediate]


def task_of(source: ImageParameters | RawGraph, files: Sequence[bytes] = ()) -> Task:
    """A task with an id of its own."""
    return Task(attempt_id=str(uuid.uuid4()), source=source, files={digest_of(data): data for data in files})


def unseen(source: ImageParameters) -> ImageParameters:
    """With a seed that a live server has not cached the picture of."""
    return replace(source, seed=uuid.uuid4().int % 2**32)


def digest_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


async def observed(run: Run, on_update: Callable[[Update], Awaitable[None]] | None = None) -> Observed:
    """Everything until the run's end."""
    seen = Observed()
    try:
        async for update in run:
            seen.updates.append(update)
            if on_update is not None:
                await on_update(update)
    except AdapterError as exc:
        seen.error = exc
    return seen


async def performed(
    adapter: Adapter, source: ImageParameters | RawGraph, patience_s: float, files: Sequence[bytes] = ()
) -> Observed:
    """A run from beginning to end."""
    async with asyncio.timeout(patience_s), adapter.run(task_of(source, files)) as run:
        return await observed(run)


async def images_of(
    adapter: Adapter, source: ImageParameters | RawGraph, patience_s: float, files: Sequence[bytes] = ()
) -> list[ImageReady]:
    """The images of a run that must succeed."""
    seen = await performed(adapter, source, patience_s, files)
    assert seen.error is None, repr(seen.error)
    return seen.images


async def until_moving(run: Run, patience_s: float) -> None:
    """Iterates until the attempt has done a step."""
    async with asyncio.timeout(patience_s):
        async for update in run:
            if is_moving(update):
                return
    raise AssertionError("the run ended before it moved")


def is_moving(update: Update) -> bool:
    return isinstance(update, Progressed) and update.step >= 1


async def until(condition: Callable[[], Awaitable[bool]], patience_s: float) -> None:
    """Waits for something that only asking can tell."""
    async with asyncio.timeout(patience_s):
        while not await condition():  # noqa: ASYNC110 the backend tells nobody by itself
            await asyncio.sleep(0.01)


def pixels_of(data: bytes) -> Pixels:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


def media_type_of(data: bytes) -> str:
    """What the bytes are, by looking at them. Raises where they are no image."""
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        return Image.MIME[image.format or ""]


def png_of(values: NDArray[np.uint8]) -> bytes:
    out = io.BytesIO()
    Image.fromarray(values).save(out, "PNG")
    return out.getvalue()


def photograph(width: int, height: int, tint: tuple[int, int, int]) -> bytes:
    """An initial image: soft colours that differ everywhere."""
    x = np.linspace(0, 1, width)[None, :, None]
    y = np.linspace(0, 1, height)[:, None, None]
    values = np.array(tint) * (0.35 + 0.35 * x + 0.3 * y)
    return png_of(values.astype(np.uint8))


def mask_of_right_half(width: int, height: int) -> bytes:
    values = np.zeros((height, width), np.uint8)
    values[:, width // 2 :] = 255
    return png_of(values)
