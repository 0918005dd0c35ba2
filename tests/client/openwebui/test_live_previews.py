"""The filter that runs inside Open WebUI: called as Open WebUI calls it, in front of a real gateway."""

import asyncio
import json
import logging
import time
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from imagegen.v1.job_pb2 import Phase, WaitReason
from imagegen_client import Client
from imagegen_client.openwebui.live_previews import (
    MAX_PREVIEW_BYTES,
    PHASES,
    REASONS,
    STATUS_INTERVAL_S,
    Calls,
    Filter,
    Follower,
    Showing,
    View,
    is_for,
    last_line_of,
    last_words,
    line_of,
    owner_of,
    view_after,
    view_of,
)
from imagegen_gateway.app import serve_gateway
from imagegen_gateway.config import GatewaySettings
from imagegen_gateway.dialects import telling
from imagegen_server.app import serve
from imagegen_server.config import BackendSettings, ServerSettings

ANNA = {"id": "4711", "email": "anna@example.com"}
HEADERS_ARE_FORWARDED = "ENABLE_FORWARD_USER_INFO_HEADERS"


# --- pure ---


def fragments(name: str, arguments: str, *, index: int = 0, size: int = 5) -> list[dict[str, Any]]:
    """A call as a model streams it."""
    parts = [arguments[start : start + size] for start in range(0, len(arguments), size)]
    functions: list[dict[str, Any]] = [{"name": name, "arguments": ""}, *({"arguments": part} for part in parts)]
    return [
        {"choices": [{"delta": {"tool_calls": [{"index": index, "function": function}]}}]} for function in functions
    ]


def prompts_in(events: list[dict[str, Any]]) -> list[str]:
    calls = Calls()
    return [prompt for event in events for prompt in calls.read(event)]


FOX = json.dumps({"prompt": 'a "red" fox {sitting}', "size": "512x512"})


@pytest.mark.parametrize(
    ("events", "prompts"),
    [
        (fragments("generate_image", FOX), ['a "red" fox {sitting}']),
        (fragments("edit_image", FOX, size=1), ['a "red" fox {sitting}']),
        (fragments("generate_image", FOX, size=1000) * 2, ['a "red" fox {sitting}'] * 2),
        (fragments("search_web", FOX), []),
        (fragments("generate_image", FOX[:-1]), []),
        (fragments("generate_image", '{"prompt": }'), []),
        (fragments("generate_image", '{"size": "1x1"}'), []),
        (fragments("generate_image", "x" * 200_000, size=50_000), []),
        (fragments("search_web", FOX) + fragments("generate_image", FOX, index=1), ['a "red" fox {sitting}']),
        ([{"choices": []}, {"choices": [{"delta": {"content": "Hello"}}]}, {"usage": {}}], []),
        (
            [
                {"type": "response.output_item.done", "item": {"name": "generate_image", "arguments": FOX}},
                {"type": "response.output_item.done", "item": {"name": "other", "arguments": FOX}},
                {"type": "response.output_item.done"},
            ],
            ['a "red" fox {sitting}'],
        ),
    ],
)
def test_the_prompts_of_calls_are_seen(events: list[dict[str, Any]], prompts: list[str]) -> None:
    assert prompts_in(events) == prompts


SAMPLING = {"phase": "PHASE_SAMPLING", "step": 7, "steps": 20, "fraction": 0.35, "image_index": 0}


@pytest.mark.parametrize(
    ("events", "line"),
    [
        ([], "Queued"),
        ([("queue_updated", {"ahead": 2, "finish_eta": "38.2s"})], "Queued, 3rd, about 40 s"),
        ([("queue_updated", {"ahead": 0, "reason": "WAIT_REASON_TURN"})], "Queued, next"),
        ([("queue_updated", {"ahead": 10, "finish_eta": "130s"})], "Queued, 11th, about 2 min"),
        ([("queue_updated", {"ahead": 0, "reason": "WAIT_REASON_PAUSED"})], "Queued, paused"),
        ([("state_changed", {"to": "JOB_STATE_RUNNING"})], "Starting"),
        (
            [("state_changed", {"to": "JOB_STATE_RUNNING"}), ("model_loading", {"model": "sdxl"})],
            "Loading the model",
        ),
        ([("state_changed", {"to": "JOB_STATE_RUNNING"}), ("progress", SAMPLING)], "Sampling 7/20, 35 %"),
        ([("state_changed", {"to": "JOB_STATE_CANCELLING"})], "Cancelling"),
    ],
)
def test_a_line_says_how_the_job_stands(events: list[tuple[str, dict[str, Any]]], line: str) -> None:
    view = View()
    for kind, body in events:
        view = view_after(view, kind, body)
    assert line_of(view) == line


def test_a_job_of_several_images_says_which() -> None:
    view = view_of({"state": "JOB_STATE_RUNNING", "spec": {"image": {"count": 4}}, "progress": SAMPLING})
    assert line_of(view) == "Sampling 7/20, image 1 of 4, 35 %"


@pytest.mark.parametrize(
    ("view", "is_stopped", "line"),
    [
        (View(state="SUCCEEDED"), False, "Done, 2.5 s"),
        (View(state="FAILED", error="out of memory"), False, "Failed: out of memory"),
        (View(state="CANCELLED"), True, "Cancelled"),
        (View(state="RUNNING"), True, "Stopped"),
        (View(state="RUNNING"), False, "Done"),
    ],
)
def test_the_last_line_says_how_it_ended(view: View, is_stopped: bool, line: str) -> None:
    assert last_line_of(view, 2.5, is_stopped=is_stopped) == line


def test_the_filter_speaks_as_the_chat_models_do() -> None:
    assert {Phase.Value(f"PHASE_{name}"): text for name, text in PHASES.items()} == telling.PHASES
    assert {WaitReason.Value(f"WAIT_REASON_{name}"): text for name, text in REASONS.items()} == telling.REASONS


@pytest.mark.parametrize(
    ("spec", "is_its"),
    [
        ({"image": {"prompt": "a fox\nin  snow "}}, True),
        ({"image": {"prompt": "a wolf"}}, False),
        ({"graph": {"json": '{"6": {"inputs": {"text": "a fox in snow", "seed": 18446744073709551615}}}'}}, True),
        ({"graph": {"json": '{"6": {"inputs": {"text": "a wolf"}}}'}}, False),
        ({}, False),
    ],
)
def test_a_job_is_known_by_its_prompt(spec: dict[str, Any], is_its: bool) -> None:
    assert is_for({"spec": spec}, "a fox in snow") is is_its


@pytest.mark.parametrize(
    ("user", "owner"),
    [
        (ANNA, "anna@example.com"),
        ({"id": "4711", "email": "änne@example.com"}, "4711"),
        ({"id": "4711", "email": ""}, "4711"),
        ({}, ""),
    ],
)
def test_a_user_is_called_as_the_gateway_calls_them(user: dict[str, Any], owner: str) -> None:
    assert owner_of(user) == owner


def test_the_last_words_of_the_user_are_text() -> None:
    parts = [{"type": "image_url", "image_url": {"url": "data:"}}, {"type": "text", "text": "a fox"}]
    assert last_words([{"role": "user", "content": parts}, {"role": "assistant", "content": "x"}]) == "a fox"
    assert last_words([]) == ""


# --- in front of a gateway ---


@dataclass
class Message:
    """An answer that Open WebUI is about to give, with what was shown in it."""

    message_id: str = "message"
    chat_id: str = "chat"
    user: Mapping[str, Any] = field(default_factory=lambda: ANNA)
    params: Mapping[str, Any] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)

    @property
    def lines(self) -> list[str]:
        return [event["data"]["description"] for event in self.events if event["type"] == "status"]

    @property
    def pictures(self) -> list[list[dict[str, Any]]]:
        return [event["data"]["files"] for event in self.events if event["type"] == "chat:message:files"]

    @property
    def context(self) -> dict[str, Any]:
        """What Open WebUI gives to every hook."""
        metadata = {"message_id": self.message_id, "chat_id": self.chat_id, "params": self.params}
        return {"__user__": self.user, "__metadata__": metadata, "__event_emitter__": self._emit}

    async def _emit(self, event: dict[str, Any]) -> None:
        self.events.append(event)


@asynccontextmanager
async def calling(previews: Filter, message: Message, prompt: str) -> AsyncIterator[asyncio.Task[None]]:
    """A chat whose model has called generate_image, and that waits for the picture until the block is left."""
    over = asyncio.Event()
    called = asyncio.Event()

    async def chat() -> None:
        body = {"stream": True, "features": {"image_generation": True}, "messages": []}
        assert await previews.inlet(body, **message.context) is body
        for event in fragments("generate_image", json.dumps({"prompt": prompt})):
            assert await previews.stream(event, **message.context) is event
        called.set()
        await over.wait()

    task = asyncio.create_task(chat())
    await called.wait()
    try:
        yield task
    finally:
        over.set()
        await asyncio.gather(task, return_exceptions=True)


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not is_so():  # noqa: ASYNC110  # what is waited for is in the filter
            await asyncio.sleep(0.01)


async def until_quiet() -> None:
    """Until nothing of the filter runs any more."""

    def is_quiet() -> bool:
        names = [task.get_coro().__qualname__ for task in asyncio.all_tasks()]  # type: ignore[union-attr]  # has one
        return not [name for name in names if name.startswith(("Feed.", "run_guarded"))]

    await until(is_quiet)


@pytest.fixture(name="previews")
def previews_fixture(monkeypatch: pytest.MonkeyPatch) -> Filter:
    monkeypatch.setenv(HEADERS_ARE_FORWARDED, "true")
    return Filter()


@pytest.fixture(name="server")
async def server_fixture(tmp_path: Path, previews: Filter) -> AsyncIterator[str]:
    """Address of a server with a gateway that the filter knows."""
    backend = BackendSettings(kind="demo", options={"speed": "3"})
    async with (
        serve(ServerSettings(grpc="127.0.0.1:0", data_dir=tmp_path, backends=(backend,))) as server,
        serve_gateway(GatewaySettings(http="127.0.0.1:0", server=server.address)) as gateway,
    ):
        previews.valves = previews.Valves(gateway=gateway.url)
        yield server.address


async def test_previews_are_seen_and_end_with_the_picture(previews: Filter, server: str) -> None:
    message = Message()
    async with Client(server, owner=ANNA["email"]) as anna, calling(previews, message, "a red fox"):
        await anna.create_job("a red fox")
        await until(lambda: bool(message.lines) and message.lines[-1].startswith("Done, "))
    assert [line for line in message.lines if line.startswith("Sampling ")]
    assert message.events[-1]["data"]["done"]
    assert len(message.pictures) >= 2
    for (picture,) in message.pictures:
        assert picture["type"] == "image"
        assert picture["url"].startswith("data:image/jpeg;base64,")
        assert len(b64decode(picture["url"].partition(",")[2])) <= MAX_PREVIEW_BYTES
    await until_quiet()


async def shown_by(follower: Follower, showing: Showing) -> None:
    follower.jobs.put_nowait(showing)
    follower.jobs.put_nowait(None)
    async with asyncio.timeout(10):
        await follower.run()


async def nothing(*_: object) -> Any:
    return []


async def test_lines_come_twice_a_second_at_most() -> None:
    told_at: list[float] = []
    showing = Showing("j", View(state="RUNNING", progress={"phase": "PHASE_SAMPLING"}))

    async def emit(event: dict[str, Any]) -> None:
        told_at.append(time.monotonic())
        showing.view = replace(showing.view, progress={"phase": "PHASE_SAMPLING", "step": len(told_at), "steps": 9})
        if len(told_at) == 3:
            showing.ended.set()

    follower = Follower(emit, emit, nothing, nothing, has_previews=False, takes_any=False)
    await shown_by(follower, showing)
    *on_the_way, _ = told_at
    assert all(later - earlier > 0.8 * STATUS_INTERVAL_S for earlier, later in pairwise(on_the_way))


async def test_no_preview_is_shown_when_the_job_ends_while_it_is_made_ready() -> None:
    events: list[str] = []
    showing = Showing("j", View(state="RUNNING"), preview="data:image/jpeg;base64,AA==")

    async def emit(event: dict[str, Any]) -> None:
        events.append(event["type"])

    async def saved_files() -> list[dict[str, Any]]:
        showing.hear("completed", {"job": {"state": "JOB_STATE_SUCCEEDED", "spec": {}}})
        return []

    await shown_by(Follower(emit, emit, saved_files, nothing, has_previews=True, takes_any=False), showing)
    assert events == ["status"]


async def test_two_chats_of_one_user_get_their_own(previews: Filter, server: str) -> None:
    fox, owl = Message(message_id="fox"), Message(message_id="owl")
    async with (
        Client(server, owner=ANNA["email"]) as anna,
        calling(previews, fox, "a fox"),
        calling(previews, owl, "an owl"),
    ):
        await anna.create_job("an owl")
        await until(lambda: bool(owl.lines))
        assert fox.events == []
        await anna.create_job("a fox")
        await until(lambda: bool(fox.lines))
    await until_quiet()


async def test_where_users_are_not_told_a_job_is_found_by_its_prompt_alone(
    previews: Filter, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(HEADERS_ARE_FORWARDED, "false")
    message, blind = Message(), Message(message_id="blind", params={"function_calling": "legacy"})
    async with Client(server) as client, calling(previews, message, "a fox"), calling(previews, blind, "a wolf"):
        await client.create_job("an owl")
        await client.create_job("a fox")
        await until(lambda: bool(message.lines))
    assert blind.events == []
    await until_quiet()


async def test_a_chat_that_is_stopped_shows_no_preview_any_more(previews: Filter, server: str) -> None:
    message = Message()
    async with Client(server, owner=ANNA["email"]) as anna, calling(previews, message, "a fox") as task:
        await anna.create_job("a fox")
        await until(lambda: bool(message.pictures))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await until(lambda: message.lines[-1] == "Stopped")
    assert message.pictures[-1] == []
    await until_quiet()


async def test_the_tools_of_a_tool_server_show_their_progress_themselves(previews: Filter) -> None:
    metadata = {"message_id": "1", "chat_id": "1", "tools": {"generate_image": {"type": "external"}}}
    message = Message()
    for event in fragments("generate_image", FOX):
        await previews.stream(event, **{**message.context, "__metadata__": metadata})
    await until_quiet()
    assert message.events == []


async def test_a_chat_that_makes_no_picture_asks_the_gateway_nothing(previews: Filter) -> None:
    message = Message()
    body: dict[str, Any] = {"stream": True, "features": {"image_generation": True}, "messages": []}
    event = {"choices": [{"delta": {"content": "Hello"}}]}
    assert await previews.inlet(body, **message.context) is body
    assert await previews.stream(event, **message.context) is event
    assert await previews.stream({"choices": []}) == {"choices": []}
    await until_quiet()


# --- a gateway that is in trouble ---


@dataclass
class Trouble:
    """A gateway that answers as it is told."""

    url: str = ""
    status: int = 200
    positions: list[str] = field(default_factory=list)
    """The Last-Event-ID of each stream that was asked for."""
    owners: list[str] = field(default_factory=list)
    small: bytes = b"small"
    """The newest preview, in the size that was asked for."""
    streams: list[list[tuple[str, str, dict[str, Any]]]] = field(default_factory=list)
    """What each of them says before it is cut: id, event, data; the last one stays open."""

    async def preview(self, request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == "Bearer sk-gateway"
        return web.Response(body=self.small, content_type="image/webp")

    async def events(self, request: web.Request) -> web.StreamResponse:
        self.positions.append(request.headers.get("Last-Event-ID", ""))
        self.owners.append(request.query.get("owner", ""))
        response = web.StreamResponse(status=self.status)
        await response.prepare(request)
        for position, kind, data in self.streams.pop(0) if self.streams else ():
            record = f"id: {position}\nevent: {kind}\ndata: {json.dumps(data)}\n\n"
            await response.write(record.encode())
        if not self.streams and self.status == 200:
            await asyncio.Event().wait()
        return response


@pytest.fixture(name="trouble")
async def trouble_fixture(previews: Filter) -> AsyncIterator[Trouble]:
    trouble = Trouble()
    app = web.Application()
    app.router.add_get("/api/v1/events", trouble.events)
    app.router.add_get("/api/v1/jobs/1/preview", trouble.preview)
    runner = web.AppRunner(app, shutdown_timeout=0, handler_cancellation=True)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        trouble.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        previews.valves = previews.Valves(gateway=trouble.url, key="sk-gateway")
        yield trouble
    finally:
        await runner.cleanup()


def job(state: str = "JOB_STATE_RUNNING", **more: Any) -> dict[str, Any]:
    return {"job_id": "1", "state": state, "spec": {"image": {"prompt": "a fox", "count": 1}}, **more}


async def test_a_stream_that_was_cut_goes_on_where_it_ended(previews: Filter, trouble: Trouble) -> None:
    failed = job("JOB_STATE_FAILED", error={"message": "the backend ran out of memory"})
    trouble.streams = [
        [("p1", "snapshot", {"job_id": "1", "snapshot": job()})],
        [("p2", "completed", {"job_id": "1", "completed": {"job": failed}})],
    ]
    message = Message()
    async with calling(previews, message, "a fox"):
        await until(lambda: message.lines[-1:] == ["Failed: the backend ran out of memory"])
    assert trouble.positions == ["", "p1"]
    await until_quiet()


@pytest.mark.parametrize(
    "preview",
    [
        {"data": "x" * (MAX_PREVIEW_BYTES * 4 // 3 + 10), "media_type": "image/jpeg"},
        {"url": "/elsewhere"},
        {"data": ""},
    ],
)
@pytest.mark.parametrize(("small", "pictures"), [(b"small", 1), (b"x" * (MAX_PREVIEW_BYTES + 1), 0)])
async def test_a_preview_that_is_too_large_is_shown_smaller(
    previews: Filter, trouble: Trouble, preview: dict[str, Any], small: bytes, pictures: int
) -> None:
    trouble.small = small
    trouble.streams = [
        [
            ("", "snapshot", {"job_id": "1", "snapshot": job()}),
            ("", "preview", {"job_id": "1", "preview": preview}),
        ]
    ]
    message = Message()
    async with calling(previews, message, "a fox"):
        await until(lambda: message.lines == ["Starting"])
    shown = [picture["url"] for files in message.pictures for picture in files]
    assert shown == [f"data:image/webp;base64,{b64encode(small).decode()}"] * pictures
    await until_quiet()


@pytest.mark.parametrize("chat_id", ["temporary:1", "local:1"])
async def test_a_chat_that_is_not_stored_sees_lines_only(previews: Filter, trouble: Trouble, chat_id: str) -> None:
    preview = {"job_id": "1", "preview": {"media_type": "image/webp", "data": "aGVsbG8="}}
    trouble.streams = [[("", "snapshot", {"job_id": "1", "snapshot": job()}), ("", "preview", preview)]]
    message = Message(chat_id=chat_id)
    async with calling(previews, message, "a fox"):
        await until(lambda: message.lines == ["Starting"])
    assert message.pictures == []
    await until_quiet()


@pytest.mark.parametrize("chat_id", ["channel:1", ""])
async def test_in_channels_nothing_can_be_shown(previews: Filter, trouble: Trouble, chat_id: str) -> None:
    async with calling(previews, Message(chat_id=chat_id), "a fox"):
        await until_quiet()
    assert trouble.positions == []


@pytest.mark.parametrize("forwarded", ["true", "false"])
async def test_a_chat_whose_call_cannot_be_seen_takes_the_next_job_of_its_own_user(
    previews: Filter, trouble: Trouble, forwarded: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(HEADERS_ARE_FORWARDED, forwarded)
    trouble.streams = [[("", "snapshot", {"job_id": "1", "snapshot": job()})]]
    first, second = (Message(message_id=name, params={"function_calling": "legacy"}) for name in ("first", "second"))
    over = asyncio.Event()

    async def chat(message: Message) -> None:
        words = [{"role": "user", "content": "draw a thing"}]
        body = {"stream": True, "features": {"image_generation": True}, "messages": words}
        await previews.inlet(body, **message.context)
        await over.wait()

    async with asyncio.TaskGroup() as tasks:
        for message in (first, second):
            tasks.create_task(chat(message))
        await until(lambda: bool(trouble.positions) and (bool(first.lines) or forwarded == "false"))
        over.set()
    assert trouble.owners == [ANNA["email"] if forwarded == "true" else ""]
    assert bool(first.lines) is (forwarded == "true")
    assert second.lines == []
    await until_quiet()


@pytest.mark.parametrize("status", [401, 404, 503])
async def test_a_gateway_that_refuses_is_told_once_to_the_log(
    previews: Filter, trouble: Trouble, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    trouble.status = status
    with caplog.at_level(logging.WARNING, logger="imagegen.live_previews"):
        for number in range(2):
            message = Message(message_id=str(number))
            async with calling(previews, message, "a fox"):
                await until(lambda: len(trouble.positions) > number)  # noqa: B023  # is over within this turn
            assert message.events == []
    await until_quiet()
    assert len(caplog.records) == 1
    assert "sk-gateway" not in caplog.text


async def test_a_gateway_that_speaks_otherwise_does_not_break_the_chat(
    previews: Filter, trouble: Trouble, caplog: pytest.LogCaptureFixture
) -> None:
    trouble.streams = [[("", "snapshot", {"job_id": "1", "snapshot": {"spec": []}})]]
    message = Message()
    async with calling(previews, message, "a fox"):
        await until(lambda: bool(caplog.records))
    assert message.events == []
    await until_quiet()


async def test_what_goes_wrong_in_a_hook_stays_there(previews: Filter, caplog: pytest.LogCaptureFixture) -> None:
    event = {"choices": [{"delta": {"tool_calls": ["nonsense"]}}]}
    assert await previews.stream(event, **Message().context) is event
    assert "live previews cannot be shown" in caplog.text
