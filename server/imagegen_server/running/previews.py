"""Preview frames: as the job asked for them, and smaller for the watchers that want these.

Pictures are decoded and encoded in an executor, never in the event loop. A small frame that stays as it is has only its
header read, which takes less than handing it over would.
"""

import asyncio
import io
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Final

import structlog
from PIL import Image

from imagegen_adapters.contract import PreviewFrame
from imagegen_server.jobs import PreviewOptions

MAX_RATE_HZ: Final = 30.0
"""No job produces more than so many a second."""
MAX_FRAME_BYTES: Final = 16 * 1024 * 1024
MAX_FRAME_PIXELS: Final = 32 * 1024 * 1024
"""Larger frames are dropped: no backend sends them in good faith."""
_MAX_INLINE_BYTES: Final = 256 * 1024

_MEDIA_TYPES = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
_FORMATS = {"jpeg": "JPEG", "webp": "WEBP", "": ""}

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """A picture of how an image looks at a moment, checked and measured."""

    data: bytes
    media_type: str
    width: int
    height: int
    image_index: int
    step: int
    node_id: str
    frame: int
    """Number within the attempt, from 1."""

    @property
    def longest_side(self) -> int:
        return max(self.width, self.height)


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewVariant:
    """How a watcher wants previews."""

    with_data: bool = True
    max_pixels: int = 0
    """Longest side; 0: as the job produces them."""


class UnreadableFrame(Exception):
    """The bytes are no JPEG, PNG or WebP of a sensible size."""


def render(frame: PreviewFrame, number: int, wanted: PreviewOptions) -> Preview:
    """The frame as the job wants it. The bytes stay as they are where nothing has to change.

    Raises UnreadableFrame.
    """
    data, media_type, size = _fit(
        frame.data, max_pixels=wanted.max_pixels, format_name=_FORMATS[wanted.format], quality=wanted.quality
    )
    return Preview(
        data=data,
        media_type=media_type,
        width=size[0],
        height=size[1],
        image_index=frame.image_index,
        step=frame.step,
        node_id=frame.node_id,
        frame=number,
    )


def scale_down(preview: Preview, max_pixels: int) -> Preview:
    """The preview with its longest side at most `max_pixels`; without its bytes if these turn out to be broken."""
    try:
        data, media_type, size = _fit(preview.data, max_pixels=max_pixels, format_name="", quality=80)
    except UnreadableFrame:
        return replace(preview, data=b"")
    return replace(preview, data=data, media_type=media_type, width=size[0], height=size[1])


class PreviewPipe:
    """Takes an attempt's frames as they come and publishes them as the job asked for.

    `offer` never waits; of the frames that come while one is being worked on, or faster than `max_rate_hz`, only the
    newest is kept. `pump` does the work; whoever owns the attempt runs and cancels it.
    """

    def __init__(
        self, wanted: PreviewOptions, publish: Callable[[Preview], None], executor: Executor, *, first_number: int = 1
    ) -> None:
        self._wanted = wanted
        self._publish = publish
        self._executor = executor
        self._newest: PreviewFrame | None = None
        self._arrived = asyncio.Event()
        self._number = first_number

    def offer(self, frame: PreviewFrame) -> None:
        if self._wanted.enabled and len(frame.data) <= MAX_FRAME_BYTES:
            self._newest = frame
            self._arrived.set()

    async def pump(self) -> None:
        """Runs until it is cancelled."""
        loop = asyncio.get_running_loop()
        interval_s = 1 / self._wanted.max_rate_hz
        while True:
            await self._arrived.wait()
            began = loop.time()
            await self._publish_newest(loop)
            # A hurried producer waits here, and meanwhile replaces its own frame.
            await asyncio.sleep(began + interval_s - loop.time())

    async def _publish_newest(self, loop: asyncio.AbstractEventLoop) -> None:
        frame, self._newest = self._newest, None
        self._arrived.clear()
        assert frame is not None
        try:
            if self._is_passed_on(frame):
                preview = render(frame, self._number, self._wanted)
            else:
                preview = await loop.run_in_executor(self._executor, render, frame, self._number, self._wanted)
        except UnreadableFrame as error:
            log.debug("preview dropped", reason=str(error))
            return
        self._number += 1
        self._publish(preview)

    def _is_passed_on(self, frame: PreviewFrame) -> bool:
        keeps_form = not self._wanted.max_pixels and not self._wanted.format
        return keeps_form and len(frame.data) <= _MAX_INLINE_BYTES


def _fit(data: bytes, *, max_pixels: int, format_name: str, quality: int) -> tuple[bytes, str, tuple[int, int]]:
    """Bytes, media type and size of the picture within the limits. Encodes only where something has to change."""
    try:
        with Image.open(io.BytesIO(data), formats=tuple(_MEDIA_TYPES)) as image:
            if image.width * image.height > MAX_FRAME_PIXELS:
                raise UnreadableFrame(f"{image.width} by {image.height} pixels are too many")
            source = str(image.format)
            is_large = 0 < max_pixels < max(image.size)
            target = format_name or source
            if not is_large and target == source:
                return data, _MEDIA_TYPES[source], image.size
            picture = image.convert("RGB")
            if is_large:
                picture.thumbnail((max_pixels, max_pixels), Image.Resampling.BILINEAR)
            encoded = io.BytesIO()
            picture.save(encoded, target, quality=quality)
    except UnreadableFrame:
        raise
    # Pillow raises whatever its codecs raise: OSError, ValueError, SyntaxError, struct.error and others.
    except Exception as error:
        raise UnreadableFrame(f"cannot be decoded: {type(error).__name__}") from error
    return encoded.getvalue(), _MEDIA_TYPES[target], picture.size
