"""What waiting jobs are told about their place."""

import asyncio
import itertools
from collections.abc import Sequence
from dataclasses import replace

import pytest

from imagegen_adapters.contract import ImageParameters
from imagegen_server.history import Ephemeral
from imagegen_server.hub import Hub
from imagegen_server.jobs import Job, JobSpec
from imagegen_server.running.foresight import INTERVAL_S, SHORT_QUEUE, Foresight, is_news
from imagegen_server.scheduling import Place, Situation, WaitingJob, WaitReason
from imagegen_server.scheduling.estimates import Estimator
from imagegen_server.scheduling.fairness import FairShares
from imagegen_server.scheduling.work import Work
from imagegen_server.tasks import running
from imagegen_server.tokens import TokenCodec
from tests.server.material import a_job, a_record

PLACE = Place(ahead=1, length=2, start_s=100.0, finish_s=200.0, backend="one")


@pytest.mark.parametrize(
    ("changes", "age_s", "expected"),
    [
        ({}, 0.0, False),
        ({"start_s": 90.0, "finish_s": 190.0}, 10.0, False),
        ({"start_s": 99.0}, 0.0, False),
        ({"start_s": 80.0}, 0.0, True),
        ({"start_s": None}, 0.0, True),
        ({"finish_s": 300.0}, 0.0, True),
        ({"ahead": 0}, 0.0, True),
        ({"length": 3}, 0.0, True),
        ({"backend": "two"}, 0.0, True),
        ({"reason": WaitReason.NO_BACKEND}, 0.0, True),
    ],
)
def test_a_prediction_that_comes_true_is_not_told_again(
    changes: dict[str, object], age_s: float, *, expected: bool
) -> None:
    assert is_news(replace(PLACE, **changes), PLACE, age_s) == expected  # type: ignore[arg-type]  # fields of a place


def test_what_was_never_measured_is_no_news() -> None:
    unknown = Place(ahead=0, length=1)
    assert not is_news(unknown, unknown, 1000.0)


class Bench:
    """A queue that a test fills, and a clock that it moves."""

    def __init__(self) -> None:
        self.hub = Hub(TokenCodec(b"k" * 32, 1), position=0)
        self.jobs: list[Job] = []
        self._numbers = itertools.count()
        self.now = 1000.0
        self.asked = 0
        self.foresight = Foresight(
            self.hub, situation=self.situation, queue=lambda: list(self.jobs), clock=lambda: self.now
        )

    def queue(self, count: int) -> None:
        spec = JobSpec(source=ImageParameters(prompt=""))
        self.jobs += [a_job(f"job-{next(self._numbers)}", spec=spec) for _ in range(count)]
        for job in self.jobs:
            if not self.hub.newest(job.job_id):
                self.hub.adopt(job.job_id, owner="", sequence=1)

    def situation(self) -> Situation:
        self.asked += 1
        return Situation(
            now=self.now,
            jobs=[WaitingJob(job_id=job.job_id, queue_time=1.0, work=Work()) for job in self.jobs],
            backends=[],
            accepts=lambda *_: False,
            estimator=Estimator(),
            shares=FairShares(lambda _: 1.0),
            room=lambda _: 1,
            paused=lambda _: False,
        )

    @property
    def order(self) -> Sequence[str]:
        places = self.foresight.places()
        return sorted(places, key=lambda job_id: places[job_id].ahead)


def test_a_short_queue_is_foreseen_with_every_change_and_asked_for_nothing_twice() -> None:
    bench = Bench()
    bench.queue(2)
    assert (bench.order, bench.order, bench.asked) == (["job-0", "job-1"], ["job-0", "job-1"], 1)
    bench.queue(1)
    bench.foresight.note_change()
    assert (len(bench.order), bench.asked) == (3, 2)
    bench.now += INTERVAL_S
    assert (len(bench.order), bench.asked) == (3, 3), "predicted times pass"


async def test_a_long_queue_is_foreseen_step_by_step_and_numbered_exactly() -> None:
    bench = Bench()
    bench.queue(SHORT_QUEUE + 1)
    first, last = bench.jobs[0].job_id, bench.jobs[-1].job_id
    assert (bench.order[0], bench.asked) == (first, 0), "who asks is not kept waiting"
    async with running(bench.foresight.keep_telling()):
        bench.foresight.note_change()
        while Ephemeral.QUEUE not in bench.hub.newest(last):  # noqa: ASYNC110  # it is told in the next turns
            await asyncio.sleep(0)
    del bench.jobs[0]
    bench.queue(1)
    bench.foresight.note_change()
    places = bench.foresight.places()
    assert bench.asked == 1
    assert first not in places
    assert sorted(place.ahead for place in places.values()) == list(range(SHORT_QUEUE + 1))
    assert {place.length for place in places.values()} == {SHORT_QUEUE + 1}
    assert bench.order[-1] == bench.jobs[-1].job_id


async def test_jobs_are_told_their_places() -> None:
    bench = Bench()
    bench.queue(2)
    bench.hub.publish(a_record(1, "other"))
    async with running(bench.foresight.keep_telling()):
        bench.foresight.note_change()
        while Ephemeral.QUEUE not in bench.hub.newest("job-1"):  # noqa: ASYNC110  # it is told in the next turns
            await asyncio.sleep(0)
