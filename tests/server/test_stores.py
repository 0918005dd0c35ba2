import asyncio
import sqlite3
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from imagegen_adapters.contract import ImageParameters, RawGraph
from imagegen_server.errors import CannotStart
from imagegen_server.history import Record, Scope
from imagegen_server.jobs import AssetOrigin, Ending, Job, JobSpec, JobState, Move, MoveKind, Slice
from imagegen_server.stores.database import open_database
from imagegen_server.stores.schema import metadata
from imagegen_server.stores.store import AssetFilter, JobFilter, JobWrite, Store, StoreError, open_store
from imagegen_server.wire.jobs import JobCodec
from tests.server.material import DIGEST, FAILURE, PickleCodec, a_job, a_record, an_asset

DATABASES = Path(__file__).parent / "databases"


async def write(store: Store, *writes: JobWrite) -> None:
    """Submits all at once and waits for the last."""
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    errors: list[StoreError | None] = []

    def settle(error: StoreError | None) -> None:
        errors.append(error)
        if len(errors) == len(writes):
            done.set_result(None)

    for one in writes:
        store.submit(one, settle)
    await done
    for error in errors:
        if error is not None:
            raise error


def new(job: Job, position: int, digest: bytes = b"") -> JobWrite:
    record = a_record(position, job.job_id, sequence=1, kind="state_changed", owner=job.owner)
    return JobWrite(job=job, records=(record,), is_new=True, request_digest=digest)


def ended(job: Job, position: int, *, sequence: int = 2, end_time: float = 2000.0) -> JobWrite:
    job = Job(
        job_id=job.job_id, spec=job.spec, state=JobState.SUCCEEDED, create_time=1000.0, end_time=end_time,
        owner=job.owner, request_id=job.request_id,
    )  # fmt: skip
    record = a_record(position, job.job_id, sequence=sequence, kind="completed", owner=job.owner)
    return JobWrite(job=job, records=(record,))


async def test_an_empty_database_gets_the_tables_that_the_code_expects(database: str) -> None:
    engine = open_database(database)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
    engine.dispose()


async def test_what_an_older_version_has_stored_is_there(database: str, tmp_path: Path) -> None:
    """`0001.sql` is the folder of a killed server: a job that had ended, one that ran, one that waited."""
    with sqlite3.connect(tmp_path / "imagegen.db") as old:
        old.executescript((DATABASES / "0001.sql").read_text())
    old.close()
    engine = open_database(database)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()
    async with open_store(database, JobCodec()) as store:
        running, waiting = (stored.job for stored in await store.unfinished_jobs())
        (attempt,), (output,) = running.attempts, running.outputs
        assert (running.state, attempt.slice, attempt.handle.remote_id) == (
            JobState.RUNNING, Slice(count=2), attempt.attempt_id,
        )  # fmt: skip
        assert (output.seed, output.image_index) == (8, 0)
        assert (waiting.state, waiting.queue_time, waiting.missing) == (
            JobState.QUEUED, waiting.create_time, (Slice(count=1),),
        )  # fmt: skip
        (made,) = (await store.list_jobs(JobFilter(label="album=forest"), limit=9))[0]
        assert (made.state, len(made.outputs), made.attempts[0].slice) == (JobState.SUCCEEDED, 2, Slice(count=2))
        assert [each.job_id for each in await store.oldest_uncompacted(limit=9)] == [made.job_id]
        assert [record.sequence for record in await store.events_after(0, Scope())] == [*range(1, 7), *range(1, 5), 1]
        upload, *_ = (await store.list_assets(AssetFilter(origin=AssetOrigin.UPLOAD), limit=9))[0]
        assert await store.is_asset_in_use(upload.asset.digest)
        outputs = await store.oldest_assets(limit=9)
        assert [asset.kept_since for asset in outputs] == [each.asset.create_time for each in made.outputs]


async def test_a_database_of_a_newer_version_is_left_alone(database: str, tmp_path: Path) -> None:
    open_database(database).dispose()
    with sqlite3.connect(tmp_path / "imagegen.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(CannotStart, match="9999"):
        open_database(database)


@pytest.mark.parametrize("url", ["nonsense", "sqlite:////does/not/exist/imagegen.db"])
async def test_a_database_that_cannot_be_opened_is_named(url: str) -> None:
    with pytest.raises(CannotStart):
        async with open_store(url, PickleCodec()):
            pass


async def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "imagegen.db"
    path.write_text("this is no database, but it is long enough to look at" * 100)
    with pytest.raises(CannotStart, match="not a database"):
        open_database(f"sqlite:///{path}")


def test_the_database_is_for_its_owner_only(database: str, tmp_path: Path) -> None:
    open_database(database).dispose()
    modes = {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.glob("imagegen.db*")}
    assert modes == {0o600}


async def test_a_data_folder_keeps_its_identity_and_others_have_another(database: str, tmp_path: Path) -> None:
    async with open_store(database, PickleCodec()) as store:
        first = (store.epoch, store.token_key)
    async with open_store(database, PickleCodec()) as store:
        assert (store.epoch, store.token_key) == first
    async with open_store(f"sqlite:///{tmp_path / 'other.db'}", PickleCodec()) as store:
        assert store.epoch != first[0]
        assert store.token_key != first[1]


async def test_a_job_is_found_as_it_was_written(store: Store) -> None:
    job = a_job(owner="ann", request_id="r1")
    await write(store, new(job, 1, b"digest"))
    stored = await store.get_job("job-1")
    assert stored is not None
    assert (stored.job, stored.request_digest) == (job, b"digest")
    assert (stored.first_position, stored.end_position) == (1, None)
    assert await store.find_request("ann", "r1") == stored
    assert await store.find_request("bob", "r1") is None
    assert await store.get_job("nobody") is None
    assert await store.unfinished_jobs() == [stored]


async def test_a_batch_leaves_the_newest_version_and_all_events(store: Store) -> None:
    job = a_job()
    changed = JobWrite(job=job, records=(a_record(2, sequence=2),))
    await write(store, new(job, 1), changed, JobWrite(job=job, records=()), ended(job, 3, sequence=3))
    stored = await store.get_job("job-1")
    assert stored is not None
    assert stored.job.state is JobState.SUCCEEDED
    assert stored.end_position == 3
    assert await store.unfinished_jobs() == []
    assert [record.sequence for record in await store.events_after(0, Scope())] == [1, 2, 3]


async def test_jobs_without_a_request_id_do_not_collide(store: Store) -> None:
    await write(store, new(a_job("a"), 1), new(a_job("b"), 2))
    assert len(await store.unfinished_jobs()) == 2


async def test_events_are_read_by_position_scope_and_page(store: Store) -> None:
    a, b = a_job("a", owner="ann"), a_job("b", owner="bob")
    await write(store, new(a, 1), new(b, 2), ended(a, 3), ended(b, 5))

    async def positions(after: int, scope: Scope, until: int | None = None, limit: int = 500) -> list[int]:
        return [record.position for record in await store.events_after(after, scope, until=until, limit=limit)]

    assert await positions(0, Scope()) == [1, 2, 3, 5]
    assert await positions(1, Scope(), until=3) == [2, 3]
    assert await positions(0, Scope(), limit=2) == [1, 2]
    assert await positions(0, Scope(job_ids=frozenset({"b"}))) == [2, 5]
    assert await positions(0, Scope(owner="ann")) == [1, 3]
    assert await positions(0, Scope(job_ids=frozenset())) == []
    (last,) = await store.events_after(3, Scope())
    assert last == Record(position=5, job_id="b", owner="bob", sequence=2, kind="completed", data=b"")


async def test_jobs_are_listed_newest_first_page_by_page(store: Store) -> None:
    await write(store, *[new(a_job(f"job-{number}"), number) for number in range(1, 6)])
    page, before = await store.list_jobs(JobFilter(), limit=2)
    assert [job.job_id for job in page] == ["job-5", "job-4"]
    page, before = await store.list_jobs(JobFilter(), limit=2, before=before)
    assert [job.job_id for job in page] == ["job-3", "job-2"]
    page, before = await store.list_jobs(JobFilter(), limit=2, before=before)
    assert ([job.job_id for job in page], before) == (["job-1"], None)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (JobFilter(), {"fox", "owl", "graph"}),
        (JobFilter(states=frozenset({JobState.SUCCEEDED})), {"owl"}),
        (JobFilter(states=frozenset({JobState.SUCCEEDED, JobState.QUEUED})), {"fox", "owl", "graph"}),
        (JobFilter(owner="ann"), {"fox"}),
        (JobFilter(label="album"), {"fox", "owl"}),
        (JobFilter(label="album=forest"), {"fox"}),
        (JobFilter(label="album="), {"owl"}),
        (JobFilter(label="forest"), set()),
        (JobFilter(text="RED F"), {"fox"}),
        (JobFilter(text="EULE BEI ÜBER"), {"owl"}),
        (JobFilter(text="100%"), {"owl"}),
        (JobFilter(text="r_d"), set()),
        (JobFilter(text="red", owner="bob"), set()),
    ],
)
async def test_jobs_are_filtered(store: Store, wanted: JobFilter, found: set[str]) -> None:
    owl = a_job("owl", prompt="Eule bei über 100% Mond", labels={"album": ""})
    await write(
        store,
        new(a_job("fox", prompt="a Red fox", owner="ann", labels={"album": "forest"}), 1),
        new(owl, 2),
        new(a_job("graph", spec=JobSpec(source=RawGraph(json="{}"))), 3),
        ended(owl, 4),
    )
    jobs, before = await store.list_jobs(wanted, limit=10)
    assert {job.job_id for job in jobs} == found
    assert before is None


async def test_only_ended_jobs_are_deleted_and_their_positions_are_never_used_again(database: str) -> None:
    async with open_store(database, PickleCodec()) as store:
        job = a_job(labels={"album": "forest"})
        await write(store, new(job, 1))
        assert await store.delete_ended(["job-1", "nobody"]) == 0
        await write(store, ended(job, 2))
        assert await store.delete_ended(["job-1", "nobody"]) == 1
        assert await store.delete_ended(["job-1"]) == 0
        assert await store.get_job("job-1") is None
        assert await store.events_after(0, Scope()) == []
    async with open_store(database, PickleCodec()) as store:
        assert store.last_position == 2


async def test_compacted_jobs_keep_their_last_event_and_set_the_horizon_of_those_who_watch_them(store: Store) -> None:
    old, young, live = a_job("old"), a_job("young"), a_job("live")
    await write(store, new(live, 1), new(old, 2), new(young, 3), ended(old, 4), ended(young, 6))
    old_one, young_one = await store.oldest_uncompacted(limit=9)
    assert (old_one.job_id, young_one.job_id) == ("old", "young")
    assert await store.compact([old_one]) == 1
    assert [record.position for record in await store.events_after(0, Scope())] == [1, 3, 4, 6]
    assert await store.oldest_uncompacted(limit=9) == [young_one]

    async def horizon(*job_ids: str) -> int:
        return await store.horizon(Scope(job_ids=frozenset(job_ids) or None))

    assert (await horizon(), await horizon("old"), await horizon("young"), await horizon("live")) == (3, 3, 0, 0)
    assert await horizon("live", "old", "young") == 3
    await store.delete_ended(["old"])
    assert (await horizon(), await horizon("old"), await horizon("young")) == (4, 0, 0)
    await store.compact([young_one])
    assert (await horizon(), await horizon("old"), await horizon("young"), await horizon("live")) == (5, 0, 5, 0)


async def test_labels_follow_an_update(store: Store) -> None:
    def labelled(position: int, **labels: str) -> JobWrite:
        job = a_job(labels=labels)
        return JobWrite(job=job, records=(a_record(position, kind="updated"),))

    async def found(label: str) -> bool:
        return bool((await store.list_jobs(JobFilter(label=label), limit=9))[0])

    await write(store, new(a_job(labels={"album": "forest", "kind": "draft"}), 1))
    await write(store, labelled(2, album="lake"), labelled(3, album="lake", mood="calm"))
    assert [await found(label) for label in ("album=forest", "kind", "album=lake", "mood=calm")] == [
        False, False, True, True,
    ]  # fmt: skip
    await write(
        store,
        new(a_job("other"), 4),
        JobWrite(job=a_job("other", labels={"a": "b"}), records=(a_record(5, "other", sequence=2, kind="updated"),)),
    )
    assert await found("a=b")


async def test_a_job_is_stored_with_its_place_and_its_ending(database: str) -> None:
    """Through the bytes that are really stored, and a new process."""
    moved = a_job("moved", is_paused=True, lined_up=1500.0, move=Move(kind=MoveKind.AFTER, time=1600.0, anchor="other"))
    stopping = replace(
        a_job("stopping"), state=JobState.CANCELLING, ending=Ending(state=JobState.EXPIRED, failure=FAILURE)
    )
    async with open_store(database, JobCodec()) as store:
        await write(store, new(moved, 1), new(stopping, 2))
    async with open_store(database, JobCodec()) as store:
        assert [stored.job for stored in await store.unfinished_jobs()] == [moved, stopping]


async def test_a_failed_write_fails_what_was_submitted_until_then_and_nothing_later(store: Store) -> None:
    await write(store, new(a_job("a"), 1))
    with pytest.raises(StoreError, match="IntegrityError"):
        await write(store, new(a_job("b"), 2), new(a_job("c"), 1), new(a_job("d"), 3))
    assert [stored.job.job_id for stored in await store.unfinished_jobs()] == ["a"]
    await write(store, new(a_job("d"), 3))
    assert len(await store.unfinished_jobs()) == 2


async def test_errors_come_in_the_order_of_submission(store: Store) -> None:
    told: list[tuple[str, bool]] = []
    for name, position in (("a", 1), ("b", 1), ("c", 2), ("d", 3)):
        store.submit(new(a_job(name), position), lambda error, name=name: told.append((name, error is None)))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
    with pytest.raises(StoreError):
        # Submitted behind a write that fails.
        await store.delete_ended(["a"])
    assert [name for name, _ in told] == ["a", "b", "c", "d"]
    assert not any(good for _, good in told[1:])


async def test_a_full_disk_is_told_and_passes(tmp_path: Path, store: Store) -> None:
    await write(store, new(a_job("a"), 1))
    full = sqlite3.connect(tmp_path / "imagegen.db")
    pages = full.execute("PRAGMA page_count").fetchone()[0]
    full.close()
    await store._writer.call(lambda c: c.exec_driver_sql(f"PRAGMA max_page_count={pages}").scalar())
    big = a_job("big", spec=JobSpec(source=ImageParameters(prompt="x" * 1_000_000)))
    with pytest.raises(StoreError, match="OperationalError"):
        await write(store, new(big, 2))
    await write(store, new(a_job("small"), 3))
    assert await store.get_job("big") is None


async def test_what_is_queued_is_written_when_the_store_closes(database: str) -> None:
    async with open_store(database, PickleCodec()) as store:
        for number in range(1, 101):
            store.submit(new(a_job(f"job-{number}"), number), lambda _: None)
    async with open_store(database, PickleCodec()) as store:
        assert len(await store.unfinished_jobs()) == 100
        assert store.last_position == 100


async def test_a_closed_store_takes_nothing(database: str) -> None:
    async with open_store(database, PickleCodec()) as store:
        pass
    with pytest.raises(StoreError, match="closed"):
        await write(store, new(a_job(), 1))


async def test_an_asset_that_is_put_again_counts_as_young(store: Store) -> None:
    first, second = an_asset("11" * 32, create_time=100.0), an_asset("22" * 32, create_time=200.0)
    for asset in (first, second):
        await store.put_asset(asset)
    oldest, _ = read = await store.oldest_assets(limit=9)
    assert [asset.digest for asset in read] == [first.digest, second.digest]
    assert await store.oldest_assets(limit=9, after=oldest) == read[1:]
    await store.put_asset(an_asset(first.digest, create_time=300.0))
    assert [asset.digest for asset in await store.oldest_assets(limit=9)] == [second.digest, first.digest]
    assert await store.retire_assets(read) == [second.digest], "what was put again meanwhile stays"
    entry = await store.get_asset(first.digest)
    assert entry is not None
    assert entry.asset == first
    assert await store.total_asset_bytes() == first.size_bytes
    assert await store.unknown_digests([first.digest, second.digest]) == {second.digest}


async def test_assets_are_kept_once(store: Store) -> None:
    first = an_asset(job_id="a")
    assert await store.put_asset(first) == first
    assert await store.put_asset(an_asset(job_id="b", create_time=5000.0)) == first
    entry = await store.get_asset(DIGEST)
    assert entry is not None
    assert entry.asset == first
    assert await store.get_asset("cd" * 32) is None


async def test_an_asset_is_needed_until_its_job_has_ended(store: Store) -> None:
    spec = JobSpec(source=ImageParameters(prompt="", init_image=DIGEST))
    job = a_job(spec=spec)
    await store.put_asset(an_asset())
    await write(store, new(job, 1))
    assert await store.is_asset_in_use(DIGEST)
    assert not await store.delete_asset(DIGEST)
    assert await store.oldest_assets(limit=9) == []
    await write(store, ended(job, 2))
    assert not await store.is_asset_in_use(DIGEST)
    assert await store.delete_asset(DIGEST)
    assert not await store.delete_asset(DIGEST)


async def test_a_value_is_kept_under_its_name(database: str) -> None:
    async with open_store(database, PickleCodec()) as store:
        assert await store.get_value("speeds") is None
        await store.set_value("speeds", b"1")
        await store.set_value("pauses", b"")
        await store.set_value("speeds", b"2" * 1024 * 1024)
        with pytest.raises(StoreError, match="too large"):
            await store.set_value("speeds", b"2" * 1024 * 1024 + b"2")
    async with open_store(database, PickleCodec()) as store:
        assert await store.get_value("speeds") == b"2" * 1024 * 1024
        assert await store.get_value("pauses") == b""


async def test_a_reader_that_fails_says_so(store: Store, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "imagegen.db") as connection:
        connection.execute("DROP TABLE job_labels")
    connection.close()
    with pytest.raises(StoreError, match="could not read"):
        await store.list_jobs(JobFilter(label="album"), limit=1)
