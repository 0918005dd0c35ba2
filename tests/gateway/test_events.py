"""Event streams: fan-out, resume, the end, and what a browser can ask for."""

import asyncio
import base64
import socket
from contextlib import AsyncExitStack

import aiohttp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagegen.v1 import event_pb2, image_gen_pb2, job_pb2
from imagegen_gateway.app import serve_gateway
from imagegen_gateway.config import GatewaySettings
from imagegen_gateway.records import DURABLE, EPHEMERAL
from tests.gateway.fake_server import FakeServer, serve_fake
from tests.gateway.sse import Event, Stream, durable, watch

EVENTS = "/api/v1/jobs/j1/events"


async def test_a_watcher_sees_the_whole_job(fake: FakeServer, http: aiohttp.ClientSession) -> None:
    fake.add_job("j1")
    async with watch(http, EVENTS) as stream:
        assert [event.kind for event in await stream.until("caught_up")] == ["snapshot", "caught_up"]
        fake.run("j1")
        fake.progress("j1", 0.5)
        [running, progress] = await stream.until("progress")
        fake.complete("j1")
        [completed] = await stream.rest()

    assert running.data["state_changed"] == {"from": "JOB_STATE_UNSPECIFIED", "to": "JOB_STATE_RUNNING"}
    assert progress.data["progress"]["fraction"] == 0.5
    assert completed.data["completed"]["job"]["state"] == "JOB_STATE_SUCCEEDED"
    assert completed.id == completed.data["resume_token"]
    assert 1000 <= stream.retry_ms <= 3000


async def test_all_watchers_share_one_upstream(fake: FakeServer, http: aiohttp.ClientSession) -> None:
    fake.add_job("j1")
    async with AsyncExitStack() as stack:
        streams = [await stack.enter_async_context(watch(http, EVENTS)) for _ in range(50)]
        for stream in streams:
            await stream.until("caught_up")
        fake.run("j1")
        fake.complete("j1")
        for stream in streams:
            assert durable(await stream.rest()) == [1, 2]
    assert fake.count_opened("j1") == 1


async def test_a_late_watcher_gets_the_snapshot_what_followed_and_the_newest_values(
    fake: FakeServer, http: aiohttp.ClientSession
) -> None:
    fake.add_job("j1")
    async with watch(http, EVENTS) as early:
        await early.until("caught_up")
        fake.run("j1")
        fake.progress("j1", 0.1)
        fake.progress("j1", 0.2)
        fake.warn("j1", "A")
        await early.until("warning")
        async with watch(http, EVENTS) as late:
            events = await late.until("caught_up")

    assert [event.kind for event in events] == ["snapshot", "state_changed", "warning", "progress", "caught_up"]
    assert events[-2].data["progress"]["fraction"] == 0.2
    assert events[-2].id == events[-3].id, "a value must not lead a browser back behind what it has"
    assert fake.count_opened("j1") == 1


async def test_an_ended_job_is_told_once_then_the_browser_is_sent_away(
    fake: FakeServer, http: aiohttp.ClientSession
) -> None:
    fake.add_job("j1")
    fake.complete("j1")
    async with watch(http, EVENTS) as stream:
        events = await stream.rest()
    assert events[0].data["snapshot"]["state"] == "JOB_STATE_SUCCEEDED"

    async with http.get(EVENTS, headers={"Last-Event-ID": events[-1].id}) as again:
        assert again.status == 204


async def test_a_browser_that_saw_completed_is_answered_204(fake: FakeServer, http: aiohttp.ClientSession) -> None:
    fake.add_job("j1")
    async with watch(http, EVENTS) as stream:
        await stream.until("caught_up")
        fake.complete("j1")
        [completed] = await stream.rest()
    async with http.get(EVENTS, headers={"Last-Event-ID": completed.id}) as again:
        assert again.status == 204
        assert await again.read() == b""


async def test_204_also_comes_when_the_gateway_never_saw_the_job(fake: FakeServer, http: aiohttp.ClientSession) -> None:
    fake.add_job("j1")
    fake.run("j1")
    fake.complete("j1")
    async with http.get(EVENTS, headers={"Last-Event-ID": "p2"}) as again:
        assert again.status == 204


async def test_earliest_replays_every_durable_event(fake: FakeServer, http: aiohttp.ClientSession) -> None:
    fake.add_job("j1")
    fake.run("j1")
    fake.warn("j1", "A")
    fake.progress("j1", 0.7)
    async with watch(http, EVENTS, last_event_id="earliest") as stream:
        replayed = await stream.until("caught_up")
        fake.complete("j1")
        rest = await stream.rest()
    assert [event.kind for event in replayed] == ["state_changed", "warning", "progress", "caught_up"]
    assert durable(replayed + rest) == [1, 2, 3]


async def test_the_header_goes_before_the_query(fake: FakeServer, http: aiohttp.ClientSession) -> None:
    fake.add_job("j1")
    fake.run("j1")
    fake.warn("j1", "A")
    fake.complete("j1")
    async with watch(http, f"{EVENTS}?last_event_id=earliest", last_event_id="p2") as stream:
        assert durable(await stream.rest()) == [3]


async def test_an_old_token_begins_with_reset_and_snapshot(fake: FakeServer, http: aiohttp.ClientSession) -> None:
    fake.add_job("j1")
    fake.run("j1")
    async with watch(http, EVENTS, last_event_id="old") as stream:
        events = await stream.until("caught_up")
        fake.warn("j1", "A")
        [warning] = await stream.until("warning")
    assert [event.kind for event in events] == ["reset", "snapshot", "caught_up"]
    assert warning.sequence == 2


async def test_a_forged_token_is_400(fake: FakeServer, http: aiohttp.ClientSession) -> None:
    fake.add_job("j1")
    async with http.get(EVENTS, headers={"Last-Event-ID": "forged"}) as response:
        assert response.status == 400
        assert (await response.json())["reason"] == "INVALID_RESUME_TOKEN"


async def test_an_unknown_job_is_404(http: aiohttp.ClientSession) -> None:
    async with http.get("/api/v1/jobs/nobody/events") as response:
        assert response.status == 404
        assert response.content_type == "application/problem+json"
        assert (await response.json())["reason"] == "JOB_NOT_FOUND"


SCRIPT = ["run", "warn", "progress", "preview", "warn", "output", "progress", "warn", "complete"]


def play(fake: FakeServer, step: str) -> None:
    match step:
        case "run":
            fake.run("j1")
        case "warn":
            fake.warn("j1", "W")
        case "progress":
            fake.progress("j1", 0.5)
        case "preview":
            fake.preview("j1", b"frame")
        case "output":
            fake.add_output("j1", b"picture")
        case "complete":
            fake.complete("j1")


@pytest.mark.parametrize("cut", range(len(SCRIPT) + 2))
@pytest.mark.parametrize("is_shared", [True, False], ids=["shared", "alone"])
async def test_a_browser_cut_at_any_event_gets_each_durable_event_once(
    fake: FakeServer, http: aiohttp.ClientSession, cut: int, is_shared: bool
) -> None:
    """The browser reads `cut` events, goes, misses some and comes back with the id of the last one."""
    fake.add_job("j1")
    async with AsyncExitStack() as stack:
        if is_shared:  # somebody else keeps the upstream open
            other = await stack.enter_async_context(watch(http, EVENTS))
            await other.until("caught_up")
        seen: list[Event] = []
        async with watch(http, EVENTS) as stream:
            await stream.until("caught_up")
            last_id = stream.last_id
            for step in SCRIPT:
                play(fake, step)
            for _ in range(cut):
                event = await stream.next()
                if event is None:
                    break
                seen.append(event)
                last_id = event.id
        async with http.get(EVENTS, headers={"Last-Event-ID": last_id}) as again:
            if again.status == 200:
                seen += await Stream(again).rest()
            else:
                assert again.status == 204
    assert durable(seen) == [1, 2, 3, 4, 5, 6]


@settings(max_examples=25, deadline=None)
@given(
    steps=st.lists(st.sampled_from(["warn", "progress", "preview", "output"]), max_size=12),
    cuts=st.lists(st.integers(0, 14), min_size=1, max_size=3),
    drops=st.sets(st.integers(0, 12), max_size=2),
)
def test_resume_is_exact_whatever_happens(steps: list[str], cuts: list[int], drops: set[int]) -> None:
    """Browser and server both lose connections at arbitrary moments; nothing durable is lost or repeated."""
    asyncio.run(resume_through(["run", *steps, "complete"], cuts, drops))


async def resume_through(steps: list[str], cuts: list[int], drops: set[int]) -> None:
    async with serve_fake(FakeServer()) as fake:
        fake.add_job("j1")
        chosen = GatewaySettings(http="127.0.0.1:0", server=fake.address)
        async with serve_gateway(chosen) as gateway, aiohttp.ClientSession(gateway.url) as http:
            seen: list[int] = []
            async with watch(http, EVENTS) as stream:
                await stream.until("caught_up")
                token = stream.last_id
                for number, step in enumerate(steps):
                    if number in drops:
                        fake.drop()
                    play(fake, step)
                token = await read_some(stream, cuts[0], seen, token)
            for cut in [*cuts[1:], 1000]:
                async with http.get(EVENTS, headers={"Last-Event-ID": token}) as again:
                    if again.status == 204:
                        break
                    token = await read_some(Stream(again), cut, seen, token)
    durable_steps = sum(step not in {"progress", "preview"} for step in steps)
    assert seen == list(range(1, durable_steps + 1))


async def read_some(stream: Stream, count: int, seen: list[int], token: str) -> str:
    for _ in range(count):
        event = await stream.next()
        if event is None:
            break
        seen += durable([event])
        token = event.id
    return token


async def test_a_server_that_goes_away_is_only_a_pause(fake: FakeServer, http: aiohttp.ClientSession) -> None:
    fake.add_job("j1")
    async with watch(http, EVENTS) as stream:
        await stream.until("caught_up")
        fake.run("j1")
        await stream.until("state_changed")
        fake.drop()
        await stream.until_comment("reconnecting")
        fake.warn("j1", "missed")
        fake.complete("j1")
        events = await stream.rest()
    assert durable(events) == [2, 3]
    assert fake.opened[-1].resume_token


async def test_a_server_restarted_on_its_port_is_found_again() -> None:
    fake = FakeServer()
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(AsyncExitStack())
        await server.enter_async_context(serve_fake(fake))
        fake.add_job("j1")
        chosen = GatewaySettings(http="127.0.0.1:0", server=fake.address)
        gateway = await stack.enter_async_context(serve_gateway(chosen))
        http = await stack.enter_async_context(aiohttp.ClientSession(gateway.url))
        stream = await stack.enter_async_context(watch(http, EVENTS))
        await stream.until("caught_up")
        await server.aclose()
        await stream.until_comment("reconnecting")
        fake.run("j1")
        await stack.enter_async_context(serve_fake(fake, fake.address))
        fake.complete("j1")
        assert durable(await stream.rest()) == [1, 2]


@pytest.mark.parametrize("path", [EVENTS, "/api/v1/events"])
async def test_a_server_that_goes_before_it_has_told_all_keeps_nobody_waiting(
    monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr("imagegen_gateway.following.PATIENCE_S", 0.1)
    fake = FakeServer()
    fake.catches_up = False
    fake.add_job("j1")
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(AsyncExitStack())
        await server.enter_async_context(serve_fake(fake))
        chosen = GatewaySettings(http="127.0.0.1:0", server=fake.address)
        gateway = await stack.enter_async_context(serve_gateway(chosen))
        http = await stack.enter_async_context(aiohttp.ClientSession(gateway.url))
        asking = asyncio.create_task(http.get(path))
        await fake.until(lambda: fake.opened)
        await server.aclose()
        async with asyncio.timeout(10), await asking as response:
            assert [event.kind for event in await Stream(response).rest()] == ["snapshot"]


async def test_without_a_server_the_answer_is_503_with_retry_after(
    nowhere: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imagegen_gateway.following.PATIENCE_S", 0.1)
    chosen = GatewaySettings(http="127.0.0.1:0", server=nowhere)
    async with serve_gateway(chosen) as gateway, aiohttp.ClientSession(gateway.url) as http:
        async with http.get(EVENTS) as response:
            assert response.status == 503
            assert int(response.headers["Retry-After"]) >= 1
        async with http.get("/readyz") as response:
            assert response.status == 503
        async with http.get("/healthz") as response:
            assert response.status == 200


@pytest.fixture(name="nowhere")
def nowhere_fixture() -> str:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{sock.getsockname()[1]}"


async def test_previews_come_inline_as_url_or_not_at_all(fake: FakeServer, http: aiohttp.ClientSession) -> None:
    fake.add_job("j1")
    async with AsyncExitStack() as stack:
        inline, url, none = [
            await stack.enter_async_context(watch(http, EVENTS, previews=how)) for how in ("inline", "url", "none")
        ]
        for stream in (inline, url, none):
            await stream.until("caught_up")
        fake.preview("j1", b"\xff\xd8 frame", frame=7)
        fake.warn("j1", "end")
        [preview, *_] = await inline.until("preview")
        [notice, *_] = await url.until("preview")
        assert [event.kind for event in await none.until("warning")] == ["warning"]
        assert base64.b64decode(preview.data["preview"]["data"]) == b"\xff\xd8 frame"
        assert "data" not in notice.data["preview"]
        async with http.get(notice.data["preview"]["url"]) as frame:
            assert await frame.read() == b"\xff\xd8 frame"
            assert frame.content_type == "image/jpeg"
            assert frame.headers["Cache-Control"] == "no-store"
    assert fake.count_opened("j1") == 1


async def test_a_preview_too_large_to_be_inline_becomes_an_address(
    fake: FakeServer, http: aiohttp.ClientSession
) -> None:
    fake.add_job("j1")
    async with watch(http, EVENTS) as stream:
        await stream.until("caught_up")
        fake.preview("j1", bytes(64 * 1024 + 1))
        [event] = await stream.until("preview")
    assert event.data["preview"]["url"].startswith("/api/v1/jobs/j1/preview?")


async def test_max_pixels_is_asked_of_the_server_once_per_size(fake: FakeServer, http: aiohttp.ClientSession) -> None:
    fake.add_job("j1")
    async with AsyncExitStack() as stack:
        for pixels in ("300", "256", "400"):
            stream = await stack.enter_async_context(watch(http, EVENTS, max_pixels=pixels))
            await stream.until("caught_up")
    assert [request.watch.max_pixels for request in fake.opened] == [256]


async def test_max_rate_hz_holds_values_back_and_sends_the_newest(
    fake: FakeServer, http: aiohttp.ClientSession
) -> None:
    fake.add_job("j1")
    async with watch(http, EVENTS, max_rate_hz="4") as stream:
        await stream.until("caught_up")
        fake.progress("j1", 0.01)
        [first] = await stream.until("progress")
        for step in range(2, 11):
            fake.progress("j1", step / 100)
        fake.warn("j1", "not held back")
        [warning, second] = await stream.until("progress")
    assert first.data["progress"]["fraction"] == 0.01
    assert warning.kind == "warning"
    assert second.data["progress"]["fraction"] == 0.1
    assert second.id == warning.id


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("previews=base64", "previews"),
        ("max_rate_hz=31", "max_rate_hz"),
        ("max_rate_hz=nan", "max_rate_hz"),
        ("max_pixels=8", "max_pixels"),
        ("max_pixels=%C2%B2", "max_pixels"),
        ("preview=none", "preview"),
        (f"last_event_id={'x' * 257}", "last_event_id"),
    ],
)
async def test_bad_options_are_refused_by_name(http: aiohttp.ClientSession, query: str, field: str) -> None:
    async with http.get(f"{EVENTS}?{query}") as response:
        assert response.status == 400
        assert (await response.json())["errors"][0]["field"] == field


@pytest.mark.parametrize("settings", [{"ping_interval_s": 0.02}])
async def test_a_silent_stream_is_pinged(fake: FakeServer, http: aiohttp.ClientSession) -> None:
    fake.add_job("j1")
    async with watch(http, EVENTS) as stream:
        await stream.until_comment("ping")


@pytest.mark.parametrize("settings", [{"max_watchers_per_job": 1, "max_watchers": 2}])
async def test_too_many_watchers_are_429(fake: FakeServer, http: aiohttp.ClientSession) -> None:
    fake.add_job("j1")
    fake.add_job("j2")
    async with watch(http, EVENTS):
        async with http.get(EVENTS) as response:
            assert response.status == 429
            assert "Retry-After" in response.headers
            assert (await response.json())["reason"] == "TOO_MANY_WATCHERS"
        async with watch(http, "/api/v1/jobs/j2/events"), http.get("/api/v1/events") as response:
            assert response.status == 429


async def test_many_jobs_over_one_stream(fake: FakeServer, http: aiohttp.ClientSession) -> None:
    for job_id in ("a", "b", "c"):
        fake.add_job(job_id)
    async with watch(http, "/api/v1/events", jobs="a,b") as stream:
        begun = await stream.until("caught_up")
        assert [event.data["snapshot"]["job_id"] for event in begun[:2]] == ["a", "b"]
        fake.run("a")
        fake.run("c")
        fake.progress("b", 0.1)
        fake.complete("b")
        fake.complete("a")
        events = await stream.rest()
    assert {event.data["job_id"] for event in events} == {"a", "b"}
    assert [event.data["job_id"] for event in events if event.kind == "completed"] == ["b", "a"]
    async with http.get("/api/v1/events?jobs=a,b", headers={"Last-Event-ID": events[-1].id}) as again:
        assert again.status == 204


async def test_all_jobs_include_later_ones_and_survive_the_server(
    fake: FakeServer, http: aiohttp.ClientSession
) -> None:
    async with watch(http, "/api/v1/events") as stream:
        await stream.until("caught_up")
        fake.add_job("new")
        fake.run("new")
        await stream.until("state_changed")
        fake.drop()
        await stream.until_comment("reconnecting")
        fake.complete("new")
        [completed] = await stream.until("completed")
    assert completed.data["job_id"] == "new"
    assert isinstance(fake.opened[-1], image_gen_pb2.WatchJobsRequest)


async def test_a_token_of_one_stream_serves_the_other(fake: FakeServer, http: aiohttp.ClientSession) -> None:
    fake.add_job("a")
    fake.add_job("b")
    async with watch(http, "/api/v1/jobs/a/events") as stream:
        await stream.until("caught_up")
        fake.run("a")
        [running] = await stream.until("state_changed")
    fake.run("b")
    async with watch(http, "/api/v1/events", jobs="a,b", last_event_id=running.id) as many:
        assert [event.data["job_id"] for event in (await many.until("caught_up"))[:-1]] == ["b"]


async def test_the_upstream_ends_after_its_last_watcher(
    fake: FakeServer, http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imagegen_gateway.hub.LINGER_S", 0.0)
    fake.add_job("j1")
    async with watch(http, EVENTS) as stream:
        await stream.until("caught_up")
        assert len(fake.watchers) == 1
    await fake.until(lambda: not fake.watchers)


async def test_closing_the_gateway_ends_streams_in_good_order(fake: FakeServer) -> None:
    fake.add_job("j1")
    chosen = GatewaySettings(http="127.0.0.1:0", server=fake.address)
    async with AsyncExitStack() as stack:
        gateway = await stack.enter_async_context(AsyncExitStack())
        url = (await gateway.enter_async_context(serve_gateway(chosen))).url
        http = await stack.enter_async_context(aiohttp.ClientSession(url))
        one = await stack.enter_async_context(watch(http, EVENTS))
        many = await stack.enter_async_context(watch(http, "/api/v1/events"))
        await one.until("caught_up")
        await many.until("caught_up")
        await gateway.aclose()
        assert await one.rest() == []
        assert await many.rest() == []
    assert fake.jobs["j1"].state == job_pb2.JOB_STATE_QUEUED


async def test_an_http_1_0_client_gets_plain_bytes(fake: FakeServer, http: aiohttp.ClientSession) -> None:
    fake.add_job("j1")
    fake.complete("j1")
    url = http._base_url
    assert url is not None
    reader, writer = await asyncio.open_connection(url.host, url.port)
    writer.write(f"GET {EVENTS} HTTP/1.0\r\nHost: {url.host}\r\n\r\n".encode())
    async with asyncio.timeout(10):
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    assert b"chunked" not in head.lower()
    assert body.startswith(b"retry: ")
    assert b"event: snapshot\n" in body


def test_every_event_of_the_contract_has_a_class() -> None:
    control = {"snapshot", "caught_up", "reset", "heartbeat"}
    oneof = event_pb2.JobEvent.DESCRIPTOR.oneofs_by_name["event"]
    assert {field.name for field in oneof.fields} == DURABLE | EPHEMERAL | control
