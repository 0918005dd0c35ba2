"""Pictures on the way: OpenAI's events image_generation.partial_image and .completed, and the same of image_edit.

1. `partial_images` frames are spread over the run: the first when 1/(n+1) of it is done, and so on. Where the backend
   sends no frame in a stretch, that one is left out; no frame is sent twice.
2. Each picture has a `completed` of its own, as soon as it is finished. A failure is the last event.
3. Silence is broken by comments.
"""

import time
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Any, Final

import grpc
import orjson

from imagegen.v1 import event_pb2
from imagegen_gateway.dialects.openai.errors import after_acceptance, error_of
from imagegen_gateway.dialects.openai.parameters import ImageRequest
from imagegen_gateway.dialects.openai.results import FORMATS, NO_USAGE, Results
from imagegen_gateway.dialects.rendering import Moment, Rendering, finished_pictures, is_picture
from imagegen_gateway.errors import Problem
from imagegen_gateway.pictures import convert, to_text
from imagegen_gateway.records import PING
from imagegen_gateway.sink import Sink

INTERVAL_S: Final = 0.05
"""How often a run is looked at: a short one passes through its stretches quickly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventNames:
    """What the events of a route are called."""

    partial: str
    completed: str


GENERATING: Final = EventNames(partial="image_generation.partial_image", completed="image_generation.completed")
EDITING: Final = EventNames(partial="image_edit.partial_image", completed="image_edit.completed")


@dataclass(slots=True)
class Spread:
    """Which frames of a run are sent. Pure."""

    wanted: int
    """How many there are to be."""
    sent: int = 0
    """How many there were."""
    _passed: int = 0
    _frame: event_pb2.Preview | None = None

    def choose(self, frame: event_pb2.Preview | None, fraction: float) -> event_pb2.Preview | None:
        """The frame to send now, if there is one. `frame` is a new one, `fraction` how much of the run is done."""
        self._frame = frame or self._frame
        passed = min(self.wanted, int(fraction * (self.wanted + 1)))
        if passed <= self._passed or self._frame is None:
            return None
        chosen, self._frame = self._frame, None
        self._passed = passed
        self.sent += 1
        return chosen


class Telling:
    """The events of one request."""

    def __init__(self, wanted: ImageRequest, names: EventNames, results: Results) -> None:
        self._wanted = wanted
        self._names = names
        self._results = results
        self._spread = Spread(wanted.partial_images)

    async def run(self, rendering: Rendering, sink: Sink, ping_interval_s: float) -> None:
        """Tells until the job has ended. Raises WriteBlocked, ConnectionResetError."""
        moments = rendering.moments(interval_s=INTERVAL_S, heartbeat_s=ping_interval_s)
        try:
            async with aclosing(moments):
                async for moment in moments:
                    if not moment.events:
                        await sink.write_long(PING)
                    await self._tell(moment, sink)
        except (Problem, grpc.aio.AioRpcError) as exc:
            error = error_of(after_acceptance(exc))
            await sink.write_long(record({"type": "error", "error": error}))

    async def _tell(self, moment: Moment, sink: Sink) -> None:
        fraction = moment.progress.fraction if moment.progress is not None else 0.0
        frame = self._spread.choose(moment.preview, fraction)
        if frame is not None:
            await sink.write_long(await self._partial(frame))
        for output in moment.outputs:
            if is_picture(output):
                result = await self._results.read(output)
                data = {**result.entry, **result.description, "usage": NO_USAGE}
                await sink.write_long(self._record(self._names.completed, data))
        if moment.is_last:
            finished_pictures(moment.job)  # or else why there are none

    async def _partial(self, frame: event_pb2.Preview) -> bytes:
        data, media_type = frame.data, frame.media_type
        if self._wanted.output_format is not None:
            with suppress(Problem):  # a frame that cannot be read is no reason to give up the picture
                data, media_type = await convert(data, media_type, self._wanted.output_format)
        described = self._results.describe(FORMATS.get(media_type, "jpeg"), frame.width, frame.height)
        index = {"partial_image_index": self._spread.sent - 1}
        return self._record(self._names.partial, {"b64_json": await to_text(data), **described, **index})

    def _record(self, kind: str, data: dict[str, Any]) -> bytes:
        return record({"type": kind, "created_at": int(time.time()), **data})


def record(data: dict[str, Any]) -> bytes:
    """A server-sent event, called as its `type`."""
    return b"event: %b\ndata: %b\n\n" % (data["type"].encode(), orjson.dumps(data))
