"""What waiting jobs are told: their place, and when their turn will come."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

import structlog

from imagegen_server.history import Ephemeral
from imagegen_server.hub import Hub
from imagegen_server.jobs import Job
from imagegen_server.scheduling import Place, Situation, foresee, foreseeing
from imagegen_server.wire.events import queue_event

log = structlog.get_logger(__name__)

INTERVAL_S: Final = 1.0
"""Waiting jobs are told their place at most this often, because one change moves all of them."""
SHORT_QUEUE: Final = 100
"""A queue that is no longer is foreseen whenever it is asked for, a longer one step by step, once in INTERVAL_S."""
STEP_S: Final = 0.003
"""So long the loop may be held up by a step."""
NEWS_S, NEWS_SHARE = 2.0, 0.1
"""A predicted time that has moved by less is not told again."""


class Foresight:
    """Belongs to the runner."""

    def __init__(
        self,
        hub: Hub,
        *,
        situation: Callable[[], Situation],
        queue: Callable[[], Sequence[Job]],
        clock: Callable[[], float],
    ) -> None:
        self._hub = hub
        self._situation = situation
        self._queue = queue
        self._clock = clock
        self._changes = 0
        self._has_changed = asyncio.Event()
        self._foreseen: Mapping[str, Place] = {}
        self._places_time = 0.0
        self._places: Mapping[str, Place] = {}
        self._version = (-1, -1)

    def note_change(self) -> None:
        """Something that a prediction depends on is no longer as it was."""
        self._changes += 1
        self._has_changed.set()

    def places(self) -> Mapping[str, Place]:
        """The place of each job that waits. A job that has just come may have one without prediction."""
        # A stream of all jobs asks once per job.
        version, now = (self._hub.position, self._changes), self._clock()
        if version == self._version and 0 <= now - self._places_time < INTERVAL_S:
            return self._places
        queue = self._queue()
        if len(queue) <= SHORT_QUEUE:
            self._foreseen = foresee(self._situation())
        self._places, self._places_time, self._version = _numbered(queue, self._foreseen), now, version
        return self._places

    def place_of_new(self, job: Job, situation: Situation) -> Place | None:
        """The place of a job that is in the situation and not in the queue, if it can be foreseen."""
        if len(situation.jobs) > SHORT_QUEUE:
            return None
        foreseen = foresee(situation)
        return _numbered([*self._queue(), job], foreseen)[job.job_id] if job.job_id in foreseen else None

    async def keep_telling(self) -> None:
        """Tells waiting jobs what has changed for them, until it is cancelled."""
        told: dict[str, tuple[float, Place]] = {}
        while True:
            await self._has_changed.wait()
            self._has_changed.clear()
            try:
                if len(self._queue()) > SHORT_QUEUE:
                    self._foreseen = await self._foresee_step_by_step()
                    self._changes += 1
                self._tell(told)
            except Exception:
                # Jobs run without predictions, too.
                log.exception("places could not be told")
            await asyncio.sleep(INTERVAL_S)

    async def _foresee_step_by_step(self) -> Mapping[str, Place]:
        places: Mapping[str, Place] = {}
        until = time.perf_counter() + STEP_S
        for places in foreseeing(self._situation()):  # noqa: B007  # the last ones count
            if time.perf_counter() >= until:
                await asyncio.sleep(0)
                until = time.perf_counter() + STEP_S
        return places

    def _tell(self, told: dict[str, tuple[float, Place]]) -> None:
        now, places = self._clock(), self.places()
        for job_id in told.keys() - places.keys():
            del told[job_id]
        for job_id, place in places.items():
            if job_id not in told or is_news(place, told[job_id][1], now - told[job_id][0]):
                told[job_id] = now, place
                self._hub.publish_ephemeral(job_id, Ephemeral.QUEUE, queue_event(job_id, now, place))


def is_news(place: Place, told: Place, age_s: float) -> bool:
    """Whether a place says more than what was told so long ago."""
    if replace(place, start_s=None, finish_s=None) != replace(told, start_s=None, finish_s=None):
        return True
    return _has_moved(place.start_s, told.start_s, age_s) or _has_moved(place.finish_s, told.finish_s, age_s)


def _has_moved(seconds: float | None, told_s: float | None, age_s: float) -> bool:
    if seconds is None or told_s is None:
        return seconds is not told_s
    return abs(seconds - (told_s - age_s)) > max(NEWS_S, NEWS_SHARE * seconds)


def _numbered(queue: Sequence[Job], foreseen: Mapping[str, Place]) -> dict[str, Place]:
    """The places of exactly those that wait, without gaps; whoever was not foreseen is behind."""
    known = sorted((job.job_id for job in queue if job.job_id in foreseen), key=lambda job_id: foreseen[job_id].ahead)
    new = [job.job_id for job in queue if job.job_id not in foreseen]
    unknown = Place(ahead=0, length=0)
    return {
        job_id: replace(foreseen.get(job_id, unknown), ahead=ahead, length=len(queue))
        for ahead, job_id in enumerate([*known, *new])
    }
