"""The queue, as the client sees and steers it."""

import pytest

from imagegen_client import Client, NotPossible
from tests.client.fake import FakeServer


@pytest.fixture
async def job_ids(address: str) -> list[str]:
    """Jobs of anna, bert, anna, that wait."""
    made = []
    for owner in ("anna", "bert", "anna"):
        async with Client(address, owner=owner) as client:
            made.append((await client.create_job("a red fox")).job_id)
    return made


async def order(client: Client) -> list[str]:
    return [entry.job_id async for entry in client.queue_entries()]


async def test_entries_come_in_order_over_all_pages(client: Client, job_ids: list[str]) -> None:
    entries = [entry async for entry in client.queue_entries(page_size=2)]

    assert [entry.job_id for entry in entries] == job_ids
    assert [entry.queue.ahead for entry in entries] == [0, 1, 2]
    assert [entry.owner async for entry in client.queue_entries(owner="bert")] == ["bert"]
    assert (await client.queue()).queued == 3


async def test_queue_is_paused_and_resumed_as_a_whole_and_by_owner(client: Client) -> None:
    assert (await client.pause_queue()).paused
    paused = await client.pause_queue(owner="anna")
    resumed = await client.resume_queue()

    assert (paused.paused, list(paused.paused_owners)) == (True, ["anna"])
    assert (resumed.paused, list(resumed.paused_owners)) == (False, ["anna"])
    assert not (await client.resume_queue(owner="anna")).paused_owners


async def test_job_is_moved(client: Client, job_ids: list[str]) -> None:
    a, b, c = job_ids

    assert (await client.move_job(c, first=True)).queue.ahead == 0
    assert await order(client) == [c, a, b]
    await client.move_job(c, last=True)
    assert await order(client) == [a, b, c]
    await client.move_job(c, before=b)
    assert await order(client) == [a, c, b]
    await client.move_job(a, after=c)
    assert await order(client) == [c, a, b]


@pytest.mark.parametrize("places", [{}, {"first": True, "last": True}, {"before": "x", "after": "y"}])
async def test_move_needs_one_place(server: FakeServer, client: Client, places: dict[str, bool | str]) -> None:
    with pytest.raises(ValueError, match="one place"):
        await client.move_job("x", **places)  # type: ignore[arg-type]  # options of the test

    assert server.requests == []


async def test_job_that_does_not_wait_is_not_moved(client: Client, job_ids: list[str]) -> None:
    async with client.watch(job_ids[0]) as watch:
        assert [event async for event in watch]

    with pytest.raises(NotPossible) as caught:
        await client.move_job(job_ids[1], after=job_ids[0])

    assert caught.value.reason == "JOB_NOT_QUEUED"
