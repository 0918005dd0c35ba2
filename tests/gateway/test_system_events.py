"""What changes beside jobs, in the same stream as the jobs."""

from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import orjson
import pytest

from imagegen.v1 import backend_pb2, queue_pb2, system_pb2
from imagegen_gateway.app import serve_gateway
from imagegen_gateway.config import GatewaySettings
from imagegen_gateway.system_events import MAX_WAITING, Outbox, encode
from tests.gateway.fake_server import FakeServer, serve_fake
from tests.gateway.sse import Event, Stream, watch

EVENTS = "/api/v1/events"
JOB_KINDS = {"snapshot", "caught_up"}


def backend(name: str, **fields: Any) -> system_pb2.SystemEvent:
    return system_pb2.SystemEvent(backend=backend_pb2.Backend(name=name, **fields))


def changed(topic: system_pb2.Topic.ValueType, id_: str = "") -> system_pb2.SystemEvent:
    return system_pb2.SystemEvent(changed=system_pb2.Changed(topic=topic, id=id_))


def told(events: list[Event]) -> list[tuple[str, Any]]:
    """What matters of each, without those of jobs."""
    keys = {"backend": "name", "backend_removed": "name", "queue": "queued", "changed": "id"}
    return [
        (event.kind, event.data[keys[event.kind]] if event.kind in keys else None)
        for event in events
        if event.kind not in JOB_KINDS
    ]


async def begun(stream: Stream) -> list[tuple[str, Any]]:
    """What is told until all is known of jobs and system."""
    return told([*await stream.until("caught_up"), *await stream.until("ready")])


@pytest.fixture(autouse=True)
def _two_backends(fake: FakeServer) -> None:
    for name in ("a", "b"):
        fake.tell_system(backend(name), name)
    fake.tell_system(system_pb2.SystemEvent(queue=queue_pb2.Queue(queued=3)), "queue")


async def test_who_comes_is_told_what_there_is_and_then_what_changes(
    fake: FakeServer, http: aiohttp.ClientSession
) -> None:
    fake.add_job("j1")
    async with watch(http, EVENTS, system="true") as stream:
        assert await begun(stream) == [("backend", "a"), ("backend", "b"), ("queue", 3), ("ready", None)]
        fake.warn("j1", "W")
        [warning] = await stream.until("warning")
        fake.tell_system(system_pb2.SystemEvent(alive=system_pb2.Alive()))
        fake.tell_system(changed(system_pb2.TOPIC_WORKFLOWS, "mine"))
        [change] = await stream.until("changed")
        assert change.data == {"topic": "TOPIC_WORKFLOWS", "id": "mine"}
        assert change.id == warning.id, "it has none of its own, so a browser resumes after the newest job event"
        fake.tell_system(backend("c"), "c")
        await stream.until("backend")

        async with watch(http, EVENTS, system="true") as late, watch(http, EVENTS) as without:
            known = [("backend", "a"), ("backend", "b"), ("queue", 3), ("backend", "c"), ("ready", None)]
            assert await begun(late) == known
            fake.tell_system(system_pb2.SystemEvent(backend_removed=system_pb2.BackendRemoved(name="a")))
            assert told(await late.until("backend_removed")) == [("backend_removed", "a")]
            fake.warn("j1", "end")
            assert not told([*(await without.until("warning", "end"))][:-1])
        assert len(fake.system_watchers) == 1, "one upstream for all"


async def test_a_server_that_restarts_is_told_of_anew_and_what_is_gone_is_taken_back() -> None:
    async with AsyncExitStack() as stack:
        server = AsyncExitStack()
        fake = await server.enter_async_context(serve_fake(FakeServer()))
        fake.add_job("j1")
        fake.tell_system(backend("a"), "a")
        fake.tell_system(backend("b"), "b")
        chosen = GatewaySettings(http="127.0.0.1:0", server=fake.address)
        gateway = await stack.enter_async_context(serve_gateway(chosen))
        http = await stack.enter_async_context(aiohttp.ClientSession(gateway.url))
        stream = await stack.enter_async_context(watch(http, EVENTS, system="true"))
        await begun(stream)

        await server.aclose()
        assert told(await stream.until("away")) == [("away", None)]
        del fake.system["b"]
        fake.tell_system(backend("c"), "c")
        await stack.enter_async_context(serve_fake(fake, fake.address))
        assert told(await stream.until("ready")) == [("backend", "c"), ("backend_removed", "b"), ("ready", None)]
        fake.warn("j1", "W")
        await stream.until("warning")


@pytest.mark.parametrize(("path", "system"), [(EVENTS, "yes"), ("/api/v1/jobs/j1/events", "true")])
async def test_only_the_stream_of_many_has_it_and_only_if_asked_in_so_many_words(
    http: aiohttp.ClientSession, path: str, system: str
) -> None:
    async with http.get(path, params={"system": system}) as response:
        assert (response.status, (await response.json())["errors"][0]["field"]) == (400, "system")


def test_what_waits_is_bounded_and_the_latest_counts() -> None:
    outbox = Outbox()
    for number in range(10 * MAX_WAITING):
        outbox.put(("backend", 0, "a"), b"backend %d" % number)
        change = system_pb2.Changed(topic=system_pb2.TOPIC_ASSETS, id=str(number))
        outbox.put(("changed", change.topic, change.id), encode("changed", change))
    taken = []
    while (record := outbox.take()) is not None:
        taken.append(record)
    assert b"backend %d" % number in taken
    assert len(taken) <= MAX_WAITING
    assert {"topic": "TOPIC_ASSETS", "id": ""} in [
        orjson.loads(each.splitlines()[1][6:]) for each in taken if b"changed" in each
    ]
