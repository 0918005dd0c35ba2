"""A browser that does not read harms nobody, holds next to nothing, and is let go."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from imagegen_gateway.app import Gateway
from imagegen_gateway.hub import Hub
from imagegen_gateway.watcher import Watcher
from tests.gateway.fake_server import FakeServer
from tests.gateway.sse import durable, watch

EVENTS = "/api/v1/jobs/j1/events"
FRAME = bytes(45_000)


@asynccontextmanager
async def stalled(gateway: Gateway) -> AsyncIterator[socket.socket]:
    """A browser that asks for the events and reads only the first bytes of the answer."""
    host, port = gateway.url.removeprefix("http://").split(":")
    loop = asyncio.get_running_loop()
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.setblocking(False)
        await loop.sock_connect(sock, (host, int(port)))
        await loop.sock_sendall(sock, f"GET {EVENTS} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        assert (await loop.sock_recv(sock, 15)).startswith(b"HTTP/1.1 200")
        yield sock


def hub_of(gateway: Gateway) -> Hub:
    [entry] = gateway.hubs._hubs.values()
    return entry.hub


def buffered(gateway: Gateway) -> list[int]:
    """Bytes in user space, per watcher."""
    sizes = []
    for listener in hub_of(gateway)._listeners:
        assert isinstance(listener, Watcher)
        transport = listener._sink._request.transport
        assert transport is not None
        sizes.append(transport.get_write_buffer_size())
    return sizes


@pytest.mark.parametrize("settings", [{"write_timeout_s": 60.0}])
async def test_stalled_readers_hold_one_record_each_and_hold_nobody_up(
    fake: FakeServer, gateway: Gateway, http: aiohttp.ClientSession
) -> None:
    fake.add_job("j1")
    async with watch(http, EVENTS) as healthy:
        await healthy.until("caught_up")
        async with stalled(gateway), stalled(gateway), stalled(gateway):
            for number in range(40):
                fake.preview("j1", FRAME, frame=number + 1)
                fake.warn("j1", f"W{number}")
                events = await healthy.until("warning", f"W{number}")
                assert durable(events) == [number + 1]
            fake.preview("j1", FRAME, frame=99)
            [preview] = await healthy.until("preview")
            assert preview.data["preview"]["frame"] == 99
            assert min(buffered(gateway)) == 0, "the healthy one"
            assert 0 < max(buffered(gateway)) < 2 * 45_000, "one record, not forty"
    assert fake.count_opened("j1") == 1


@pytest.mark.parametrize("settings", [{"write_timeout_s": 0.1}])
async def test_a_blocked_write_ends_the_watcher(
    fake: FakeServer, gateway: Gateway, http: aiohttp.ClientSession
) -> None:
    fake.add_job("j1")
    async with watch(http, EVENTS) as healthy:
        await healthy.until("caught_up")
        async with stalled(gateway):
            async with asyncio.timeout(10):
                number = 0
                while len(hub_of(gateway)._listeners) > 1:
                    number += 1
                    fake.preview("j1", FRAME, frame=number)
                    await healthy.until("preview")
        fake.complete("j1")
        assert durable(await healthy.rest()) == [1]


@pytest.mark.parametrize("settings", [{"write_timeout_s": 60.0}])
async def test_a_slow_reader_gets_every_durable_event_and_only_newer_values(
    fake: FakeServer, gateway: Gateway, http: aiohttp.ClientSession
) -> None:
    fake.add_job("j1")
    async with watch(http, EVENTS) as healthy, watch(http, EVENTS) as slow:
        await healthy.until("caught_up")
        await slow.until("caught_up")
        for number in range(60):
            fake.preview("j1", FRAME, frame=number + 1)
            fake.warn("j1", f"W{number}")
            await healthy.until("warning", f"W{number}")
        fake.complete("j1")
        events = await slow.rest()
    assert durable(events) == list(range(1, 62))
    frames = [event.data["preview"]["frame"] for event in events if event.kind == "preview"]
    assert frames == sorted(set(frames))


async def test_a_watcher_behind_the_log_is_cut_and_resumes(
    fake: FakeServer, http: aiohttp.ClientSession, gateway: Gateway
) -> None:
    fake.add_job("j1")
    async with watch(http, EVENTS) as healthy:
        await healthy.until("caught_up")
        hub_of(gateway).log._max_records = 5
        for number in range(20):
            fake.warn("j1", f"W{number}")
            await healthy.until("warning", f"W{number}")
        async with watch(http, EVENTS, last_event_id="p2") as late:
            events = await late.until("caught_up")
            assert durable(events) == list(range(3, 21)), "what the log no longer has comes from the server"
            fake.complete("j1")
            assert durable(await late.rest()) == [21]


async def test_a_browser_that_goes_away_is_forgotten(
    fake: FakeServer, http: aiohttp.ClientSession, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imagegen_gateway.hub.LINGER_S", 0.0)
    fake.add_job("j1")
    async with watch(http, EVENTS) as stream:
        await stream.until("caught_up")
        assert len(hub_of(gateway)._listeners) == 1
    await fake.until(lambda: not fake.watchers)
    assert not gateway.hubs._hubs
    assert gateway.hubs._watchers.total() == 0
