"""Turns what an adapter reports about one attempt into happenings, ephemeral events and measurements."""

import asyncio
from collections import Counter
from dataclasses import replace
from typing import assert_never

from imagegen_adapters.contract import (
    Accepted,
    ImageParameters,
    ImageReady,
    ModelLoading,
    PhaseChanged,
    Planned,
    PreviewFrame,
    Progressed,
    RawGraph,
    Update,
    Warned,
)
from imagegen_server.errors import Refused
from imagegen_server.gallery import AssetSource, SourceFinder
from imagegen_server.happenings import (
    AttemptAccepted,
    AttemptTold,
    Happening,
    OutputStored,
)
from imagegen_server.history import Ephemeral
from imagegen_server.jobs import AssetOrigin, Job, Output
from imagegen_server.running.previews import Preview, PreviewPipe
from imagegen_server.running.progress import ProgressTracker
from imagegen_server.running.slicing import handed_over
from imagegen_server.running.surroundings import Surroundings
from imagegen_server.scheduling.measuring import RunMeter
from imagegen_server.wire import events


class Recorder:
    """Follows one run. An adapter counts images within what it was handed, watchers within the job."""

    def __init__(
        self,
        job: Job,
        number: int,
        *,
        surroundings: Surroundings,
        meter: RunMeter,
        first_frame: int,
    ) -> None:
        self.was_accepted = False
        """Whether the backend has said that it has the attempt."""
        self._at = surroundings
        self._job = job
        self._number = number
        self._slice = job.attempts[number - 1].slice
        self._handed_over = handed_over(job, number)
        self._meter = meter
        self._progress = ProgressTracker(self._handed_over, self._slice)
        self._pipe = PreviewPipe(
            job.spec.preview, self._publish_preview, surroundings.executor, first_number=first_frame
        )
        self._is_graph = isinstance(job.spec.source, RawGraph)
        self._sources: SourceFinder | None = None
        self._heard_of = Counter[str]()
        # What an earlier attempt, or an earlier process, has delivered is not stored again.
        told = Counter[str]()
        self._stored = {self._key(each, told) for each in job.outputs}

    async def pump_previews(self) -> None:
        await self._pipe.pump()

    async def record(self, update: Update) -> None:
        """Raises StoreError."""
        self._meter.note(update, asyncio.get_running_loop().time())
        match update:
            case Accepted(handle=handle):
                self.was_accepted = True
                await self._apply(AttemptAccepted(number=self._number, handle=handle))
            case Planned() | Warned():
                await self._tell(update)
            case ImageReady():
                await self._store(update)
            case PhaseChanged():
                self._publish(Ephemeral.PHASE, events.phase_event(*self._now(), update))
            case ModelLoading():
                self._publish(Ephemeral.MODEL_LOADING, events.model_loading_event(*self._now(), update))
            case Progressed():
                self._publish_progress(update)
            case PreviewFrame():
                self._show(update)
            case _ as never:
                assert_never(never)

    @property
    def has_delivered(self) -> bool:
        """Whether there is an image of the slice."""
        wanted = self._slice.images
        return any(
            not each.intermediate and (self._is_graph or each.image_index in wanted) for each in self._job.outputs
        )

    async def _apply(self, happening: Happening) -> None:
        self._job = await self._at.ledger.apply(self._job.job_id, happening)

    async def _tell(self, update: Planned | Warned) -> None:
        await self._apply(AttemptTold(number=self._number, update=update))

    async def _store(self, image: ImageReady) -> None:
        image = replace(image, image_index=self._handed_over.first + image.image_index)
        key = self._key(image, self._heard_of)
        if key in self._stored or not (self._is_graph or image.image_index in self._slice.images):
            return
        image_index = len(self._job.outputs) if self._is_graph else image.image_index
        try:
            asset = await self._at.assets.put(
                image.data,
                origin=AssetOrigin.OUTPUT,
                job_id=self._job.job_id,
                require_image=isinstance(self._job.spec.source, ImageParameters),
                source=await self._source_of(image, image_index),
            )
        except Refused as refused:
            await self._tell(Warned(code="OUTPUT_UNREADABLE", message=f"an output was left out: {refused}"))
            return
        self._stored.add(key)
        await self._apply(
            OutputStored(
                number=self._number,
                asset=asset,
                image_index=image_index,
                seed=image.seed,
                node_id=image.node_id,
                intermediate=image.intermediate,
            )
        )

    async def _source_of(self, image: ImageReady, image_index: int) -> AssetSource:
        if self._sources is None:
            self._sources = await asyncio.to_thread(SourceFinder, self._job)
        return self._sources.source(image_index=image_index, seed=image.seed, intermediate=image.intermediate)

    def _key(self, image: ImageReady | Output, heard_of: Counter[str]) -> tuple[str, int, bool]:
        """The same for the same image in every attempt."""
        if not self._is_graph:
            # The index says which image it is, whichever backend made it.
            return "", image.image_index, image.intermediate
        # Nodes are heard of in any order, and after a restart not of all again; but each lists its images in order.
        heard_of[image.node_id] += 1
        return image.node_id, heard_of[image.node_id], image.intermediate

    def _publish_progress(self, update: Progressed) -> None:
        progress, speed = self._progress.track(update, asyncio.get_running_loop().time())
        self._at.board.note(self._job.job_id, self._number, self._progress.fraction)
        # Other attempts of the job go on as well: what they have done is in the ledger, not in our copy.
        job = self._at.ledger.committed(self._job.job_id) or self._job
        whole = replace(progress, fraction=self._at.board.fraction(job))
        self._publish(Ephemeral.PROGRESS, events.progress_event(*self._now(), whole, speed))

    def _show(self, frame: PreviewFrame) -> None:
        if self._at.board.shows(self._job.job_id, self._number, asyncio.get_running_loop().time()):
            self._pipe.offer(replace(frame, image_index=self._handed_over.first + frame.image_index))

    def _publish_preview(self, preview: Preview) -> None:
        self._publish(Ephemeral.PREVIEW, events.PreviewEvent(*self._now(), preview, self._at.executor))

    def _publish(self, kind: Ephemeral, payload: events.EphemeralEvent | events.PreviewEvent) -> None:
        self._at.hub.publish_ephemeral(self._job.job_id, kind, payload)

    def _now(self) -> tuple[str, int, float]:
        return self._job.job_id, self._number, self._at.clock()
