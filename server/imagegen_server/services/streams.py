"""Streams of events: items of `watching` to bytes on the wire."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import assert_never

from imagegen.v1 import image_gen_pb2 as pb
from imagegen_server.history import Ephemeral, Record, Scope, Start
from imagegen_server.hub import Hub, Latest
from imagegen_server.ledger import Ledger
from imagegen_server.running.previews import PreviewVariant
from imagegen_server.services.rpc import Context
from imagegen_server.services.views import JobViews
from imagegen_server.stores.store import Store
from imagegen_server.watching import CaughtUp, Heartbeat, Item, Reset, Snapshot, watch
from imagegen_server.wire import events
from imagegen_server.wire.events import Moment, PreviewEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What one stream should carry."""

    has_previews: bool
    variant: PreviewVariant
    max_rate_hz: float
    """0: no limit."""


def decode_wish(options: pb.WatchOptions) -> Wish:
    return Wish(
        has_previews=options.previews != pb.PREVIEW_DELIVERY_NONE,
        variant=PreviewVariant(with_data=options.previews != pb.PREVIEW_DELIVERY_NOTICE, max_pixels=options.max_pixels),
        max_rate_hz=options.max_rate_hz,
    )


class Streams:
    """Writes streams. Nothing that is written here is a message: every event comes encoded, once for all watchers."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        hub: Hub,
        store: Store,
        views: JobViews,
        clock: Callable[[], float],
        heartbeat_s: float,
    ) -> None:
        self._ledger = ledger
        self._hub = hub
        self._store = store
        self._views = views
        self._clock = clock
        self._heartbeat_s = heartbeat_s

    async def write(self, context: Context, scope: Scope, start: Start | int, wish: Wish) -> None:
        """Writes the events until the stream ends. Raises what `watching.watch` raises."""
        only_job = next(iter(scope.job_ids)) if scope.job_ids is not None and len(scope.job_ids) == 1 else ""
        encoder = _Encoder(only_job, wish, self._views, self._clock)
        async with watch(
            scope,
            start,
            ledger=self._ledger,
            hub=self._hub,
            store=self._store,
            max_rate_hz=wish.max_rate_hz,
            heartbeat_s=self._heartbeat_s,
        ) as items:
            async for item in items:
                data = await encoder.encode(item)
                if data is not None:
                    await context.write(data)


class _Encoder:
    """One stream's view on items."""

    def __init__(self, only_job: str, wish: Wish, views: JobViews, clock: Callable[[], float]) -> None:
        """`only_job`: the job of a stream of one; empty in a stream of many."""
        self._only_job = only_job
        self._wish = wish
        self._views = views
        self._clock = clock
        self._sequence = 0

    async def encode(self, item: Item) -> bytes | None:
        """The item as a serialized WatchJobResponse; None: this stream does not carry it."""
        match item:
            case Record(data=data, sequence=sequence):
                self._sequence = sequence
                return data
            case Latest():
                return await self._encode_latest(item)
            case Snapshot(job=job, token=token):
                self._sequence = job.sequence
                moment = replace(self._moment(token), job_id=job.job_id, sequence=job.sequence)
                view = self._views.now_of(job.job_id)
                return events.encode_snapshot(job, moment, progress=view.progress, queue=view.place)
            case Reset(reason=reason):
                return events.encode_reset(self._moment(""), reason)
            case CaughtUp(token=token):
                return events.encode_caught_up(self._moment(token))
            case Heartbeat(token=token):
                return events.encode_heartbeat(self._moment(token))
            case _ as never:
                assert_never(never)

    async def _encode_latest(self, latest: Latest) -> bytes | None:
        payload = latest.value.payload
        if latest.value.kind is not Ephemeral.PREVIEW:
            return latest.bytes_for()
        if not self._wish.has_previews:
            return None
        assert isinstance(payload, PreviewEvent)
        await payload.prepare(self._wish.variant)
        return latest.bytes_for(self._wish.variant)

    def _moment(self, token: str) -> Moment:
        sequence = self._sequence if self._only_job else 0
        return Moment(job_id=self._only_job, sequence=sequence, time=self._clock(), token=token)
