"""What the runner keeps in the store besides jobs: decisions about the queue, forsaken attempts, and experience."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from imagegen_adapters.config import BackendConfig
from imagegen_adapters.contract import Handle, ImageParameters, RawGraph
from imagegen_server.backend import Backend, Member
from imagegen_server.errors import Refused
from imagegen_server.fleet import Fleet
from imagegen_server.jobs import Attempt, AttemptState, Slice
from imagegen_server.running.experience import open_experience
from imagegen_server.running.orphans import MAX_AGE_S, MAX_ORPHANS, Orphan, Orphans
from imagegen_server.running.queue_control import MAX_PAUSED_OWNERS, QueueControl
from imagegen_server.scheduling.estimates import Sample
from imagegen_server.scheduling.work import Work
from imagegen_server.stores.store import Store, StoreError, open_store
from imagegen_server.tasks import task_group
from tests.server.material import PickleCodec
from tests.server.scripted import ScriptedAdapter


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with open_store(f"sqlite:///{tmp_path / 'imagegen.db'}", PickleCodec()) as store:
        yield store


# --- decisions about the queue ---------------------------------------------------------------------------------------


@pytest.fixture
def fleet() -> Fleet:
    member = Member(config=BackendConfig(name="one", kind="demo"))
    return Fleet([Backend(member, ScriptedAdapter(), clock=lambda: 0.0, on_change=lambda: None)])


@asynccontextmanager
async def controlling(store: Store, fleet: Fleet) -> AsyncIterator[QueueControl]:
    async with task_group() as tasks:
        yield await QueueControl.open(store, fleet, tasks=tasks, changed=asyncio.Event())


async def test_decisions_outlive_the_process(store: Store, fleet: Fleet) -> None:
    async with controlling(store, fleet) as control:
        assert not control.holds("ann")
        await asyncio.gather(control.pause("bob"), control.pause("ann"), control.drain("one"), control.drain("gone"))
    async with controlling(store, fleet) as control:
        assert (control.is_paused, control.paused_owners) == (False, ["ann", "bob"])
        assert [control.holds(owner) for owner in ("ann", "bob", "eve", "")] == [True, True, False, False]
        assert [each.is_drained for each in fleet] == [True]
        await control.pause()
        await control.resume("ann")
        assert control.holds("ann")
        await control.resume()
        await control.undrain("one")
        assert not control.holds("ann")
    async with controlling(store, fleet) as control:
        assert (control.is_paused, control.paused_owners, control.is_drained("gone")) == (False, ["bob"], True)
        assert [each.is_drained for each in fleet] == [False]


async def test_what_was_asked_for_takes_effect_although_the_caller_has_gone(store: Store, fleet: Fleet) -> None:
    async with controlling(store, fleet) as control:
        call = asyncio.create_task(control.pause())
        await asyncio.sleep(0)
        call.cancel()
        await control.drain("one")  # changes are made one after the other
        assert control.is_paused


async def test_what_is_not_stored_takes_no_effect(tmp_path: Path, fleet: Fleet) -> None:
    async with open_store(f"sqlite:///{tmp_path / 'imagegen.db'}", PickleCodec()) as store:
        pass
    async with task_group() as tasks:
        async with open_store(f"sqlite:///{tmp_path / 'imagegen.db'}", PickleCodec()) as store:
            control = await QueueControl.open(store, fleet, tasks=tasks, changed=asyncio.Event())
        with pytest.raises(StoreError):
            await control.pause()
        assert not control.is_paused


async def test_so_many_owners_can_be_paused(store: Store, fleet: Fleet) -> None:
    async with controlling(store, fleet) as control:
        control._decisions = replace(
            control._decisions, paused_owners=frozenset(str(number) for number in range(MAX_PAUSED_OWNERS))
        )
        with pytest.raises(Refused, match="pause the whole queue"):
            await control.pause("one more")
        await control.pause("7")


# --- forsaken attempts -----------------------------------------------------------------------------------------------


SOURCE = ImageParameters(prompt="a red fox", count=3, batch_size=2)


def attempt(attempt_id: str, backend: str = "one") -> Attempt:
    return Attempt(
        number=1,
        attempt_id=attempt_id,
        backend=backend,
        handle=Handle(remote_id=f"remote {attempt_id}", client_id="us"),
        state=AttemptState.RUNNING,
        start_time=1.0,
        slice=Slice(count=1),
    )


async def test_forsaken_attempts_are_known_until_they_are_settled_or_old(store: Store) -> None:
    now = 1000.0
    orphans = await Orphans.open(store, clock=lambda: now)
    await orphans.add("job", attempt("a"), SOURCE, has_died=False)
    await orphans.add("job", attempt("b", "two"), RawGraph(json="[]"), has_died=True)
    again = await Orphans.open(store, clock=lambda: now)
    assert [each.attempt_id for each in again] == ["a", "b"]
    found = again.find("job", "one")
    assert found is not None
    assert found.handle == Handle(remote_id="remote a", client_id="us")
    assert [each.source for each in again] == [ImageParameters(prompt="", count=3, batch_size=2), RawGraph(json="{}")]
    assert again.find("job", "two") is None, "a backend that died has nothing to go on with"
    await again.remove("a")
    await again.remove("unknown")
    assert [each.attempt_id for each in await Orphans.open(store, clock=lambda: now)] == ["b"]
    now += MAX_AGE_S
    assert list(again) == []


async def test_the_list_of_forsaken_attempts_is_bounded(store: Store) -> None:
    one = Orphan(
        job_id="job",
        number=1,
        backend="one",
        attempt_id="",
        remote_id="",
        client_id="",
        time=1000.0,
        has_died=False,
        count=1,
        batch_size=1,
    )
    many = [replace(one, attempt_id=str(number)) for number in range(MAX_ORPHANS)]
    orphans = Orphans(store, many, clock=lambda: 1000.0)
    await orphans.add("job", attempt("newest"), SOURCE, has_died=False)
    known = [each.attempt_id for each in orphans]
    assert (len(known), known[0], known[-1]) == (MAX_ORPHANS, "1", "newest")


# --- experience ------------------------------------------------------------------------------------------------------


async def test_what_was_learned_outlives_the_process(store: Store) -> None:
    work = Work(model="m", pixels=1000, steps=10)
    async with open_experience(store) as experience:
        experience.learn(None)
        experience.learn(Sample(backend="one", work=work, run_s=12.0, load_s=None))
    async with open_experience(store) as experience:
        assert experience.estimator.run_s("one", work) == pytest.approx(12.0)


async def test_a_store_that_fails_costs_experience_and_nothing_else(tmp_path: Path) -> None:
    async with open_store(f"sqlite:///{tmp_path / 'imagegen.db'}", PickleCodec()) as store:
        experience = await open_experience(store).__aenter__()
        experience.learn(Sample(backend="one", work=Work(), run_s=1.0, load_s=None))
    await experience.save()
