"""Fan-out, and whole streams: replay, flush, live, over a real database."""

import asyncio
import gc
import pickle
import tracemalloc
from itertools import cycle
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagegen_adapters.contract import Planned
from imagegen_server.errors import Refused
from imagegen_server.happenings import (
    AttemptBroke,
    AttemptSucceeded,
    AttemptTold,
    CancelRequested,
    Happening,
    OutputStored,
)
from imagegen_server.history import MAX_RECORDS, Ephemeral, Record, Scope, WatcherTooSlow
from imagegen_server.hub import Hub, Latest, ShuttingDown, TooManyWatchers, Watcher
from imagegen_server.jobs import JobState
from imagegen_server.tokens import InvalidToken, TokenCodec
from imagegen_server.watching import CaughtUp, Heartbeat, Item, Reset, Snapshot
from tests.server.material import FAILURE, Said, a_job, a_record, an_asset, began
from tests.server.workplace import Workplace, open_workplace

PROGRESS, PREVIEW = Ephemeral.PROGRESS, Ephemeral.PREVIEW
PLANNED = AttemptTold(number=1, update=Planned(images=1))


def said(item: Item | None) -> Any:
    """What an ephemeral event says, its sequence and its token."""
    assert isinstance(item, Latest)
    return pickle.loads(item.bytes_for())[:3]


def names(items: list[Item]) -> list[str]:
    return [item.kind if isinstance(item, Record) else type(item).__name__ for item in items]


class TestHub:
    async def test_a_watcher_gets_what_is_in_its_scope(self, hub: Hub) -> None:
        everything, of_a, of_ann = Scope(), Scope(job_ids=frozenset({"a"})), Scope(owner="ann")
        with hub.watch(everything) as one, hub.watch(of_a) as two, hub.watch(of_ann) as three:
            hub.publish(a_record(1, "a", owner="ann", sequence=1))
            hub.publish(a_record(2, "b", owner="bob", sequence=1))
            hub.publish_ephemeral("a", PROGRESS, Said("a"))
            hub.publish_ephemeral("b", PROGRESS, Said("b"))
            assert [await records_and_words(watcher) for watcher in (one, two, three)] == [
                [1, 2, "a", "b"], [1, "a"], [1, "a"],
            ]  # fmt: skip

    async def test_an_ephemeral_event_carries_the_newest_sequence_and_token(self, hub: Hub) -> None:
        hub.publish(a_record(1, "a", sequence=1))
        hub.publish_ephemeral("a", PROGRESS, Said("half"))
        with hub.watch(Scope()) as watcher:
            hub.publish(a_record(2, "b", sequence=1))
            hub.publish(a_record(3, "a", sequence=2))
            assert [(await watcher.next()).position for _ in range(2)] == [2, 3]
            assert said(await watcher.next()) == ("half", 2, hub.token_at(3))

    async def test_a_late_watcher_gets_the_newest_values(self, hub: Hub) -> None:
        hub.publish(a_record(1, "a", sequence=1))
        hub.publish_ephemeral("a", PROGRESS, Said("half"))
        hub.publish_ephemeral("a", PREVIEW, Said("picture"))
        for scope in (Scope(), Scope(job_ids=frozenset({"a", "unknown"}))):
            with hub.watch(scope) as watcher:
                assert await records_and_words(watcher) == ["half", "picture"]
        assert hub.newest("a") == {PROGRESS: Said("half"), PREVIEW: Said("picture")}

    async def test_nothing_is_kept_of_a_job_that_has_ended(self, hub: Hub) -> None:
        hub.publish(a_record(1, "a", sequence=1))
        hub.publish_ephemeral("a", PROGRESS, Said("half"))
        hub.publish(a_record(2, "a", sequence=2, kind="completed"))
        hub.publish_ephemeral("a", PROGRESS, Said("too late"))
        assert hub.newest("a") == {}
        with hub.watch(Scope()) as watcher:
            assert watcher.take() is None
        assert hub._jobs == {}

    async def test_a_preview_ends_with_the_output_that_it_showed(self, hub: Hub) -> None:
        hub.publish(a_record(1, "a", sequence=1))
        hub.publish_ephemeral("a", PREVIEW, Said("picture"))
        hub.publish_ephemeral("a", PROGRESS, Said("half"))
        hub.publish(a_record(2, "a", sequence=2, kind="output_ready"))
        assert hub.newest("a") == {PROGRESS: Said("half")}

    async def test_an_adopted_job_can_be_watched(self, hub: Hub) -> None:
        hub.adopt("a", owner="ann", sequence=7)
        with hub.watch(Scope(owner="ann")) as watcher:
            hub.publish_ephemeral("a", PROGRESS, Said("half"))
            assert said(watcher.take()) == ("half", 7, hub.token_at(0))

    async def test_leaving_removes_every_trace(self, hub: Hub) -> None:
        with hub.watch(Scope()), hub.watch(Scope(job_ids=frozenset({"a"}))):
            assert hub.watcher_count == 2
        assert (hub.watcher_count, hub._of_all, hub._of_job) == (0, set(), {})

    async def test_the_number_of_watchers_is_limited(self) -> None:
        hub = Hub(TokenCodec(b"key", 1), position=0, max_watchers=1)
        with hub.watch(Scope()), pytest.raises(TooManyWatchers) as refusal, hub.watch(Scope()):
            pass
        assert (refusal.value.reason, refusal.value.retry_after_s) == ("TOO_MANY_WATCHERS", 5.0)
        with hub.watch(Scope()):
            assert hub.watcher_count == 1

    async def test_draining_ends_every_watcher_and_lets_none_in(self, hub: Hub) -> None:
        with hub.watch(Scope()) as waiting, hub.watch(Scope()) as behind:
            hub.publish_ephemeral("a", PROGRESS, Said("half"))
            task = asyncio.create_task(waiting.next())
            await asyncio.sleep(0)
            hub.drain()
            with pytest.raises(ShuttingDown) as refusal:
                await task
            assert (refusal.value.reason, refusal.value.retry_after_s) == ("SHUTTING_DOWN", 1.0)
            with pytest.raises(ShuttingDown):
                behind.take()
        with pytest.raises(ShuttingDown), hub.watch(Scope()):
            pass

    async def test_a_wait_that_is_cancelled_loses_nothing(self, hub: Hub) -> None:
        with hub.watch(Scope()) as watcher:
            waiting = asyncio.create_task(watcher.next())
            await asyncio.sleep(0)
            hub.publish(a_record(1))
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            assert (await watcher.next()).position == 1

    async def test_a_value_that_is_held_back_comes_when_its_time_has_come(self, hub: Hub) -> None:
        hub.publish(a_record(1, "a", sequence=1))
        with hub.watch(Scope(), max_rate_hz=30.0) as watcher:
            hub.publish_ephemeral("a", PROGRESS, Said(1))
            assert said(await watcher.next())[0] == 1
            hub.publish_ephemeral("a", PROGRESS, Said(2))
            assert watcher.take() is None
            assert said(await watcher.next())[0] == 2

    async def test_a_record_does_not_wait_behind_a_value_that_is_held_back(self, hub: Hub) -> None:
        hub.publish(a_record(1, "a", sequence=1))
        with hub.watch(Scope(), max_rate_hz=0.01) as watcher:
            hub.publish_ephemeral("a", PROGRESS, Said(1))
            await watcher.next()
            hub.publish_ephemeral("a", PROGRESS, Said(2))
            waiting = asyncio.create_task(watcher.next())
            await asyncio.sleep(0)
            hub.publish(a_record(2, "a", sequence=2))
            assert (await waiting).position == 2

    async def test_the_token_never_names_more_than_was_taken(self, hub: Hub) -> None:
        with hub.watch(Scope()) as watcher:
            hub.publish(a_record(3))
            hub.publish(a_record(7))
            assert watcher.token == hub.token_at(2)
            watcher.take()
            assert watcher.token == hub.token_at(6)
            watcher.take()
            assert watcher.token == hub.token_at(7) == hub.token

    async def test_an_event_is_encoded_once_for_many_watchers(self, hub: Hub) -> None:
        class Counting:
            calls = 0

            def encode(self, *, sequence: int, token: str, variant: object) -> bytes:
                Counting.calls += 1
                return b"picture"

        hub.publish(a_record(1, "a", sequence=1))
        watchers = [hub.watch(Scope()) for _ in range(50)]
        opened = [watcher.__enter__() for watcher in watchers]
        hub.publish_ephemeral("a", PREVIEW, Counting())
        items = [watcher.take() for watcher in opened]
        data = {id(item.bytes_for("small")) for item in items if isinstance(item, Latest)}
        assert (Counting.calls, len(data)) == (1, 1)
        for watcher in watchers:
            watcher.__exit__(None, None, None)


async def records_and_words(watcher: Watcher) -> list[Any]:
    taken: list[Any] = []
    while (item := watcher.take()) is not None:
        taken.append(item.position if isinstance(item, Record) else said(item)[0])
    return taken


async def test_stalled_watchers_cost_little_and_hold_nobody_up(hub: Hub) -> None:
    """200 watchers of one job, 50 of them stalled: memory is bounded and the others see everything."""
    hub.publish(a_record(1, "a", sequence=1))
    scope = Scope(job_ids=frozenset({"a"}))
    entered = [hub.watch(scope) for _ in range(200)]
    watchers = [manager.__enter__() for manager in entered]
    stalled, lively = watchers[:50], watchers[50:]
    seen: list[list[int]] = [[] for _ in lively]

    def publish(frames: range) -> None:
        for number in frames:
            hub.publish_ephemeral("a", PREVIEW, Said(b"x" * 20_000))
            hub.publish_ephemeral("a", PROGRESS, Said(number))
            if number % 100 == 0:
                hub.publish(a_record(hub.position + 1, "a", sequence=hub.position + 1, data=b"d" * 300))
            for watcher, positions in zip(lively, seen, strict=True):
                while (item := watcher.take()) is not None:
                    if isinstance(item, Record):
                        positions.append(item.position)

    publish(range(200))
    gc.collect()
    tracemalloc.start()
    publish(range(200, 500))
    gc.collect()
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown < 1_000_000, "the newest frame, and references"
    assert seen == [list(range(2, 7))] * len(lively)
    for watcher in stalled:
        first = [watcher.take() for _ in range(5)]
        assert [item.position for item in first if isinstance(item, Record)] == list(range(2, 7))
        assert said(watcher.take())[0] == b"x" * 20_000
        assert said(watcher.take())[0] == 499
    for manager in entered:
        manager.__exit__(None, None, None)


# --- whole streams ---------------------------------------------------------------------------------------------------


async def step(place: Workplace, job_id: str, *happenings: Happening) -> None:
    for happening in happenings:
        await place.ledger.apply(job_id, happening)


async def finish(place: Workplace, job_id: str) -> None:
    began_now = began(await place.ledger.get(job_id))
    await step(place, job_id, began_now, OutputStored(number=1, asset=an_asset()), AttemptSucceeded(number=1))


async def collect(place: Workplace, *job_ids: str, token: str = "") -> list[Item]:
    """All of a stream that ends."""
    async with place.watch(*job_ids, token=token) as items:
        return [item async for item in items]


async def until_caught_up(place: Workplace, *job_ids: str, **options: Any) -> list[Item]:
    seen: list[Item] = []
    async with place.watch(*job_ids, **options) as items:
        async for item in items:
            seen.append(item)
            if isinstance(item, CaughtUp):
                return seen
    raise AssertionError("the stream ended before it had caught up")


class TestStreams:
    async def test_without_a_token_it_begins_with_a_snapshot(self, workplace: Workplace) -> None:
        job, _ = await workplace.ledger.create(a_job())
        workplace.hub.publish_ephemeral("job-1", PROGRESS, Said("half"))
        seen = await until_caught_up(workplace, "job-1")
        assert names(seen) == ["Snapshot", "Latest", "CaughtUp"]
        assert seen[0] == Snapshot(job, workplace.tokens.encode(1))
        assert said(seen[1]) == ("half", 1, workplace.tokens.encode(1))
        assert seen[2] == CaughtUp(workplace.tokens.encode(1))

    async def test_it_goes_on_live_and_ends_after_completed(self, workplace: Workplace) -> None:
        await workplace.ledger.create(a_job())
        async with workplace.watch("job-1") as items:
            assert names([await anext(items), await anext(items)]) == ["Snapshot", "CaughtUp"]
            await finish(workplace, "job-1")
            assert names([item async for item in items]) == [
                "attempt_started", "state_changed", "output_ready", "completed",
            ]  # fmt: skip

    async def test_earliest_replays_every_durable_event(self, workplace: Workplace) -> None:
        await workplace.ledger.create(a_job("other"))
        await workplace.ledger.create(a_job())
        await finish(workplace, "job-1")
        assert names(await collect(workplace, "job-1", token="earliest")) == [
            "state_changed", "attempt_started", "state_changed", "output_ready", "completed",
        ]  # fmt: skip

    async def test_a_job_that_has_ended_gives_its_snapshot_and_its_end(self, workplace: Workplace) -> None:
        await workplace.ledger.create(a_job())
        await finish(workplace, "job-1")
        seen = await collect(workplace, "job-1")
        assert names(seen) == ["Snapshot", "completed"]
        assert isinstance(seen[0], Snapshot)
        assert seen[0].job.state is JobState.SUCCEEDED
        assert names(await collect(workplace, "job-1", token=seen[0].token)) == ["completed"]

    async def test_after_the_end_there_is_nothing_but_caught_up(self, workplace: Workplace) -> None:
        await workplace.ledger.create(a_job())
        await finish(workplace, "job-1")
        assert names(await collect(workplace, "job-1", token=workplace.hub.token)) == ["CaughtUp"]

    async def test_a_stream_of_many_jobs_ends_when_all_have_ended(self, workplace: Workplace) -> None:
        for name in ("a", "b"):
            await workplace.ledger.create(a_job(name))
        await finish(workplace, "a")
        async with workplace.watch("a", "b") as items:
            opening = [await anext(items) for _ in range(4)]
            assert names(opening) == ["Snapshot", "Snapshot", "completed", "CaughtUp"]
            assert isinstance(opening[0], Snapshot)
            assert opening[0].token == ""
            await finish(workplace, "b")
            assert names([item async for item in items])[-1] == "completed"

    async def test_a_stream_of_all_jobs_includes_later_ones(self, workplace: Workplace) -> None:
        await workplace.ledger.create(a_job("ended"))
        await finish(workplace, "ended")
        await workplace.ledger.create(a_job("live", owner="ann"))
        async with workplace.watch() as items:
            assert names([await anext(items), await anext(items)]) == ["Snapshot", "CaughtUp"]
            await workplace.ledger.create(a_job("later"))
            later = await anext(items)
            assert isinstance(later, Record)
            assert later.job_id == "later"
        assert names(await until_caught_up(workplace, owner="bob")) == ["CaughtUp"]
        assert names(await until_caught_up(workplace, owner="ann")) == ["Snapshot", "CaughtUp"]

    async def test_jobs_of_others_are_left_out_although_they_are_named(self, workplace: Workplace) -> None:
        for owner in ("ann", "bob"):
            await workplace.ledger.create(a_job(owner, owner=owner))
            await finish(workplace, owner)
        await workplace.ledger.create(a_job("live", owner="bob"))
        async with workplace.watch("ann", "bob", "live", owner="ann") as items:
            seen = [item async for item in items]
        assert names(seen) == ["Snapshot", "completed"]

    async def test_an_unknown_job_is_not_found(self, workplace: Workplace) -> None:
        with pytest.raises(Refused) as refusal:
            await collect(workplace, "nobody")
        assert refusal.value.reason == "JOB_NOT_FOUND"
        assert workplace.hub.watcher_count == 0

    async def test_a_token_of_another_folder_resets(self, workplace: Workplace) -> None:
        await workplace.ledger.create(a_job())
        foreign = TokenCodec(b"other", 0).encode(5)
        seen = await until_caught_up(workplace, "job-1", token=foreign)
        assert names(seen) == ["Reset", "Snapshot", "CaughtUp"]
        assert seen[0] == Reset("the token is from another data folder")

    async def test_a_token_of_the_future_resets(self, workplace: Workplace) -> None:
        await workplace.ledger.create(a_job())
        seen = await until_caught_up(workplace, "job-1", token=workplace.tokens.encode(99))
        assert names(seen) == ["Reset", "Snapshot", "CaughtUp"]

    async def test_a_token_that_is_too_old_resets(self, workplace: Workplace) -> None:
        await workplace.ledger.create(a_job("old"))
        await finish(workplace, "old")
        token = workplace.tokens.encode(1)
        assert names(await collect(workplace, "old", token=token))[0] == "attempt_started"
        await workplace.store.compact(await workplace.store.oldest_uncompacted(limit=9))
        assert names(await collect(workplace, "old", token=token)) == ["Reset", "Snapshot", "completed"]
        await workplace.ledger.create(a_job("new"))
        assert names(await until_caught_up(workplace, "new", token="earliest")) == ["state_changed", "CaughtUp"]

    async def test_a_forged_token_is_invalid(self, workplace: Workplace) -> None:
        with pytest.raises(InvalidToken):
            await collect(workplace, "job-1", token="nonsense")

    async def test_silence_is_filled_by_heartbeats(self, workplace: Workplace) -> None:
        await workplace.ledger.create(a_job())
        async with workplace.watch("job-1", heartbeat_s=0.01) as items:
            seen = [await anext(items) for _ in range(4)]
        assert names(seen) == ["Snapshot", "CaughtUp", "Heartbeat", "Heartbeat"]
        assert seen[3] == Heartbeat(workplace.hub.token)

    async def test_a_heartbeat_does_not_name_what_came_in_the_same_moment(self, workplace: Workplace) -> None:
        await workplace.ledger.create(a_job())
        async with workplace.watch("job-1", heartbeat_s=0.0) as items:
            assert names([await anext(items), await anext(items)]) == ["Snapshot", "CaughtUp"]
            asyncio.get_running_loop().call_soon(workplace.hub.publish, a_record(2))
            assert names([await anext(items), await anext(items)]) == ["plan", "Heartbeat"]

    async def test_shutting_down_ends_the_stream(self, workplace: Workplace) -> None:
        await workplace.ledger.create(a_job())
        async with workplace.watch("job-1") as items:
            await anext(items)
            workplace.hub.drain()
            with pytest.raises(ShuttingDown):
                [item async for item in items]

    async def test_a_watcher_that_is_too_slow_is_closed_and_resumes(self, workplace: Workplace) -> None:
        job, _ = await workplace.ledger.create(a_job())
        await step(workplace, "job-1", began(job))
        client = Client(workplace, "job-1", token="earliest")
        await client.read(2)
        await asyncio.gather(*(workplace.ledger.apply("job-1", PLANNED) for _ in range(MAX_RECORDS + 1)))
        with pytest.raises(WatcherTooSlow):
            await client.read(2 * MAX_RECORDS)
        await client.drop()
        await step(workplace, "job-1", AttemptSucceeded(number=1))
        await client.read_to_the_end()
        assert client.sequences["job-1"] == list(range(1, MAX_RECORDS + 6))

    async def test_events_while_it_replays_are_neither_lost_nor_doubled(self, workplace: Workplace) -> None:
        await workplace.ledger.create(a_job())
        async with workplace.watch("job-1", token="earliest") as items:
            first = await anext(items)
            await finish(workplace, "job-1")
            seen = [first, *[item async for item in items]]
        assert [item.sequence for item in seen if isinstance(item, Record)] == [1, 2, 3, 4, 5]
        assert names(seen)[-1] == "completed"

    async def test_a_stream_does_not_flush_for_ever(self, workplace: Workplace) -> None:
        """A watcher so slow that something always waits gets to its caught_up all the same."""
        await workplace.ledger.create(a_job())
        workplace.hub.publish_ephemeral("job-1", PROGRESS, Said(0))
        async with workplace.watch("job-1") as items:
            seen = []
            for number in range(1, 10):
                seen.append(await anext(items))
                workplace.hub.publish_ephemeral("job-1", PROGRESS, Said(number))
        assert names(seen)[:3] == ["Snapshot", "Latest", "CaughtUp"]


class Client:
    """Reads a stream, drops it, resumes with its newest token; checks each item as it comes."""

    def __init__(self, place: Workplace, *job_ids: str, token: str = "") -> None:
        self._place = place
        self._job_ids = job_ids
        self._first_token = token
        self._stack: Any = None
        self.sequences: dict[str, list[int]] = {}
        """Sequences of all durable events, by job; a snapshot stands for those before it."""
        self.read_count = 0
        self._start_anew()

    def _start_anew(self) -> None:
        self.token = self._first_token
        self._position = 0
        self.sequences = {}
        self._values: dict[tuple[str, Ephemeral], int] = {}

    async def read(self, count: int) -> bool:
        """At most `count` items; True: the stream has ended."""
        if self._stack is None:
            self._stack = self._place.watch(*self._job_ids, token=self.token)
            self._items = await self._stack.__aenter__()
        for _ in range(count):
            try:
                item = await anext(self._items)
            except StopAsyncIteration:
                return True
            self.read_count += 1
            self._check(item)
        return False

    async def read_to_the_end(self) -> None:
        while not await self.read(100):
            pass
        await self.drop()

    async def drop(self) -> None:
        if self._stack is not None:
            stack, self._stack = self._stack, None
            await stack.__aexit__(None, None, None)

    def has_seen(self, job_id: str, sequence: int) -> bool:
        return len(self.sequences.get(job_id, ())) >= sequence

    def _check(self, item: Item) -> None:
        match item:
            case Record():
                known = self.sequences.setdefault(item.job_id, [])
                known.append(item.sequence)
                assert known == list(range(1, len(known) + 1)), "each once, in order"
                self._remember(self._place.tokens.encode(item.position))
            case Latest():
                number, sequence, token = said(item)
                key = (item.value.job_id, item.value.kind)
                assert number >= self._values.get(key, 0), "never an older one after a newer one"
                assert sequence == len(self.sequences[item.value.job_id])
                self._values[key] = number
                self._remember(token)
            case Snapshot(job, token):
                last = job.sequence - 1 if job.state.is_final else job.sequence
                self.sequences[job.job_id] = list(range(1, last + 1))
                self._position = 0
                self.token = token
            case CaughtUp(token) | Heartbeat(token):
                self._remember(token)
            case Reset():
                self._start_anew()

    def _remember(self, token: str) -> None:
        position = self._place.tokens.decode(token)
        assert position is not None
        assert position >= self._position, "tokens never go back within a stream"
        self._position = position
        self.token = token


async def perform(place: Workplace) -> None:
    """A job that is tried twice and one that is cancelled, side by side, with values in between."""
    number = 0

    def tell(job_id: str) -> None:
        nonlocal number
        number += 1
        for kind in Ephemeral:
            place.hub.publish_ephemeral(job_id, kind, Said(number))

    first, _ = await place.ledger.create(a_job("a"))
    second, _ = await place.ledger.create(a_job("b"))
    script: list[tuple[str, Happening]] = [
        ("a", began(first)),
        ("a", PLANNED),
        ("b", began(second)),
        ("a", AttemptBroke(number=1, failure=FAILURE, will_retry=True)),
        ("b", CancelRequested()),
        ("a", began(first)),
        ("a", OutputStored(number=2, asset=an_asset())),
        ("b", AttemptBroke(number=1, failure=FAILURE, will_retry=True)),
        ("a", OutputStored(number=2, asset=an_asset())),
        ("a", AttemptSucceeded(number=2)),
    ]
    for job_id, happening in script:
        tell(job_id)
        tell("a")
        await place.ledger.apply(job_id, happening)
        tell(job_id)


async def assert_complete(place: Workplace, client: Client) -> None:
    """Drops, comes back, and has every durable event of both jobs exactly once."""
    await client.drop()
    while not client.has_seen("last", 1):
        await client.read(1)
    await client.drop()
    for job_id in ("a", "b"):
        job = await place.ledger.get(job_id)
        assert job.state.is_final
        assert client.sequences[job_id] == list(range(1, job.sequence + 1))


@pytest.mark.parametrize("token", ["", "earliest"])
async def test_dropped_at_every_item_and_resumed_each_event_comes_exactly_once(
    workplace: Workplace, token: str
) -> None:
    """Many watchers of one performance: the first drops after one item, the second after two, and so on."""
    await workplace.ledger.create(a_job("first"))
    clients = [Client(workplace, token=token) for _ in range(200)]
    readings = [asyncio.create_task(client.read(count)) for count, client in enumerate(clients, start=1)]
    await perform(workplace)
    last = {job_id: (await workplace.ledger.get(job_id)).sequence for job_id in ("a", "b")}
    while not all(
        reading.done() or all(client.has_seen(*each) for each in last.items())
        for reading, client in zip(readings, clients, strict=True)
    ):
        await workplace.store.count_ended()
    # How many values come between the durable events is a matter of luck.
    dropped = [reading.done() for reading in readings]
    assert all(dropped[: 1 + sum(last.values())]), "there were drops at every durable event, to the last"
    assert not dropped[-1]
    for reading in readings:
        reading.cancel()
    await asyncio.wait(readings)
    await workplace.ledger.create(a_job("last"))
    for client in clients:
        await assert_complete(workplace, client)


@settings(max_examples=30, deadline=None)
@given(
    reads=st.lists(st.integers(1, 6), min_size=1, max_size=20),
    pauses=st.lists(st.integers(0, 3), min_size=1, max_size=20),
    token=st.sampled_from(["", "earliest"]),
)
def test_dropped_again_and_again_each_event_comes_exactly_once(reads: list[int], pauses: list[int], token: str) -> None:
    async def play(database: str) -> None:
        async with open_workplace(database) as place:
            await place.ledger.create(a_job("first"))
            client = Client(place, token=token)
            await client.read(1)
            performing = asyncio.create_task(perform(place))
            for count, pause in zip(cycle(reads), cycle(pauses), strict=False):
                reading = asyncio.create_task(client.read(count))
                await asyncio.wait([reading, performing], return_when=asyncio.FIRST_COMPLETED)
                reading.cancel()
                await asyncio.wait([reading])
                await client.drop()
                for _ in range(pause):
                    await place.store.count_ended()
                if performing.done():
                    break
            await performing
            await place.ledger.create(a_job("last"))
            await assert_complete(place, client)

    with TemporaryDirectory() as folder:
        asyncio.run(play(f"sqlite:///{folder}/imagegen.db"))
