"""Events as server-sent events: each is encoded once, whatever the number of watchers."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final
from urllib.parse import quote

from imagegen.v1 import event_pb2, image_gen_pb2
from imagegen_gateway.encoding import dumps, to_dict

EPHEMERAL: Final = frozenset({"queue_updated", "model_loading", "phase_changed", "progress", "preview"})
"""Events of which only the latest value matters."""
DURABLE: Final = frozenset(
    {"state_changed", "attempt_started", "attempt_failed", "plan", "output_ready", "warning", "updated", "completed"},
)
"""Events with a sequence number of their own; never dropped."""
RATE_LIMITED: Final = frozenset({"progress", "preview"})

PING: Final = b": ping\n\n"
RECONNECTING: Final = b": reconnecting\n\n"


class Previews(StrEnum):
    """How a watcher wants previews."""

    INLINE = "inline"
    """With their bytes as base64, up to a size."""
    URL = "url"
    """With an address where the newest frame can be had."""
    NONE = "none"
    """Not at all."""


@dataclass(slots=True, eq=False)
class Record:
    """One event, and its encodings as far as somebody needed them."""

    event: event_pb2.JobEvent
    """The event. Not to be changed."""
    kind: str
    """Name of the oneof's member, as "progress"."""
    position: int
    """Place in the log of the gateway that holds it, from 1, growing; of ephemeral events the version."""
    inline_max_bytes: int
    """Larger previews go out as an address."""
    max_pixels: int = 0
    """What previews were scaled to, for their address."""
    # Worked out once here, because every watcher asks for them with every event.
    key: tuple[str, str] = field(init=False)
    """Job and kind: what a newer ephemeral event takes the place of."""
    sequence: int = field(init=False)
    """The event's own, or that of the durable event before it."""
    is_ephemeral: bool = field(init=False)
    """Whether a newer one takes its place."""
    _encoded: dict[bool, bytes] = field(default_factory=dict, repr=False)
    _framed: dict[bool, bytes] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self.key = self.event.job_id, self.kind
        self.sequence = self.event.sequence
        self.is_ephemeral = self.kind in EPHEMERAL

    def encoded(self, previews: Previews) -> bytes:
        """The record as it goes over the wire."""
        by_address = self._goes_by_address(previews)
        if by_address not in self._encoded:
            self._encoded[by_address] = self._encode(by_address)
        return self._encoded[by_address]

    def framed(self, previews: Previews) -> bytes:
        """The record as a chunk of HTTP/1.1's chunked encoding."""
        by_address = self._goes_by_address(previews)
        if by_address not in self._framed:
            self._framed[by_address] = frame(self.encoded(previews))
        return self._framed[by_address]

    def _goes_by_address(self, previews: Previews) -> bool:
        if self.kind != "preview":
            return False
        size = len(self.event.preview.data)
        return previews is Previews.URL or not 0 < size <= self.inline_max_bytes

    def _encode(self, by_address: bool) -> bytes:
        if not by_address:
            return encode(self.event, self.kind)
        slim = event_pb2.JobEvent()
        slim.CopyFrom(self.event)
        slim.preview.data = b""
        return encode(slim, self.kind, preview_url=preview_url(self.event, self.max_pixels))


def encode(event: event_pb2.JobEvent, kind: str, *, preview_url: str = "") -> bytes:
    """The bytes of one server-sent event: id is the resume token, event the oneof's name, data the event as JSON."""
    data = to_dict(event)
    if preview_url:
        del data["preview"]["data"]
        data["preview"]["url"] = preview_url
    identity = b"id: %b\n" % event.resume_token.encode() if event.resume_token else b""
    return b"%bevent: %b\ndata: %b\n\n" % (identity, kind.encode(), dumps(data))


def frame(data: bytes) -> bytes:
    """A chunk of HTTP/1.1's chunked encoding."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def preview_url(event: event_pb2.JobEvent, max_pixels: int) -> str:
    """Where the frame, or a newer one, can be had. Attempt and frame make it differ, so that a page fetches again."""
    size = f"&max_pixels={max_pixels}" if max_pixels else ""
    frame_id = f"attempt={event.attempt}&frame={event.preview.frame}"
    return f"/api/v1/jobs/{quote(event.job_id, safe='')}/preview?{frame_id}{size}"


def kind_of(event: event_pb2.JobEvent) -> str:
    """Name of the oneof's member; empty for an event of a newer server."""
    return event.WhichOneof("event") or ""


DELIVERY: Final = {
    Previews.INLINE: image_gen_pb2.PREVIEW_DELIVERY_INLINE,
    Previews.URL: image_gen_pb2.PREVIEW_DELIVERY_NOTICE,
    Previews.NONE: image_gen_pb2.PREVIEW_DELIVERY_NONE,
}
"""What to ask of the server for a stream that one watcher has for itself."""
