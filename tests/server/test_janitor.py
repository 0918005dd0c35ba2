"""What is tidied up, over real files and a real database, and what watchers hear of it."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp
import grpc
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from imagegen.v1 import image_gen_pb2 as pb
from imagegen_gateway.app import serve_gateway
from imagegen_gateway.config import GatewaySettings
from imagegen_server.errors import Refused
from imagegen_server.history import Record, Scope, Start
from imagegen_server.janitor import Tidied
from imagegen_server.jobs import AssetOrigin
from imagegen_server.retention import GRACE_S
from imagegen_server.watching import CaughtUp, Reset, Snapshot, watch
from tests.gateway.sse import watch as watch_sse
from tests.server.household import Household, open_household
from tests.server.scripted import ScriptedAdapter, ScriptedRun, picture
from tests.server.serving import RHYTHM, Caller, kinds, refusal_of, serving

LATER_S = GRACE_S + 1.0


@pytest.fixture
async def household(tmp_path: Path) -> AsyncIterator[Household]:
    async with open_household(tmp_path) as household:
        yield household


# --- jobs ------------------------------------------------------------------------------------------------------------


async def test_the_newest_ended_jobs_stay_and_all_that_have_not_ended(household: Household) -> None:
    live = await household.begin()
    await asyncio.gather(*(household.run() for _ in range(110)))
    ended = [await household.run() for _ in range(10)]
    assert await household.tidy(keep_jobs=10) == Tidied(jobs=110)
    assert await household.kept_jobs() == [live, *ended]
    told = {record.job_id for record in await household.store.events_after(0, Scope(), limit=1000)}
    assert told == {live, *ended}
    assert await household.tidy(keep_jobs=10) == Tidied()
    assert len(await household.kept_assets()) == 120, "their pictures stay"


async def test_old_jobs_go_and_their_events_before_them(household: Household) -> None:
    first = await household.run()
    household.clock.now += 100.0
    second = await household.run()
    household.clock.now += 100.0
    assert await household.tidy(keep_jobs_s=150.0, keep_events_s=50.0) == Tidied(jobs=1, events=4)
    assert await household.kept_jobs() == [second]
    assert first not in await household.kept_jobs()
    assert [record.kind for record in await household.store.events_after(0, Scope())] == ["completed"]


async def test_the_database_stops_growing(household: Household) -> None:
    """SQLite uses the room again that deleted rows have left."""

    async def a_day() -> int:
        begun = await asyncio.gather(*(household.begin() for _ in range(60)))
        await asyncio.gather(*(household.end(job_id) for job_id in begun))
        await household.tidy(keep_jobs=20)
        with sqlite3.connect(household.folder / "imagegen.db") as connection:
            pages: int = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.close()
        return pages

    days = [await a_day() for _ in range(6)]
    assert max(days[3:]) < 1.1 * max(days[:3]), f"pages: {days}"


# --- assets ----------------------------------------------------------------------------------------------------------


async def test_old_assets_go_unless_something_needs_them(household: Household) -> None:
    unused, wanted, held, again = [await household.upload() for _ in range(4)]
    live = await household.begin(init_image=wanted.digest, count=2)
    partial = await household.deliver(live)
    result = (await household.ledger.get(await household.run())).outputs[0].asset
    household.clock.now += LATER_S
    await household.upload(shade=1)
    assert (await household.assets.put(picture(4, (1, 1)), origin=AssetOrigin.UPLOAD)) == again
    async with household.assets.holding([held.digest]):
        done = await household.tidy(keep_assets_s=LATER_S / 2)
    assert done.assets == 2
    gone = {unused.digest, result.digest}
    assert not gone & await household.kept_assets()
    assert {wanted.digest, held.digest, again.digest, partial.digest} <= await household.kept_assets()
    with pytest.raises(Refused):
        await household.assets.get(unused.digest)
    await household.deliver(live)
    await household.end(live)
    assert (await household.tidy(keep_assets_s=LATER_S / 2)).assets == 3, "input, held one and the first picture"


async def test_assets_go_until_the_rest_fits(household: Household) -> None:
    """Although most of the oldest, more than are looked at at once, are needed, and some are beyond the next look."""
    live = await household.begin(count=64)
    needed = await asyncio.gather(*(household.deliver(live) for _ in range(195)))
    others = [await household.upload() for _ in range(10)]
    household.clock.now += LATER_S
    limit = sum(asset.size_bytes for asset in [*needed, *others[8:]])
    done = await household.tidy(keep_assets_bytes=limit)
    assert (done.assets, done.bytes) == (8, sum(asset.size_bytes for asset in others[:8]))
    assert await household.kept_assets() == {asset.digest for asset in [*needed, *others[8:]]}
    assert await household.tidy(keep_assets_bytes=limit) == Tidied()


async def test_a_picture_that_a_new_job_makes_again_stays(household: Household) -> None:
    first = await household.begin()
    asset = await household.deliver(first, shade=1)
    await household.end(first)
    household.clock.now += LATER_S
    second = await household.begin()
    assert await household.deliver(second, shade=1) == asset
    await household.end(second)
    assert await household.tidy(keep_assets_s=LATER_S / 2, keep_assets_bytes=1) == Tidied()
    assert await household.kept_assets() == {asset.digest}


async def test_what_was_deleted_goes_when_its_time_is_over(household: Household) -> None:
    gone, back, kept, late = [await household.upload() for _ in range(4)]
    for asset in (gone, back):
        await household.assets.delete(asset.digest)
    household.clock.now += 50.0
    await household.assets.delete(late.digest)
    assert await household.tidy(keep_deleted_s=60.0) == Tidied()
    await household.assets.undelete(back.digest)
    household.clock.now += 10.0
    assert await household.tidy(keep_deleted_s=60.0) == Tidied(assets=1, bytes=gone.size_bytes)
    with pytest.raises(Refused):
        await household.assets.undelete(gone.digest)
    assert await household.kept_assets() == {back.digest, kept.digest}
    assert (await household.assets.undelete(late.digest)).asset == late


async def test_what_was_deleted_goes_before_all_else_and_favorites_never_go(household: Household) -> None:
    oldest, favorite, deleted = [await household.upload() for _ in range(3)]
    household.clock.now += LATER_S
    await household.assets.mark(favorite.digest, favorite=True)
    await household.assets.delete(deleted.digest)
    room = oldest.size_bytes + favorite.size_bytes
    assert await household.tidy(keep_assets_bytes=room) == Tidied(assets=1, bytes=deleted.size_bytes)
    assert await household.kept_assets() == {oldest.digest, favorite.digest}
    assert (await household.tidy(keep_assets_bytes=1, keep_assets_s=1.0)).assets == 1
    assert await household.kept_assets() == {favorite.digest}
    await household.assets.delete(favorite.digest)
    assert (await household.tidy(keep_assets_bytes=1)).assets == 1, "unless somebody has deleted it"


async def test_files_without_a_description_are_swept(household: Household) -> None:
    asset = await household.upload()
    orphan, foreign = household.folder / "assets" / "ab" / ("cd" * 31), household.folder / "assets" / "ab" / "README"
    orphan.parent.mkdir(exist_ok=True)
    for path in (orphan, foreign):
        path.write_bytes(b"left")
    assert await household.assets.sweep() == 1
    assert (orphan.exists(), foreign.exists()) == (False, True)
    assert await household.assets.bytes(asset.digest)
    assert await household.assets.sweep() == 0


async def test_a_file_whose_row_is_on_its_way_is_not_swept(household: Household) -> None:
    stop = asyncio.Event()

    async def sweep() -> None:
        while not stop.is_set():
            assert await household.assets.sweep() == 0

    sweeping = asyncio.create_task(sweep())
    stored = await asyncio.gather(*(household.upload() for _ in range(50)))
    stop.set()
    await sweeping
    assert await household.kept_assets() == {asset.digest for asset in stored}


async def test_a_file_whose_writer_has_gone_and_left_its_row_to_the_queue_is_not_swept(household: Household) -> None:
    go_on = threading.Event()
    blocking = asyncio.create_task(household.store._writer.call(lambda _: go_on.wait(10)))
    uploading = asyncio.create_task(household.upload())
    async with asyncio.timeout(10):
        while len(household.store._writer._outstanding) < 2:
            await household.store.count_ended()
    uploading.cancel()
    await asyncio.wait([uploading])
    sweeping = asyncio.create_task(household.assets.sweep())
    asyncio.get_running_loop().call_later(0.05, go_on.set)
    assert await sweeping == 0
    await blocking
    assert len(await household.kept_assets()) == 1


# --- whatever happens ------------------------------------------------------------------------------------------------


class Model:
    """Does what it is told with a household, and knows what must be there."""

    def __init__(self, household: Household) -> None:
        self._household = household
        self._uploads: list[str] = []
        self._live: dict[str, set[str]] = {}
        """What each job that runs needs."""
        self._made: dict[str, set[str]] = {}
        """What each job that runs has delivered."""
        self._ended: list[str] = []

    async def upload(self, choice: int) -> None:
        self._uploads.append((await self._household.upload(shade=choice)).digest)

    async def begin(self, choice: int) -> None:
        kept = sorted(set(self._uploads) & await self._household.kept_assets())
        needs = {kept[choice % len(kept)]} if kept else set[str]()
        job_id = await self._household.begin(init_image="".join(needs))
        self._live[job_id], self._made[job_id] = needs, set()

    async def deliver(self, choice: int) -> None:
        if self._live:
            job_id = sorted(self._live)[choice % len(self._live)]
            self._made[job_id].add((await self._household.deliver(job_id, shade=choice)).digest)

    async def end(self, choice: int) -> None:
        if self._live:
            job_id = sorted(self._live)[choice % len(self._live)]
            await self._household.end(job_id)
            del self._live[job_id], self._made[job_id]
            self._ended.append(job_id)

    async def delete(self, choice: int) -> None:
        for digest in self._uploads[:1]:
            with suppress(Refused):  # an input, or not there
                await (self._household.assets.delete(digest) if choice % 3 else self._household.assets.remove(digest))
                for made in self._made.values():  # a running job's pictures may be deleted by those who see them
                    made.discard(digest)

    async def undelete(self, choice: int) -> None:
        for digest in self._uploads[choice : choice + 1]:
            with suppress(Refused):  # gone for good
                await self._household.assets.undelete(digest)

    async def mark(self, choice: int) -> None:
        for digest in self._uploads[-1:]:
            with suppress(Refused):
                await self._household.assets.mark(digest, favorite=choice % 2 == 0)

    async def wait(self, choice: int) -> None:
        self._household.clock.now += choice * 200.0

    async def tidy(self, choice: int) -> None:
        policy = {
            "keep_jobs": choice % 3,
            "keep_assets_bytes": choice * 100,
            "keep_assets_s": choice % 2 * 700.0,
            "keep_deleted_s": choice * 100.0,
        }
        before = await self._household.kept_assets()
        await self._household.tidy(**policy)
        assert await self._household.tidy(**policy) == Tidied()
        if policy["keep_jobs"]:
            self._ended = self._ended[-int(policy["keep_jobs"]) :]
        after = await self._household.kept_assets()
        assert after <= before
        assert after == before or policy["keep_assets_bytes"] or policy["keep_assets_s"]

    async def check(self) -> None:
        kept = await self._household.kept_assets()
        assert all(needed <= kept for needed in (*self._live.values(), *self._made.values()))
        assert set(await self._household.kept_jobs()) == {*self._live, *self._ended}


STEPS = ("upload", "begin", "deliver", "end", "delete", "undelete", "mark", "wait", "tidy")


@settings(max_examples=15, deadline=None)
@given(script=st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 7)), max_size=20))
@example(script=[("begin", 0), ("upload", 0), ("deliver", 0), ("delete", 0)])
def test_whatever_is_tidied_up_what_is_needed_stays(script: list[tuple[str, int]]) -> None:
    async def play(folder: Path) -> None:
        async with open_household(folder) as household:
            model = Model(household)
            for step, choice in script:
                await getattr(model, step)(choice)
                await model.check()

    with TemporaryDirectory() as folder:
        asyncio.run(play(Path(folder)))


async def test_while_it_tidies_up_nobody_misses_anything(household: Household) -> None:
    """Jobs come and go, and one who watches them all sees each of their events once."""
    seen: dict[str, list[int]] = {}
    is_over, at_hand = asyncio.Event(), asyncio.Lock()

    async def follow() -> None:
        scope = Scope()
        async with watch(
            scope, Start.EARLIEST, ledger=household.ledger, hub=household.hub, store=household.store
        ) as items:
            async for item in items:
                if isinstance(item, Record):
                    seen.setdefault(item.job_id, []).append(item.sequence)
                    if sum(map(len, seen.values())) == 5 * 40:
                        return

    async def work() -> None:
        for _ in range(10):
            # Time does not leap while an asset is on its way to its job.
            async with at_hand:
                wanted = await household.upload()
                job_id = await household.begin(init_image=wanted.digest)
                household.clock.now += LATER_S
            async with at_hand:
                asset = await household.deliver(job_id)
                household.clock.now += LATER_S
            for digest in (wanted.digest, asset.digest):
                assert await household.assets.bytes(digest)
            await household.end(job_id)

    async def tidy() -> None:
        while not is_over.is_set():
            await household.tidy(keep_jobs=1, keep_events_s=1.0, keep_assets_bytes=1)

    following, tidying = asyncio.create_task(follow()), asyncio.create_task(tidy())
    while not household.hub.watcher_count:
        await household.store.count_ended()
    await asyncio.gather(*(work() for _ in range(4)))
    async with asyncio.timeout(10):
        await following
    is_over.set()
    await tidying
    assert {job_id: sequences for job_id, sequences in seen.items() if sequences != [1, 2, 3, 4, 5]} == {}
    assert len(seen) == 40
    household.clock.now += LATER_S
    # Several jobs may have ended behind the back of its last round.
    await household.tidy(keep_jobs=1, keep_assets_bytes=1)
    assert await household.store.count_ended() == 1
    assert await household.kept_assets() == set()


async def test_a_replay_during_which_events_go_begins_anew(household: Household) -> None:
    """A client that takes its time between two pages."""
    await asyncio.gather(*(household.run() for _ in range(100)))
    async with watch(
        Scope(), Start.EARLIEST, ledger=household.ledger, hub=household.hub, store=household.store
    ) as items:
        first = await anext(items)
        assert isinstance(first, Record)
        household.clock.now += 100.0
        await household.tidy(keep_events_s=1.0)
        live = await household.begin()
        rest = []
        async for item in items:
            rest.append(item)
            if isinstance(item, CaughtUp):
                break
    replayed = [item.position for item in rest if isinstance(item, Record)]
    page = list(range(2, 201))
    assert replayed == [*page, 501, 502, 503], "the page that was read already, and what came meanwhile"
    assert isinstance(rest[len(page)], Reset)
    assert live not in [item.job.job_id for item in rest if isinstance(item, Snapshot)]


# --- the task --------------------------------------------------------------------------------------------------------


async def test_what_fails_is_logged_and_tried_again(household: Household) -> None:
    await household.run()
    await household.run()

    def rename(before: str, after: str) -> None:
        with sqlite3.connect(household.folder / "imagegen.db") as connection:
            connection.execute(f"ALTER TABLE {before} RENAME TO {after}")
        connection.close()

    rename("assets", "elsewhere")
    with capture_logs() as lines:
        working = asyncio.create_task(household.janitor(keep_jobs=1).work(first_s=0.0, every_s=0.001))
        async with asyncio.timeout(10):
            while len([line for line in lines if line["event"] == "could not tidy up"]) < 2:
                await household.store.count_ended()
            rename("elsewhere", "assets")
            await household.run()
            while not any(line["event"] == "tidied up" for line in lines):
                await household.store.count_ended()
        working.cancel()
        with pytest.raises(asyncio.CancelledError):
            await working
    assert {line["log_level"] for line in lines} == {"warning", "info"}


# --- end to end ------------------------------------------------------------------------------------------------------


async def test_who_comes_back_too_late_is_told_over_grpc_and_sse(tmp_path: Path) -> None:
    adapter = ScriptedAdapter(plays=ScriptedRun.complete)
    rhythm = replace(RHYTHM, first_tidying_s=0.0, tidying_s=0.01)
    async with serving(tmp_path, {"one": adapter}, rhythm=rhythm, keep_jobs=1, keep_events_hours=1e-7) as caller:
        job = await caller.create()
        token = (await caller.events(job.job_id, "earliest"))[0].resume_token
        await until(caller, job.job_id, token, ["reset", "snapshot", "completed"])
        gateway_settings = GatewaySettings(http="127.0.0.1:0", server=caller.address)
        async with serve_gateway(gateway_settings) as gateway, aiohttp.ClientSession(gateway.url) as http:
            path = f"/api/v1/jobs/{job.job_id}/events"
            async with watch_sse(http, path, last_event_id=token) as stream:
                assert [event.kind for event in await stream.rest()] == ["reset", "snapshot", "completed"]

        await caller.until_ended((await caller.create()).job_id)
        with pytest.raises(grpc.aio.AioRpcError) as gone:
            await until(caller, job.job_id, token, [])
        assert refusal_of(gone.value).reason == "JOB_NOT_FOUND"
        async with (
            serve_gateway(gateway_settings) as gateway,
            aiohttp.ClientSession(gateway.url) as http,
            http.get(path, headers={"Last-Event-ID": token}) as response,
        ):
            assert (response.status, (await response.json())["reason"]) == (404, "JOB_NOT_FOUND")
        assert await opening(caller, token) == ["reset", "caught_up"]


async def opening(caller: Caller, token: str) -> list[str]:
    """The first two events for one who watches all jobs."""
    call = caller.jobs.WatchJobs(pb.WatchJobsRequest(resume_token=token))
    events = []
    async with asyncio.timeout(10):
        async for answer in call:
            events.append(answer.event)
            if len(events) == 2:
                call.cancel()
                return kinds(events)
    raise AssertionError("the stream has ended")


async def until(caller: Caller, job_id: str, token: str, expected: Sequence[str]) -> None:
    async with asyncio.timeout(10):
        while kinds(await caller.events(job_id, token)) != list(expected):
            pass
