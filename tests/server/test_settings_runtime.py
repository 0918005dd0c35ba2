"""Settings that are changed while a server runs, over a real database."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from itertools import pairwise

import hypothesis
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import create_engine, text

from imagegen_server.config import ServerSettings
from imagegen_server.errors import Refused
from imagegen_server.settings.layers import BUILT_IN, Layer, changed, effective, layer_of
from imagegen_server.settings.runtime import RuntimeSettings, open_settings
from imagegen_server.stores.store import Store, StoredChange, StoreError, open_store
from tests.server.material import PickleCodec

CONFIGURED = layer_of(ServerSettings(max_queued_jobs=5))


def opened(store: Store, on_change: Callable[[], None] = lambda: None) -> AbstractAsyncContextManager[RuntimeSettings]:
    return open_settings(store, configured=CONFIGURED, clock=lambda: 1000.0, on_change=on_change)


@pytest.fixture
async def settings(store: Store) -> AsyncIterator[RuntimeSettings]:
    async with opened(store) as runtime:
        yield runtime


async def set_steps(settings: RuntimeSettings, steps: int, **fields: int) -> None:
    await settings.update({"defaults.steps": steps}, ["defaults.steps"], owner="anna", **fields)


async def test_a_change_counts_at_once_and_is_told(store: Store) -> None:
    told: list[tuple[int, int | None]] = []
    async with opened(store, lambda: told.append((runtime.state.version, runtime.current.defaults.steps))) as runtime:
        await set_steps(runtime, 30)
        await runtime.update({}, ["defaults.steps"])
    assert told == [(2, 30), (3, None)]


async def test_what_changes_nothing_makes_no_version(settings: RuntimeSettings) -> None:
    await set_steps(settings, 30)
    await set_steps(settings, 30)
    await settings.update({}, ["quotas.owners"])
    assert settings.state.version == 2
    assert len(await settings.changes(limit=10)) == 1


async def test_settings_and_their_changes_last(database: str) -> None:
    async with open_store(database, PickleCodec()) as store, opened(store) as settings:
        await set_steps(settings, 30)
        await settings.update({"exposure.models": []}, ["exposure.models", "defaults.steps"])
        before, changes = settings.state, await settings.changes(limit=10)
    async with open_store(database, PickleCodec()) as store, opened(store) as settings:
        assert settings.state == before
        assert await settings.changes(limit=10) == changes
    newest, first = changes
    assert (newest.version, newest.paths) == (3, ["defaults.steps", "exposure.models"])
    assert (newest.before, newest.after) == ({"defaults.steps": 30}, {"exposure.models": []})
    assert (first.version, first.owner, first.time) == (2, "anna", 1000.0)


async def test_a_version_that_is_no_longer_is_refused_and_changes_nothing(settings: RuntimeSettings) -> None:
    await set_steps(settings, 30)
    with pytest.raises(Refused) as caught:
        await set_steps(settings, 8, expected_version=7)
    assert caught.value.reason == "CHANGED_MEANWHILE"
    await set_steps(settings, 9, expected_version=2)
    assert settings.current.defaults.steps == 9


async def test_changes_that_come_together_are_made_one_after_the_other(settings: RuntimeSettings) -> None:
    steps = asyncio.gather(*(set_steps(settings, steps) for steps in range(1, 9)))
    widths = asyncio.gather(*(settings.update({"defaults.width": 8 * n}, ["defaults.width"]) for n in range(8, 16)))
    await asyncio.gather(steps, widths)
    assert settings.state.version == 17
    assert settings.state.stored == {"defaults.steps": 8, "defaults.width": 120}
    assert [each.version for each in await settings.changes(limit=100)] == list(range(17, 1, -1))


changes = st.lists(
    st.tuples(
        st.fixed_dictionaries({}, optional={"defaults.steps": st.integers(1, 3), "defaults.width": st.just(64)}),
        st.sets(st.sampled_from(["defaults.steps", "defaults.width", "quotas.max_queued_jobs"])),
    ),
    max_size=8,
)


@example([({"defaults.steps": 1}, {"defaults.steps"}), ({}, {"defaults.steps"})])
@given(changes)
@hypothesis.settings(max_examples=15, deadline=None)
def test_any_sequence_of_changes_is_their_fold_with_a_version_for_each_that_changed_something(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[dict[str, int], set[str]]]
) -> None:
    async def make_them() -> None:
        url = f"sqlite:///{tmp_path_factory.mktemp('settings') / 'imagegen.db'}"
        async with open_store(url, PickleCodec()) as store:
            states: list[Layer] = [{}]
            async with opened(store) as runtime:
                for given_layer, paths in changes:
                    states.append(changed(states[-1], given_layer, paths))
                    assert (await runtime.update(given_layer, paths)).stored == states[-1]
                assert runtime.state.effective == effective(BUILT_IN, CONFIGURED, states[-1])
                assert runtime.state.version == 1 + sum(after != before for before, after in pairwise(states))
                last = runtime.state
            async with opened(store) as runtime:
                assert runtime.state == last

    asyncio.run(make_them())


async def test_of_several_who_saw_the_same_version_one_wins(settings: RuntimeSettings) -> None:
    """Also of the first change of all."""
    calls = [set_steps(settings, steps, expected_version=1) for steps in range(2, 6)]
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(answer) for answer in answers].count(Refused) == 3
    assert settings.state.version == 2


async def test_a_change_goes_on_when_its_caller_goes_away(store: Store) -> None:
    changed = asyncio.Event()
    async with opened(store, changed.set) as settings:
        call = asyncio.create_task(set_steps(settings, 30))
        await asyncio.sleep(0)
        call.cancel()
        async with asyncio.timeout(5):
            await changed.wait()
        assert settings.current.defaults.steps == 30


async def test_a_store_that_fails_leaves_all_as_it_was(database: str, store: Store) -> None:
    engine = create_engine(database)
    async with opened(store) as settings:
        await set_steps(settings, 30)
        with engine.begin() as connection:
            connection.execute(text("ALTER TABLE settings_changes RENAME TO gone"))
        before = settings.state
        with pytest.raises(StoreError):
            await set_steps(settings, 31)
        assert settings.state is before
        with engine.begin() as connection:
            connection.execute(text("ALTER TABLE gone RENAME TO settings_changes"))
        await set_steps(settings, 32)
        assert [each.version for each in await settings.changes(limit=10)] == [3, 2]
    engine.dispose()


async def test_the_newest_changes_are_kept(store: Store) -> None:
    for version in range(1, 6):
        change = StoredChange(version=version, time=1000.0, owner="", record=b"")
        await store.change_settings(b"%d" % version, change, keep=3)
    assert await store.settings() == b"5"
    assert [each.version for each in await store.settings_changes(limit=100)] == [5, 4, 3]
    assert [each.version for each in await store.settings_changes(limit=2)] == [5, 4]


async def test_what_another_version_of_the_server_has_stored_is_passed_over(store: Store) -> None:
    await store.set_value("settings", b'{"version": 4, "stored": {"defaults.steps": 8, "defaults.colour": "red"}}')
    async with opened(store) as settings:
        assert (settings.state.version, settings.state.stored) == (4, {"defaults.steps": 8})
