"""The ledger over a real database."""

import asyncio
import pickle
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from imagegen_adapters.contract import Handle, Planned
from imagegen_server.errors import Refused
from imagegen_server.happenings import (
    AttemptAccepted,
    AttemptSucceeded,
    AttemptTold,
    CancelRequested,
    Completed,
    DurableEvent,
    OutputStored,
)
from imagegen_server.history import Record, Scope
from imagegen_server.jobs import JobState
from imagegen_server.ledger import KINDS
from imagegen_server.lifecycle import InvalidHappening
from imagegen_server.stores.store import StoreError, open_store
from imagegen_server.watching import CaughtUp
from tests.server.material import PickleCodec, a_job, an_asset, began, decode_event
from tests.server.workplace import Workplace, open_workplace

PLANNED = AttemptTold(number=1, update=Planned(images=1))


async def run_to_its_end(place: Workplace, job_id: str = "job-1") -> None:
    job = await place.ledger.get(job_id)
    await place.ledger.apply(job_id, began(job))
    await place.ledger.apply(job_id, OutputStored(number=1, asset=an_asset()))
    await place.ledger.apply(job_id, AttemptSucceeded(number=1))


async def events_of(place: Workplace, job_id: str = "job-1") -> list[DurableEvent]:
    records = await place.store.events_after(0, Scope(job_ids=frozenset({job_id})))
    return [decode_event(record.data)[0] for record in records]


async def break_the_disk(place: Workplace) -> None:
    """From now on events cannot be written."""
    await place.store._writer.call(lambda c: c.exec_driver_sql("ALTER TABLE events RENAME TO away"))


async def repair_the_disk(place: Workplace) -> None:
    await place.store._writer.call(lambda c: c.exec_driver_sql("ALTER TABLE away RENAME TO events"))


async def test_a_job_lasts_from_its_creation_to_its_end(workplace: Workplace) -> None:
    job, replayed = await workplace.ledger.create(a_job())
    assert not replayed
    assert (job.sequence, workplace.ledger.committed("job-1")) == (1, job)
    await run_to_its_end(workplace)
    assert workplace.ledger.committed("job-1") is None
    ended = await workplace.ledger.get("job-1")
    assert ended.state is JobState.SUCCEEDED
    events = await events_of(workplace)
    assert [event.sequence for event in events] == list(range(1, ended.sequence + 1))
    assert events[-1].payload == Completed(job=ended)


async def test_every_event_carries_the_token_of_its_own_position(workplace: Workplace) -> None:
    await workplace.ledger.create(a_job())
    await run_to_its_end(workplace)
    for record in await workplace.store.events_after(0, Scope()):
        assert workplace.tokens.decode(decode_event(record.data)[1]) == record.position


async def test_all_kinds_of_events_have_a_name() -> None:
    assert len(set(KINDS.values())) == len(KINDS) == 8


async def test_what_cannot_happen_changes_nothing(workplace: Workplace) -> None:
    job, _ = await workplace.ledger.create(a_job())
    with pytest.raises(InvalidHappening):
        await workplace.ledger.apply("job-1", AttemptSucceeded(number=1))
    assert workplace.ledger.committed("job-1") == job


async def test_an_ended_job_takes_a_cancel_and_nothing_else(workplace: Workplace) -> None:
    await workplace.ledger.create(a_job())
    await run_to_its_end(workplace)
    ended = await workplace.ledger.apply("job-1", CancelRequested())
    assert ended.state is JobState.SUCCEEDED
    with pytest.raises(InvalidHappening):
        await workplace.ledger.apply("job-1", AttemptSucceeded(number=1))


async def test_nobody_is_told_before_it_is_stored(workplace: Workplace) -> None:
    creating = asyncio.create_task(workplace.ledger.create(a_job()))
    await asyncio.sleep(0)
    assert workplace.ledger.committed("job-1") is None
    assert workplace.ledger.unfinished() == []
    assert workplace.hub.position == 0
    await creating
    assert workplace.hub.position == 1


async def test_happenings_at_the_same_time_are_stored_in_their_order(workplace: Workplace) -> None:
    job, _ = await workplace.ledger.create(a_job())
    await asyncio.gather(
        workplace.ledger.apply("job-1", began(job)),
        workplace.ledger.apply("job-1", AttemptAccepted(number=1, handle=Handle(remote_id="r"))),
        workplace.ledger.apply("job-1", PLANNED),
        workplace.ledger.apply("job-1", CancelRequested()),
        workplace.ledger.apply("job-1", CancelRequested()),
        workplace.ledger.apply("job-1", AttemptSucceeded(number=1)),
    )
    events = await events_of(workplace)
    assert [event.sequence for event in events] == list(range(1, 7))
    assert (await workplace.ledger.get("job-1")).attempts[0].handle.remote_id == "r"


async def test_jobs_in_memory_are_those_that_have_not_ended(workplace: Workplace) -> None:
    for name, owner in (("a", "ann"), ("b", "bob")):
        await workplace.ledger.create(a_job(name, owner=owner, request_id="same"))
    assert [job.job_id for job in workplace.ledger.unfinished()] == ["a", "b"]
    assert [job.job_id for job in workplace.ledger.unfinished(Scope(owner="bob"))] == ["b"]
    await run_to_its_end(workplace, "a")
    assert [job.job_id for job in workplace.ledger.unfinished()] == ["b"]
    assert set(workplace.ledger._requests) == {("bob", "same")}


async def test_a_snapshot_and_its_token_belong_together(workplace: Workplace) -> None:
    job, _ = await workplace.ledger.create(a_job())
    assert workplace.ledger.snapshot("job-1") == (job, workplace.tokens.encode(1))
    assert workplace.ledger.snapshot("nobody") is None


async def test_an_unknown_job_is_not_found(workplace: Workplace) -> None:
    for call in (
        workplace.ledger.get("nobody"),
        workplace.ledger.apply("nobody", CancelRequested()),
        workplace.ledger.delete("nobody"),
    ):
        with pytest.raises(Refused) as refusal:
            await call
        assert refusal.value.reason == "JOB_NOT_FOUND"


async def test_a_job_is_deleted_after_its_end_only(workplace: Workplace) -> None:
    await workplace.ledger.create(a_job(request_id="r"))
    with pytest.raises(Refused) as refusal:
        await workplace.ledger.delete("job-1")
    assert refusal.value.reason == "JOB_NOT_FINISHED"
    await run_to_its_end(workplace)
    await workplace.ledger.delete("job-1")
    with pytest.raises(Refused):
        await workplace.ledger.get("job-1")
    _, replayed = await workplace.ledger.create(a_job("job-2", request_id="r"))
    assert not replayed


class TestRequestIds:
    async def test_the_same_request_gives_the_same_job(self, workplace: Workplace) -> None:
        job, _ = await workplace.ledger.create(a_job(request_id="r"), b"body")
        assert await workplace.ledger.create(a_job("job-2", request_id="r"), b"body") == (job, True)

    async def test_also_after_its_end_and_a_restart(self, database: str) -> None:
        async with open_workplace(database) as place:
            await place.ledger.create(a_job("live", request_id="live"), b"body")
            await place.ledger.create(a_job(request_id="r"), b"body")
            await run_to_its_end(place)
            ended, replayed = await place.ledger.create(a_job("job-2", request_id="r"), b"body")
            assert (ended.job_id, ended.state, replayed) == ("job-1", JobState.SUCCEEDED, True)
        async with open_workplace(database) as place:
            for request_id, job_id in (("r", "job-1"), ("live", "live")):
                again, replayed = await place.ledger.create(a_job("job-3", request_id=request_id), b"body")
                assert (again.job_id, replayed) == (job_id, True)

    async def test_another_body_is_refused(self, workplace: Workplace) -> None:
        await workplace.ledger.create(a_job(request_id="r"), b"body")
        with pytest.raises(Refused) as refusal:
            await workplace.ledger.create(a_job("job-2", request_id="r"), b"other")
        assert refusal.value.reason == "REQUEST_ID_REUSED"

    async def test_another_owner_may_use_the_same(self, workplace: Workplace) -> None:
        await workplace.ledger.create(a_job("a", owner="ann", request_id="r"), b"body")
        _, replayed = await workplace.ledger.create(a_job("b", owner="bob", request_id="r"), b"other")
        assert not replayed

    async def test_two_calls_at_once_make_one_job(self, workplace: Workplace) -> None:
        calls = [workplace.ledger.create(a_job(f"job-{n}", request_id="r"), b"body") for n in range(10)]
        answers = await asyncio.gather(*calls)
        assert len({job.job_id for job, _ in answers}) == 1
        assert sorted(replayed for _, replayed in answers) == [False] + [True] * 9
        assert len(workplace.ledger.unfinished()) == 1

    async def test_a_caller_that_hangs_up_leaves_one_job(self, workplace: Workplace) -> None:
        first = asyncio.create_task(workplace.ledger.create(a_job(request_id="r"), b"body"))
        while not workplace.ledger._requests:  # noqa: ASYNC110  # there is no event to wait for
            await asyncio.sleep(0)
        first.cancel()
        job, replayed = await workplace.ledger.create(a_job("job-2", request_id="r"), b"body")
        assert (job.job_id, replayed) == ("job-1", True)
        with pytest.raises(asyncio.CancelledError):
            await first


async def test_a_caller_that_stops_waiting_takes_nothing_back(workplace: Workplace) -> None:
    job, _ = await workplace.ledger.create(a_job())
    impatient = asyncio.create_task(workplace.ledger.apply("job-1", began(job)))
    await asyncio.sleep(0)
    impatient.cancel()
    cancelling = await workplace.ledger.apply("job-1", CancelRequested())
    assert cancelling.state is JobState.CANCELLING
    assert [event.sequence for event in await events_of(workplace)] == [1, 2, 3, 4]


async def test_a_second_cancel_waits_until_the_first_is_stored(workplace: Workplace) -> None:
    job, _ = await workplace.ledger.create(a_job())
    await workplace.ledger.apply("job-1", began(job))
    first = asyncio.create_task(workplace.ledger.apply("job-1", CancelRequested()))
    await asyncio.sleep(0)
    second = await workplace.ledger.apply("job-1", CancelRequested())
    assert workplace.ledger.committed("job-1") == second
    assert await first == second


async def test_a_failed_write_is_told_taken_back_and_not_published(workplace: Workplace) -> None:
    job, _ = await workplace.ledger.create(a_job())
    async with workplace.watch(token=workplace.hub.token) as items:
        assert isinstance(await anext(items), CaughtUp)
        await break_the_disk(workplace)
        results = await asyncio.gather(
            workplace.ledger.apply("job-1", began(job)),
            workplace.ledger.apply("job-1", PLANNED),
            workplace.ledger.create(a_job("job-2", request_id="r")),
            return_exceptions=True,
        )
        assert [type(result) for result in results] == [StoreError] * 3
        assert workplace.ledger.committed("job-1") == job
        assert workplace.hub.position == 1
        await repair_the_disk(workplace)
        running = await workplace.ledger.apply("job-1", began(job))
        assert running.sequence == 3
        _, replayed = await workplace.ledger.create(a_job("job-2", request_id="r"))
        assert not replayed
        told = [await anext(items) for _ in range(3)]
    assert [(item.job_id, item.sequence) for item in told if isinstance(item, Record)] == [
        ("job-1", 2), ("job-1", 3), ("job-2", 1),
    ]  # fmt: skip


async def test_a_replay_of_a_create_that_failed_fails_too(workplace: Workplace) -> None:
    await break_the_disk(workplace)
    calls = [workplace.ledger.create(a_job(f"job-{n}", request_id="r")) for n in range(2)]
    assert [type(result) for result in await asyncio.gather(*calls, return_exceptions=True)] == [StoreError] * 2


async def test_a_new_process_goes_on_where_the_old_one_stopped(database: str) -> None:
    async with open_workplace(database) as place:
        await place.ledger.create(a_job("ended"))
        await run_to_its_end(place, "ended")
        job, _ = await place.ledger.create(a_job())
        await place.ledger.apply("job-1", began(job))
        position = place.hub.position
    async with open_workplace(database) as place:
        assert place.hub.position == position
        assert [job.job_id for job in place.ledger.unfinished()] == ["job-1"]
        await place.ledger.apply("job-1", AttemptSucceeded(number=1))
        assert place.hub.position == position + 1
        assert [event.sequence for event in await events_of(place)] == [1, 2, 3, 4]


WRITER = """
import asyncio, sys
from tests.server.material import a_job, began
from tests.server.workplace import open_workplace

async def main():
    async with open_workplace(sys.argv[1]) as place:
        async def write(number):
            job, _ = await place.ledger.create(a_job(f"job-{number}"))
            print(job.job_id, job.sequence, flush=True)
            job = await place.ledger.apply(job.job_id, began(job))
            print(job.job_id, job.sequence, flush=True)
        for start in range(0, 100000, 10):
            await asyncio.gather(*(write(start + n) for n in range(10)))

asyncio.run(main())
"""


def test_what_was_acknowledged_survives_a_kill(database: str, tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", WRITER, database], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    acknowledged = [process.stdout.readline() for _ in range(200)]
    process.send_signal(signal.SIGKILL)
    acknowledged += process.stdout.readlines()
    process.stdout.close()
    assert process.wait() == -signal.SIGKILL
    whole = [line.split() for line in acknowledged if line.endswith("\n")]
    assert len(whole) >= 200

    connection = sqlite3.connect(tmp_path / "imagegen.db")
    stored = set(connection.execute("SELECT job_id, sequence FROM events"))
    records = dict(connection.execute("SELECT job_id, record FROM jobs"))
    connection.close()
    for job_id, sequence in whole:
        assert (job_id, int(sequence)) in stored
        assert pickle.loads(records[job_id]).sequence >= int(sequence)


async def test_a_closed_ledger_takes_nothing(database: str) -> None:
    async with open_workplace(database) as place:
        pass
    with pytest.raises(StoreError):
        await place.ledger.create(a_job(request_id=""))
    assert place.ledger.unfinished() == []
    async with open_store(database, PickleCodec()) as store:
        assert await store.unfinished_jobs() == []
