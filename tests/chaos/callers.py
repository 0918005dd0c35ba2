"""Those who use the service: they hand jobs in, and wish for this and that while the jobs are under way."""

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

from imagegen.v1.job_pb2 import JobState
from imagegen_client import Client, ImagegenError
from tests.chaos.evidence import Accepted, Evidence, Hold, HoldKind
from tests.chaos.plan import PlannedJob, Way, Wish, WishKind
from tests.chaos.specs import spec_of
from tests.chaos.ways import WayIn

_TOO_LATE = frozenset({"JOB_FINISHED", "JOB_NOT_QUEUED"})
_LOOK_INTERVAL_S = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """One owner."""

    client: Client
    ways: Mapping[Way, WayIn]
    picture: str
    """Digest of the picture that image-to-image begins with."""
    run: str
    """Makes the request ids those of this run; they are the same for every owner."""
    evidence: Evidence

    async def hand_in(self, job: PlannedJob) -> Accepted:
        """Raises ImagegenError, TimeoutError."""
        accepted = Accepted(planned=job, job_id=await self._create(job))
        self.evidence.accepted.append(accepted)
        return accepted

    async def fulfil(self, wish: Wish, accepted: Accepted) -> None:
        """Raises ImagegenError for a refusal that has no excuse, TimeoutError."""
        await asyncio.sleep(wish.after_s)
        try:
            await self._ask(wish, accepted)
        except ImagegenError as error:
            if error.reason not in _TOO_LATE:
                raise
            self.evidence.too_late[wish.kind] += 1
        else:
            self.evidence.granted[wish.kind] += 1

    async def _ask(self, wish: Wish, accepted: Accepted) -> None:
        way, job_id = self.ways[wish.way], accepted.job_id
        match wish.kind:
            case WishKind.CANCEL:
                # Noted before: the cancel may take effect although its answer is lost.
                accepted.is_cancel_accepted = True
                await way.cancel(job_id)
            case WishKind.REPEAT:
                accepted.repeated_as.append(await self._create(accepted.planned))
            case WishKind.PAUSE:
                await self._pause(wish, job_id)
            case WishKind.MOVE:
                others = [each.job_id for each in self.evidence.accepted if each is not accepted]
                if others:
                    await way.move(job_id, wish.to, others[-1])
            case WishKind.RETRY:
                await self._retry(wish, accepted)

    async def _create(self, job: PlannedJob) -> str:
        return await self.ways[job.way].create(spec_of(job, self.picture), f"{self.run}-{job.turn}")

    async def _pause(self, wish: Wish, job_id: str) -> None:
        way = self.ways[wish.way]
        await way.pause(job_id, is_paused=True)
        begin = time.time()
        await asyncio.sleep(wish.seconds)
        self.evidence.holds.append(Hold(kind=HoldKind.JOB, name=job_id, begin=begin, end=time.time()))
        await way.pause(job_id, is_paused=False)

    async def _retry(self, wish: Wish, accepted: Accepted) -> None:
        while not await self._has_ended(accepted.job_id):  # noqa: ASYNC110  # another process
            await asyncio.sleep(_LOOK_INTERVAL_S)
        request_id = f"{self.run}-retry-{accepted.planned.turn}"
        with suppress(TimeoutError):
            async with asyncio.timeout(wish.seconds):
                await self.ways[wish.way].retry(accepted.job_id, request_id, new_seeds=wish.new_seeds)
        job_id, again = [
            await way.retry(accepted.job_id, request_id, new_seeds=wish.new_seeds) for way in self.ways.values()
        ]
        retried = Accepted(
            planned=replace(accepted.planned, wishes=(), watch=None),
            job_id=job_id,
            repeated_as=[again],
            retry_of=accepted.job_id,
            has_new_seeds=wish.new_seeds,
        )
        self.evidence.accepted.append(retried)

    async def _has_ended(self, job_id: str) -> bool:
        job = await self.client.get_job(job_id)
        return job.state >= JobState.JOB_STATE_SUCCEEDED
