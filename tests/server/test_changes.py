"""Who watches hears of every change, once, however slow it is."""

import asyncio

import pytest

from imagegen_server.changes import MAX_IDS, Change, Changes, Topic
from imagegen_server.hub import ShuttingDown, TooManyWatchers


@pytest.mark.parametrize(
    ("told", "heard"),
    [
        pytest.param([("a")], ["a"], id="one"),
        pytest.param(["a", "b", "a"], ["a", "b"], id="each once"),
        pytest.param(["a", "", "b"], [""], id="all covers each"),
        pytest.param([str(number) for number in range(MAX_IDS + 5)], [""], id="too many are all"),
    ],
)
async def test_what_waits_is_told_together(told: list[str], heard: list[str]) -> None:
    changes = Changes()
    changes.tell(Topic.ASSETS, "before anybody watched")
    async with changes.watch() as watcher:
        changes.tell(Topic.SETTINGS)
        for id_ in told:
            changes.tell(Topic.ASSETS, id_)
        assert await watcher.news() == [Change(Topic.SETTINGS), *(Change(Topic.ASSETS, id_) for id_ in heard)]
        waiting = asyncio.ensure_future(watcher.news())
        await asyncio.sleep(0)
        changes.tell(Topic.JOBS, "j")
        assert await waiting == [Change(Topic.JOBS, "j")]


async def test_the_end_ends_all_and_lets_nobody_in() -> None:
    changes = Changes(max_watchers=1)
    async with changes.watch() as watcher:
        with pytest.raises(TooManyWatchers):
            await changes.watch().__aenter__()
        waiting = asyncio.ensure_future(watcher.news())
        await asyncio.sleep(0)
        changes.close()
        with pytest.raises(ShuttingDown):
            await waiting
    with pytest.raises(ShuttingDown):
        await changes.watch().__aenter__()
