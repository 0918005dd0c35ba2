"""Event streams for browsers: /api/v1/jobs/{job_id}/events and /api/v1/events.

A stream ends after `completed`. EventSource then opens it again with the id of the last event, and is answered 204,
which stops it. A browser that comes back with a token that the hub's log still has goes on from there; with an older
one it gets what it missed from the server, over a short stream of its own, and joins the others after that.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing, nullcontext
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from imagegen.v1 import event_pb2, image_gen_pb2
from imagegen_gateway.config import GatewaySettings
from imagegen_gateway.decoding import bad_field, refuse_unknown
from imagegen_gateway.hub import Hub, Hubs
from imagegen_gateway.records import DELIVERY, DURABLE, Previews, Record, kind_of
from imagegen_gateway.sink import Sink
from imagegen_gateway.system_events import Outbox, SystemFeed
from imagegen_gateway.watcher import Watcher

MAX_TOKEN_CHARS = 256
MAX_JOBS = 1000
MAX_RATE_HZ = 30.0
END_PATIENCE_S = 0.5
"""How long a stream of given jobs, to which nothing is new, waits for the server to say that all have ended."""
HEADERS: Final = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # nginx would hold events back
}
OPTIONS: Final = frozenset({"previews", "max_rate_hz", "max_pixels", "last_event_id"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a browser asked for."""

    token: str
    """Resume token, "earliest", or empty."""
    previews: Previews = Previews.INLINE
    max_rate_hz: float = 0.0
    """Of progress and previews each; 0: no limit."""
    max_pixels: int = 0
    """Longest side of previews; 0: as they come."""


def parse_options(query: Mapping[str, str], header: str | None, *, more: frozenset[str] = frozenset()) -> Options:
    """The options in a query. The header Last-Event-ID is newer than the address, so it wins. Raises Problem 400."""
    refuse_unknown(query, OPTIONS | more)
    token = header or query.get("last_event_id", "")
    if len(token) > MAX_TOKEN_CHARS:
        raise bad_field("last_event_id", f"is longer than {MAX_TOKEN_CHARS} characters")
    return Options(
        token=token,
        previews=_previews(query.get("previews", Previews.INLINE)),
        max_rate_hz=parse_max_rate(query),
        max_pixels=parse_max_pixels(query),
    )


def parse_max_pixels(query: Mapping[str, str]) -> int:
    """The option `max_pixels`. Raises Problem 400."""
    text = query.get("max_pixels", "0")
    if text != "0" and not (text.isascii() and text.isdecimal() and len(text) <= 4 and 16 <= int(text) <= 2048):
        raise bad_field("max_pixels", "must be 0 (as they come) or from 16 to 2048")
    return int(text)


def _previews(text: str) -> Previews:
    try:
        return Previews(text)
    except ValueError as exc:
        raise bad_field("previews", f"must be one of {', '.join(Previews)}") from exc


def parse_max_rate(query: Mapping[str, str]) -> float:
    """The option `max_rate_hz`. Raises Problem 400."""
    try:
        value = float(query.get("max_rate_hz", "0"))
    except ValueError:
        value = -1.0
    if not 0 <= value <= MAX_RATE_HZ:
        raise bad_field("max_rate_hz", f"must be a number from 0 (no limit) to {MAX_RATE_HZ:g}")
    return value


class EventStreams:
    """The handlers of the two routes."""

    def __init__(self, hubs: Hubs, feed: SystemFeed, settings: GatewaySettings) -> None:
        self._hubs = hubs
        self._feed = feed
        self._settings = settings

    def routes(self) -> list[web.RouteDef]:
        """aiohttp routes. Not for HEAD: there is nothing to say about a stream before it begins."""
        return [
            web.get("/api/v1/jobs/{job_id:[^/:]+}/events", self.of_one, allow_head=False),
            web.get("/api/v1/events", self.of_many, allow_head=False),
        ]

    async def of_one(self, request: web.Request) -> web.StreamResponse:
        """The events of one job, over the upstream that all its watchers share."""
        job_id = request.match_info["job_id"]
        options = parse_options(request.query, request.headers.get("Last-Event-ID"))
        async with self._hubs.watch(job_id, max_pixels=options.max_pixels) as hub:
            sink, watcher = self._watcher(request, hub, options)
            with hub.listen(watcher):
                position = hub.log.start_of(options.token)
                if position is None:
                    return await self._replay(job_id, options.token, hub, sink, watcher)
                if hub.has_ended and not hub.log.after(position):
                    return web.Response(status=204)
                watcher.start(position)
                return await stream(sink, watcher)

    async def of_many(self, request: web.Request) -> web.StreamResponse:
        """The events of the given jobs, or of all, over an upstream of its own; if wanted, those of the system too."""
        more = frozenset({"jobs", "owner", "system"})
        outbox = Outbox() if parse_system(request.query) else None
        options = parse_options(request.query, request.headers.get("Last-Event-ID"), more=more)
        upstream = image_gen_pb2.WatchJobsRequest(
            job_ids=parse_jobs(request.query.get("jobs", "")),
            owner=request.query.get("owner", ""),
            resume_token=options.token,
            watch=image_gen_pb2.WatchOptions(
                previews=DELIVERY[options.previews],
                max_rate_hz=options.max_rate_hz,
                max_pixels=options.max_pixels,
            ),
        )
        async with self._hubs.watch_many(upstream) as hub:
            if options.token and upstream.job_ids and await has_nothing_left(hub):
                return web.Response(status=204)
            sink, watcher = self._watcher(request, hub, options, outbox)
            with hub.listen(watcher), self._feed.listen(outbox, watcher.wake) if outbox is not None else nullcontext():
                return await stream(sink, watcher)

    async def _replay(self, job_id: str, token: str, hub: Hub, sink: Sink, watcher: Watcher) -> web.StreamResponse:
        """Lets the server tell what was missed, then goes on with the hub, which `watcher` listens to already."""
        watched_from = hub.log.newest
        async with aclosing(self._hubs.missed(job_id, token)) as missed:
            first = await anext(missed, None)
            if hub.has_ended and (first is None or kind_of(first) == "caught_up"):
                return web.Response(status=204)

            async def send_missed() -> bool:
                sequence = 0
                event = first
                while event is not None and kind_of(event) != "completed":
                    sequence = await self._send(event, sequence, watcher)
                    event = await anext(missed, None)
                if event is not None:
                    await self._send(event, 0, watcher)
                await missed.aclose()
                watcher.start(watched_from, skip_through=sequence)
                return event is None

            return await stream(sink, watcher, before=send_missed)

    async def _send(self, event: event_pb2.JobEvent, sequence: int, watcher: Watcher) -> int:
        """Sends a missed event unless it was sent; gives the sequence that the browser has then."""
        kind = kind_of(event)
        if kind != "caught_up" and (kind not in DURABLE or event.sequence > sequence):
            await watcher.send(Record(event, kind, 0, self._settings.preview_inline_max_bytes))
        return 0 if kind == "reset" else max(sequence, event.sequence)

    def _watcher(
        self, request: web.Request, hub: Hub, options: Options, outbox: Outbox | None = None
    ) -> tuple[Sink, Watcher]:
        sink = Sink(request, web.StreamResponse(headers=HEADERS), write_timeout_s=self._settings.write_timeout_s)
        watcher = Watcher(
            hub.log,
            sink,
            previews=options.previews,
            max_rate_hz=options.max_rate_hz,
            ping_interval_s=self._settings.ping_interval_s,
            is_over=lambda: hub.is_over,
            system=outbox,
        )
        return sink, watcher


async def stream(
    sink: Sink,
    watcher: Watcher,
    *,
    before: Callable[[], Awaitable[bool]] | None = None,
) -> web.StreamResponse:
    """Writes the whole answer. `before` says what comes ahead of the log, and whether the log is to follow."""
    async with sink.writing():
        await sink.open(retry_line())
        if before is None or await before():
            await watcher.run()
        await sink.close()
    return sink.response


async def has_nothing_left(hub: Hub) -> bool:
    """Whether the jobs of a resumed stream have all ended, and the browser knows it."""
    if hub.log.newest:
        return False
    try:
        async with asyncio.timeout(END_PATIENCE_S):
            await hub.over()
    except TimeoutError:
        return False
    return hub.has_ended and not hub.log.newest


def parse_jobs(text: str) -> list[str]:
    """The list of jobs in a query. Raises Problem 400."""
    jobs = list(dict.fromkeys(part for part in text.split(",") if part))
    if len(jobs) > MAX_JOBS:
        raise bad_field("jobs", f"names {len(jobs)} jobs; at most {MAX_JOBS} are allowed")
    return jobs


def parse_system(query: Mapping[str, str]) -> bool:
    """The option `system`. Raises Problem 400."""
    text = query.get("system", "false")
    if text not in {"true", "false"}:
        raise bad_field("system", "must be true or false")
    return text == "true"


def retry_line() -> bytes:
    """When the browser should come back; spread, so that those of a restarted gateway do not come at once."""
    return b"retry: %d\n\n" % random.randint(1000, 3000)
