"""Reading server-sent events in tests, as a browser would."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import orjson

DURABLE = {"state_changed", "attempt_started", "attempt_failed", "plan", "output_ready", "warning", "completed"}


@dataclass
class Event:
    kind: str
    id: str
    data: dict[str, Any]

    @property
    def sequence(self) -> int:
        return int(self.data["sequence"])


@dataclass
class Stream:
    """An open event stream."""

    response: aiohttp.ClientResponse
    comments: list[str] = field(default_factory=list)
    retry_ms: int = 0
    last_id: str = ""

    async def next(self) -> Event | None:
        """The next event; None at the end."""
        kind, data = "message", ""
        async with asyncio.timeout(10):
            while line := (await self.response.content.readline()).decode():
                name, _, value = line.rstrip("\n").partition(":")
                value = value.removeprefix(" ")
                if line.startswith(":"):
                    self.comments.append(value)
                elif name == "id":
                    self.last_id = value
                elif name == "event":
                    kind = value
                elif name == "data":
                    data = value
                elif name == "retry":
                    self.retry_ms = int(value)
                elif not name and data:
                    return Event(kind, self.last_id, orjson.loads(data))
        return None

    async def until(self, kind: str, code: str = "") -> list[Event]:
        """All events up to the first of this kind (for a warning: with this code), which is the last in the list."""
        found: list[Event] = []
        while (event := await self.next()) is not None:
            found.append(event)
            if event.kind == kind and (not code or event.data["warning"]["code"] == code):
                return found
        raise AssertionError(f"no {kind} {code} came; got {[event.kind for event in found]}")

    async def rest(self) -> list[Event]:
        """All events to the end of the stream."""
        found: list[Event] = []
        while (event := await self.next()) is not None:
            found.append(event)
        return found

    async def until_comment(self, text: str) -> None:
        async with asyncio.timeout(10):
            while text not in self.comments:
                line = (await self.response.content.readline()).decode()
                assert line, "the stream ended"
                if line.startswith(": "):
                    self.comments.append(line[2:].rstrip("\n"))


@asynccontextmanager
async def watch(
    http: aiohttp.ClientSession, path: str, *, last_event_id: str | None = None, **params: str
) -> AsyncIterator[Stream]:
    headers = {} if last_event_id is None else {"Last-Event-ID": last_event_id}
    async with http.get(path, headers=headers, params=params) as response:
        assert response.status == 200, await response.text()
        assert response.content_type == "text/event-stream"
        yield Stream(response)


def durable(events: list[Event]) -> list[int]:
    """Sequence numbers of the durable ones."""
    return [event.sequence for event in events if event.kind in DURABLE]
