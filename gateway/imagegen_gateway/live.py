"""A picture that changes while it is being made, in a plain <img>: /api/v1/jobs/{job_id}/live, and single frames.

The stream is multipart/x-mixed-replace: a card until there is a preview, previews as they come, at last the finished
picture (or a card that says why there is none). Browsers show a part when the boundary after it has arrived, so the
boundary is sent with the part. Of previews the newest counts: a browser that reads slowly is sent fewer.
"""

import asyncio
from typing import Final

from aiohttp import web

from imagegen.v1 import asset_pb2, event_pb2, image_gen_pb2, image_gen_pb2_grpc, job_pb2
from imagegen_client.specs import size_of
from imagegen_gateway.assets import Assets
from imagegen_gateway.cards import card_size, draw_card
from imagegen_gateway.config import GatewaySettings
from imagegen_gateway.decoding import bad_field, refuse_unknown
from imagegen_gateway.errors import Problem
from imagegen_gateway.eventlog import FINAL_STATES, EventLog
from imagegen_gateway.events import parse_max_pixels, parse_max_rate
from imagegen_gateway.hub import Hub, Hubs
from imagegen_gateway.records import Record
from imagegen_gateway.sink import Sink

BOUNDARY: Final = b"imagegen-frame"
HEADERS: Final = {
    "Content-Type": f"multipart/x-mixed-replace; boundary={BOUNDARY.decode()}",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # nginx would hold frames back
    "Cross-Origin-Resource-Policy": "cross-origin",
}
FINISHED_CACHE: Final = "private, max-age=3600"
OPTIONS: Final = frozenset({"max_rate_hz", "max_pixels", "index"})
FRAME_OPTIONS: Final = frozenset({"frame", "attempt", "max_pixels"})
MAX_INDEX: Final = 999
STATES: Final = {
    job_pb2.JOB_STATE_QUEUED: "waiting in the queue",
    job_pb2.JOB_STATE_RUNNING: "at work",
    job_pb2.JOB_STATE_CANCELLING: "being cancelled",
    job_pb2.JOB_STATE_CANCELLED: "cancelled",
    job_pb2.JOB_STATE_EXPIRED: "expired",
    job_pb2.JOB_STATE_FAILED: "failed",
}


class Glance:
    """A Listener that only notes that something happened."""

    def __init__(self) -> None:
        self.changed = asyncio.Event()

    def publish(self, record: Record) -> None:  # noqa: ARG002  # the log has it
        """Notes it."""
        self.changed.set()

    def wake(self) -> None:
        """Notes it."""
        self.changed.set()

    def pause(self) -> None:
        """The picture stays as it is."""


class LivePictures:
    """The handlers of the two routes."""

    def __init__(
        self,
        stub: "image_gen_pb2_grpc.ImageGenServiceAsyncStub",
        hubs: Hubs,
        assets: Assets,
        settings: GatewaySettings,
    ) -> None:
        self._stub = stub
        self._hubs = hubs
        self._assets = assets
        self._settings = settings

    def routes(self) -> list[web.RouteDef]:
        """aiohttp routes."""
        return [
            web.get("/api/v1/jobs/{job_id:[^/:]+}/live", self.live, allow_head=False),
            web.get("/api/v1/jobs/{job_id:[^/:]+}/preview", self.frame, allow_head=False),
        ]

    async def live(self, request: web.Request) -> web.StreamResponse:
        """The picture as it is being made, or as it is once the job has ended."""
        refuse_unknown(request.query, OPTIONS)
        index = parse_index(request.query.get("index", "0"))
        interval_s = 1 / rate if (rate := parse_max_rate(request.query)) else 0.0
        job_id = request.match_info["job_id"]
        found = await self._stub.GetJob(
            image_gen_pb2.GetJobRequest(job_id=job_id), timeout=self._settings.rpc_timeout_s
        )
        if found.job.state in FINAL_STATES:
            return await self._finished(request, found.job, index)
        async with self._hubs.watch(job_id, max_pixels=parse_max_pixels(request.query)) as hub:
            sink = Sink(request, web.StreamResponse(headers=HEADERS), write_timeout_s=self._settings.write_timeout_s)
            async with sink.writing():
                await sink.open(b"--" + BOUNDARY + b"\r\n")
                await Show(hub, sink, interval_s, self._settings.ping_interval_s).run()
                await self._send_last(hub, sink, index)
                await sink.close()
            return sink.response

    async def frame(self, request: web.Request) -> web.Response:
        """The newest preview, as one picture. `frame` and `attempt` only make addresses differ."""
        refuse_unknown(request.query, FRAME_OPTIONS)
        job_id = request.match_info["job_id"]
        async with self._hubs.watch(job_id, max_pixels=parse_max_pixels(request.query)) as hub:
            record = hub.log.latest_preview()
        if record is None or not record.event.preview.data:
            raise Problem(404, f"job {job_id[:64]} has no preview now")
        preview = record.event.preview
        headers = {"Cache-Control": "no-store", "Cross-Origin-Resource-Policy": "cross-origin"}
        return web.Response(body=preview.data, content_type=preview.media_type, headers=headers)

    async def _finished(self, request: web.Request, job: job_pb2.Job, index: int) -> web.StreamResponse:
        asset = final_asset(job, index)
        if asset is not None:
            return await self._assets.send(request, asset.digest, cache_control=FINISHED_CACHE)
        headers = {"Cache-Control": "no-store", "Cross-Origin-Resource-Policy": "cross-origin"}
        return web.Response(body=await last_card(job), content_type="image/png", headers=headers)

    async def _send_last(self, hub: Hub, sink: Sink, index: int) -> None:
        job = hub.log.job
        if job is None or job.state not in FINAL_STATES:
            await sink.write(sink.framed(b"--" + BOUNDARY + b"--\r\n"))
            return
        asset = final_asset(job, index)
        if asset is None:
            await sink.write(sink.framed(part("image/png", await last_card(job), is_last=True)))
            return
        async with self._assets.open(asset.digest) as opened:
            await sink.write(sink.framed(part_head(opened.asset.media_type, opened.asset.size_bytes)))
            async for chunk in opened.chunks:
                await sink.write(sink.framed(chunk))
            await sink.write(sink.framed(b"\r\n--" + BOUNDARY + b"--\r\n"))


class Show:
    """Sends previews, and cards until there is one, for as long as the job runs."""

    def __init__(self, hub: Hub, sink: Sink, interval_s: float, ping_interval_s: float) -> None:
        self._hub = hub
        self._sink = sink
        self._interval_s = interval_s
        self._ping_interval_s = ping_interval_s
        self._now = asyncio.get_running_loop().time
        self._not_before = 0.0
        self._shown: object = None
        self._has_shown_preview = False
        self._last_part = b""

    async def run(self) -> None:
        """Returns when the hub gets no more events."""
        glance = Glance()
        with self._hub.listen(glance):
            while not self._hub.is_over:
                glance.changed.clear()
                wait_s = await self._show_newest()
                try:
                    async with asyncio.timeout(wait_s):
                        await glance.changed.wait()
                except TimeoutError:
                    if wait_s == self._ping_interval_s:
                        await self._sink.write(self._last_part)  # the same again finds a peer that is gone

    async def _show_newest(self) -> float:
        """Sends what is new and due; gives how long to wait for more."""
        record = self._hub.log.latest_preview()
        if record is not None and record.event.preview.data:
            return await self._show_preview(record)
        if not self._has_shown_preview:
            await self._show_card()
        return self._ping_interval_s

    async def _show_preview(self, record: Record) -> float:
        wait_s = self._not_before - self._now()
        if record.position == self._shown:
            return self._ping_interval_s
        if wait_s > 0:
            return min(wait_s, self._ping_interval_s)
        self._shown, self._has_shown_preview = record.position, True
        self._not_before = self._now() + self._interval_s
        await self._send(record.event.preview.media_type, record.event.preview.data)
        return self._ping_interval_s

    async def _show_card(self) -> None:
        text = describe(self._hub.log)
        if text != self._shown:
            self._shown = text
            assert self._hub.log.job is not None
            await self._send("image/png", await asyncio.to_thread(draw_card, text, card_size_of(self._hub.log.job)))

    async def _send(self, media_type: str, data: bytes) -> None:
        self._last_part = self._sink.framed(part(media_type, data))
        await self._sink.write(self._last_part)


def part_head(media_type: str, size: int) -> bytes:
    """The headers of one part."""
    return b"Content-Type: %b\r\nContent-Length: %d\r\n\r\n" % (media_type.encode(), size)


def part(media_type: str, data: bytes, *, is_last: bool = False) -> bytes:
    """One part with the boundary that follows it."""
    return part_head(media_type, len(data)) + data + b"\r\n--" + BOUNDARY + (b"--\r\n" if is_last else b"\r\n")


def describe(log: EventLog) -> str:
    """How a job without a preview stands, in a few words."""
    latest = {record.kind: record.event for record in log.latest()}
    if log.state == job_pb2.JOB_STATE_QUEUED:
        queue = latest["queue_updated"].queue_updated if "queue_updated" in latest else None
        return f"waiting, {queue.ahead} ahead" if queue is not None and queue.ahead else "waiting in the queue"
    if log.state == job_pb2.JOB_STATE_RUNNING:
        return describe_run(latest)
    return STATES.get(log.state, "waiting")


def describe_run(latest: dict[str, event_pb2.JobEvent]) -> str:
    """How a running job stands. Percent in steps, so that few cards are drawn."""
    if "progress" in latest:
        return f"at work, {int(latest['progress'].progress.fraction * 20) * 5} %"
    return "loading the model" if "model_loading" in latest else "at work"


async def last_card(job: job_pb2.Job) -> bytes:
    """The card of a job that ended without a picture."""
    words = STATES.get(job.state, "finished without a picture")
    text = f"{words}: {job.error.message}" if job.error.message else words
    return await asyncio.to_thread(draw_card, text, card_size_of(job), is_trouble=True)


def card_size_of(job: job_pb2.Job) -> tuple[int, int]:
    """The size of a job's cards."""
    return card_size(*size_of(job.spec))


def final_asset(job: job_pb2.Job, index: int) -> asset_pb2.Asset | None:
    """The picture number `index` of an ended job, in the order of its images; None when there is none."""
    final = [output for output in job.outputs if output.kind != job_pb2.OUTPUT_KIND_INTERMEDIATE]
    # Delivered in any order, as several backends may have made them.
    final.sort(key=lambda output: (output.image_index, output.index))
    pictures = [output.asset for output in final if output.asset.media_type.startswith("image/")]
    return pictures[index] if index < len(pictures) else None


def parse_index(text: str) -> int:
    """The option `index`. Raises Problem 400."""
    if not (text.isascii() and text.isdecimal() and len(text) <= 3):
        raise bad_field("index", f"must be from 0 to {MAX_INDEX}")
    return int(text)
