"""What a message of Open WebUI shows of a job while it runs: a line of text, and pictures in place. Pure.

Each status is stored in the chat, and each preview goes to every tab: so there are at most two lines and four previews
a second. In between the newest wins.
"""

import math
from dataclasses import dataclass, field
from typing import Any, Final, NewType

from imagegen.v1 import job_pb2
from imagegen_gateway.dialects.rendering import Moment
from imagegen_gateway.dialects.telling import tell, tell_trouble

STATUS_INTERVAL_S: Final = 0.5
PREVIEW_INTERVAL_S: Final = 0.25
REASONING_INTERVAL_S: Final = 2.0
"""For those who add up the lines instead of replacing them."""
PREVIEW_BYTES: Final = 45_000
"""With it the whole line of a stream stays below 64 kB, which older readers need."""
FINISHED_BYTES: Final = 12_000
"""For a finished picture that stands beside the preview of the next."""
MAX_FINISHED: Final = 7
"""How many of these are shown, the newest."""

Event = NewType("Event", dict[str, Any])
"""What Open WebUI's chats take: {"type", "data"}."""


@dataclass(frozen=True, slots=True)
class Picture:
    """An encoded picture."""

    data: bytes
    media_type: str


def status_event(text: str, *, done: bool = False) -> Event:
    """The line above a message."""
    return Event({"type": "status", "data": {"description": text, "done": done}})


def pictures_event(addresses: list[str]) -> Event:
    """The pictures of a message instead of those that it shows; none is stored."""
    files = [{"type": "image", "url": address, "name": "preview"} for address in addresses]
    return Event({"type": "chat:message:files", "data": {"files": files}})


def follow_event() -> Event:
    """Brings what was shown into sight, unless the person has scrolled away: pictures alone do not move the page."""
    return Event({"type": "chat:completion", "data": {}})


@dataclass(slots=True, kw_only=True)
class Show:
    """Takes moments of one job, and gives what is new and due."""

    status_interval_s: float = STATUS_INTERVAL_S
    preview_interval_s: float = PREVIEW_INTERVAL_S
    _line: str = ""
    _told: str = ""
    _tell_from: float = -math.inf
    _trouble: str = ""
    _previews: dict[int, Picture] = field(default_factory=dict)
    _finished: list[Picture] = field(default_factory=list)
    _is_changed: bool = False
    _show_from: float = -math.inf

    def take(self, moment: Moment) -> None:
        """Notes how the job stands."""
        for event in moment.events:
            if event.HasField("attempt_failed"):
                self._trouble = tell_trouble(event.attempt_failed)
            elif event.HasField("progress"):
                self._trouble = ""
        waits = moment.state in {job_pb2.JOB_STATE_QUEUED, job_pb2.JOB_STATE_RUNNING} and moment.progress is None
        self._line = self._trouble if self._trouble and waits else tell(moment)
        if moment.preview is not None:
            self._previews[moment.preview.image_index] = Picture(moment.preview.data, moment.preview.media_type)
            self._is_changed = True

    def finish(self, image_index: int, picture: Picture | None) -> None:
        """Notes that an image is made; its preview gives way to it, or to nothing."""
        self._previews.pop(image_index, None)
        if picture is not None:
            self._finished = [*self._finished, picture][-MAX_FINISHED:]
            self._is_changed = True

    def line(self, now: float) -> str | None:
        """The line of text, if it is new and due."""
        if self._line == self._told or now < self._tell_from:
            return None
        self._told, self._tell_from = self._line, now + self.status_interval_s
        return self._line

    def pictures(self, now: float) -> list[Picture] | None:
        """What is to be seen, if it is new and due: finished images, then previews of the others."""
        if not self._is_changed or now < self._show_from:
            return None
        self._is_changed, self._show_from = False, now + self.preview_interval_s
        return [*self._finished, *(self._previews[index] for index in sorted(self._previews))]

    def finished(self) -> list[Picture]:
        """What is left to be seen when no more images are coming."""
        return self._finished
