"""A job as it is told to a caller: with what is known at this moment, and the token that goes on from there."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from imagegen.v1 import job_pb2
from imagegen_server.history import Ephemeral
from imagegen_server.hub import Hub
from imagegen_server.jobs import Job
from imagegen_server.ledger import Ledger
from imagegen_server.running.runner import Runner
from imagegen_server.scheduling import Place
from imagegen_server.wire.events import EphemeralEvent, encode_place
from imagegen_server.wire.jobs import encode_job


@dataclass(frozen=True, slots=True)
class Now:
    """What is known about a job and not stored."""

    progress: job_pb2.Progress | None
    place: Place | None


class JobViews:
    def __init__(self, *, ledger: Ledger, hub: Hub, runner: Runner) -> None:
        self._ledger = ledger
        self._hub = hub
        self._runner = runner

    def now_of(self, job_id: str) -> Now:
        return Now(self._progress(job_id), self._runner.places().get(job_id))

    async def by_id(self, job_id: str) -> job_pb2.Job:
        """Refused: JOB_NOT_FOUND."""
        return self._encode(await self._ledger.get(job_id), self._runner.places())

    def unborn(self, job: Job) -> job_pb2.Job:
        """A job that was not accepted, with the place that it would have, and without its id."""
        queue = None if job.state.is_final else encode_place(self._runner.place_of_new(job))
        return encode_job(replace(job, job_id=""), queue=queue)

    def page(self, jobs: Iterable[Job]) -> list[job_pb2.Job]:
        """Jobs as the store gave them; those that have not ended as they are now."""
        places = self._runner.places()
        return [self._encode(job, places) for job in jobs]

    def _encode(self, job: Job, places: Mapping[str, Place]) -> job_pb2.Job:
        live = self._ledger.snapshot(job.job_id)
        # Nothing follows in a job that has ended, so for it the newest position of all serves as well as its own.
        job, token = live if live is not None else (job, self._hub.token)
        progress = self._progress(job.job_id)
        queue = encode_place(places.get(job.job_id))
        return encode_job(job, progress=progress, queue=queue, resume_token=token)

    def _progress(self, job_id: str) -> job_pb2.Progress | None:
        newest = self._hub.newest(job_id).get(Ephemeral.PROGRESS)
        return newest.progress if isinstance(newest, EphemeralEvent) else None
