"""Watching a job: every durable event exactly once, whatever happens to the connection."""

import asyncio

import grpc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imagegen.v1.event_pb2 import JobEvent
from imagegen.v1.image_gen_pb2 import WatchJobRequest
from imagegen_client import Backoff, Client, InvalidRequest, NotFound, Overloaded, ServerFault, Unavailable
from imagegen_client.delivery import DURABLE
from tests.client.conftest import FAST
from tests.client.fake import RESET, SHUTTING_DOWN, TOO_SLOW, FakeServer, Fault, serve_fake
from tests.client.proxy import serve_proxy


def names(events: list[JobEvent]) -> list[str | None]:
    return [event.WhichOneof("event") for event in events]


def sequences(events: list[JobEvent]) -> list[int]:
    return [event.sequence for event in events if event.WhichOneof("event") in DURABLE]


async def collect(client: Client, job_id: str, **options: object) -> list[JobEvent]:
    async with client.watch(job_id, **options) as watch:  # type: ignore[arg-type]  # options of the test
        return [event async for event in watch]


async def test_generate_gives_every_event_from_the_first_to_completed(client: Client) -> None:
    async with client.generate("a red fox") as watch:
        events = [event async for event in watch]

    assert names(events) == [
        "caught_up",
        "state_changed",
        "queue_updated",
        "attempt_started",
        "plan",
        "phase_changed",
        "progress",
        "preview",
        "output_ready",
        "completed",
    ]


async def test_watch_without_a_token_begins_with_a_snapshot(client: Client) -> None:
    job = await client.create_job("a red fox")

    events = await collect(client, job.job_id)

    assert names(events)[0] == "snapshot"
    assert sequences(events) == [1, 2, 3, 4, 5]


async def test_watch_of_a_job_that_has_ended_is_a_snapshot(client: Client) -> None:
    job = await client.create_job("a red fox")
    await collect(client, job.job_id)

    events = await collect(client, job.job_id)

    assert names(events) == ["snapshot", "caught_up"]
    assert events[0].snapshot.job_id == job.job_id


async def test_another_watch_goes_on_where_one_was_left(client: Client) -> None:
    job = await client.create_job("a red fox")
    async with client.watch(job.job_id) as watch:
        first = [await anext(watch) for _ in range(5)]

    rest = await collect(client, job.job_id, resume_token=watch.resume_token)

    assert sequences(first) + sequences(rest) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("fault", [SHUTTING_DOWN, TOO_SLOW, RESET], ids=["going down", "too slow", "reset"])
@pytest.mark.parametrize("cut", range(14))
async def test_stream_cut_at_any_event_loses_and_repeats_nothing(
    server: FakeServer, client: Client, cut: int, fault: Fault
) -> None:
    server.cut_by = fault
    server.cuts["WatchJob"] = [cut]

    async with client.generate("two foxes") as watch:
        events = [event async for event in watch]

    assert sequences(events) == [1, 2, 3, 4, 5]
    assert names(events).count("caught_up") == 1
    assert "heartbeat" not in names(events)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.integers(0, 14), max_size=8), token=st.sampled_from(["", "earliest"]))
async def test_stream_cut_again_and_again_loses_and_repeats_nothing(cuts: list[int], token: str) -> None:
    server = FakeServer()
    server.cuts["WatchJob"] = list(cuts)
    async with serve_fake(server) as port, Client(f"127.0.0.1:{port}", backoff=FAST) as client:
        job = await client.create_job("a fox, please warn me")

        events = await collect(client, job.job_id, resume_token=token)

    # A stream without a token may begin with a snapshot that holds the first events already.
    start = 1 if token else events[0].sequence + 1
    assert sequences(events) == list(range(start, 7))


async def test_connection_reset_after_every_event_is_not_noticed(server: FakeServer) -> None:
    async with (
        serve_fake(server) as port,
        serve_proxy(port) as (proxy, proxy_port),
        Client(f"127.0.0.1:{proxy_port}", backoff=FAST) as client,
        Client(f"127.0.0.1:{port}") as other,
    ):
        job = await client.create_job("wait for me")

        async def end_the_job() -> None:
            await proxy.has_returned.wait()
            await other.cancel(job.job_id)

        events: list[JobEvent] = []
        async with asyncio.TaskGroup() as tasks, client.watch(job.job_id, resume_token="earliest") as watch:
            tasks.create_task(end_the_job())
            async for event in watch:
                events += [event]
                proxy.cut()

    assert sequences(events) == [1, 2, 3, 4, 5]


async def test_server_that_restarts_is_not_noticed() -> None:
    server = FakeServer()
    async with serve_fake(server) as port:
        client = Client(f"127.0.0.1:{port}", backoff=FAST)
        await client.__aenter__()
        job = await client.create_job("wait for me")
        watching = client.watch(job.job_id)
        watch = await watching.__aenter__()
        events = [await anext(watch) for _ in range(3)]

    server.records[job.job_id].cancelled.set()
    pending = asyncio.ensure_future(anext(watch))
    async with serve_fake(server, port):
        events.append(await pending)
        await client.cancel(job.job_id)
        events += [event async for event in watch]
        await watching.__aexit__(None, None, None)
        await client.__aexit__(None, None, None)

    assert sequences(events) == [1, 2, 3, 4, 5]


async def test_reset_is_passed_on_and_followed_by_a_snapshot(server: FakeServer, client: Client) -> None:
    server.cuts["WatchJob"] = [5]
    server.resets = 1

    async with client.generate("a red fox") as watch:
        events = [event async for event in watch]

    at = names(events).index("reset")
    assert names(events)[at + 1] == "snapshot"
    assert sequences(events[at:]) == list(range(events[at + 1].sequence + 1, 6))


async def test_stream_cut_between_reset_and_snapshot_brings_the_snapshot_again(
    server: FakeServer, client: Client
) -> None:
    server.cuts["WatchJob"] = [5, 1]
    server.resets = 2

    async with client.generate("a red fox") as watch:
        events = [event async for event in watch]

    assert names(events).count("reset") == 2
    at = names(events).index("snapshot")
    assert sequences(events[at:]) == list(range(events[at].sequence + 1, 6))
    assert [request.resume_token for request in server.requests_of(WatchJobRequest)] == ["earliest", "t2", "t2"]


async def test_cancelled_step_loses_nothing(client: Client) -> None:
    job = await client.create_job("wait for me")
    events: list[JobEvent] = []
    async with client.watch(job.job_id) as watch:
        while len(events) < 7:
            events.append(await anext(watch))
        step = asyncio.ensure_future(anext(watch))
        await asyncio.sleep(0)
        step.cancel()
        with pytest.raises(asyncio.CancelledError):
            await step
        await client.cancel(job.job_id)
        events += [event async for event in watch]

    assert sequences(events) == [1, 2, 3, 4, 5]


async def test_step_cancelled_in_a_pause_loses_nothing(server: FakeServer, address: str) -> None:
    async with Client(address, backoff=Backoff(first_s=3600, longest_s=3600)) as client:
        job = await client.create_job("a red fox")
        server.faults["WatchJob"] = [SHUTTING_DOWN]
        async with client.watch(job.job_id, resume_token="earliest") as watch:
            step = asyncio.ensure_future(anext(watch))
            await server.has_failed.wait()
            step.cancel()
            await asyncio.gather(step, return_exceptions=True)
            events = [event async for event in watch]

    assert sequences(events) == [1, 2, 3, 4, 5]


async def test_leaving_the_block_leaves_the_job_alone(server: FakeServer, client: Client) -> None:
    async with client.generate("wait for me") as watch:
        await anext(watch)

    assert not server.records[watch.job_id].cancelled.is_set()
    with pytest.raises(StopAsyncIteration):
        await anext(watch)


async def test_server_that_stays_away_is_given_up(server: FakeServer, client: Client) -> None:
    job = await client.create_job("a red fox")
    server.faults["WatchJob"] = [SHUTTING_DOWN] * 100

    with pytest.raises(Unavailable, match="going down"):
        await collect(client, job.job_id, give_up_after_s=0)


async def test_resets_without_end_are_given_up(server: FakeServer, client: Client) -> None:
    job = await client.create_job("a red fox")
    server.faults["WatchJob"] = [RESET] * 100

    with pytest.raises(ServerFault):
        await collect(client, job.job_id)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault(code=grpc.StatusCode.INVALID_ARGUMENT, reason="INVALID_RESUME_TOKEN"), InvalidRequest),
        (Fault(code=grpc.StatusCode.RESOURCE_EXHAUSTED), Overloaded),
        (Fault(code=grpc.StatusCode.INTERNAL, reason="INTERNAL"), ServerFault),
    ],
)
async def test_what_does_not_pass_is_raised_at_once(
    server: FakeServer, client: Client, fault: Fault, error: type[Exception]
) -> None:
    job = await client.create_job("a red fox")
    server.faults["WatchJob"] = [fault]

    with pytest.raises(error):
        await collect(client, job.job_id)

    assert len(server.requests_of(WatchJobRequest)) == 1


async def test_unknown_job_is_not_found(client: Client) -> None:
    with pytest.raises(NotFound) as caught:
        await collect(client, "nobody")

    assert caught.value.reason == "JOB_NOT_FOUND"
