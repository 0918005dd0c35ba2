"""
title: imagegen: live previews
description: Shows how far the picture is, and how it looks so far, while Open WebUI waits for it.
version: 1.0.0
required_open_webui_version: 0.10.0
license: Apache-2.0
"""

# Runs inside Open WebUI, as a global filter; `imagegen openwebui install --filter` puts it there.
#
# 1. A chat is followed when its model calls Open WebUI's generate_image or edit_image: `stream` sees the prompt. Where
#    the call cannot be seen (function calling "legacy", answers that are not streamed) it is followed from `inlet` on.
# 2. All chats of one owner share one stream of the gateway's events. It is open only while a chat is followed.
# 3. A job belongs to the chat that waits for its prompt. A chat whose prompt could not be seen takes the next job of
#    its own user that nobody waits for; it never takes one of somebody else.
# 4. What is shown is the newest there is: at most 2 lines and 4 pictures a second, and no picture above 60 kB. Lines
#    on the way are not stored with the chat, the last one is. The picture itself is stored by Open WebUI.
# 5. All of it ends with the task that answers the chat, however that ends. Nothing here holds up a chat or makes it
#    fail; a gateway that is away is told once to the log.

import asyncio
import json
import logging
import os
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import Any

import aiohttp
from pydantic import BaseModel, ConfigDict, Field

log = logging.getLogger("imagegen.live_previews")

TOOLS = ("generate_image", "edit_image")
STATUS_INTERVAL_S = 0.5
PREVIEW_INTERVAL_S = 0.25
MAX_PREVIEW_BYTES = 60_000
SMALL_PIXELS = 320
"""Longest side of what is fetched in place of a preview that was too large, as the first ones are: they are noise."""
MAX_LINE_BYTES = 1 << 18
CALL_TIMEOUT = aiohttp.ClientTimeout(total=3)
MAX_ARGUMENTS_CHARS = 100_000
LAST_WORD_S = 5.0
"""How long the last line may take after the chat has ended."""

Emit = Callable[[dict[str, Any]], Awaitable[None]]


# --- what a job's events say, in the words of the gateway's chat models ---

PHASES = {
    "PREPARING": "Preparing",
    "WAITING": "Waiting for the backend",
    "LOADING_MODEL": "Loading the model",
    "ENCODING": "Reading the prompt",
    "SAMPLING": "Sampling",
    "DECODING": "Decoding",
    "PROCESSING": "Working",
    "SAVING": "Saving",
}
REASONS = {
    "NO_BACKEND": "no backend is there for it",
    "PAUSED": "paused",
    "QUEUE_PAUSED": "the queue is paused",
    "RETRY_DELAY": "trying again in a moment",
    "OWNER_LIMIT": "waiting for another of your pictures",
}
ENDS = {"SUCCEEDED": "Done", "FAILED": "Failed", "CANCELLED": "Cancelled", "EXPIRED": "Expired"}


@dataclass(frozen=True)
class View:
    """How a job stands."""

    state: str = "QUEUED"
    queue: Mapping[str, Any] | None = None
    progress: Mapping[str, Any] | None = None
    """The last progress; that of a phase that has only begun has no steps."""
    images: int = 1
    error: str = ""
    """Why it failed."""

    @property
    def has_ended(self) -> bool:
        return self.state in ENDS


def view_of(job: Mapping[str, Any]) -> View:
    """How a job stands that is told whole."""
    return View(
        state=short(job["state"]),
        queue=job.get("queue"),
        progress=job.get("progress"),
        images=(job["spec"].get("image") or {}).get("count", 1),
        error=(job.get("error") or {}).get("message", ""),
    )


def view_after(view: View, kind: str, body: Mapping[str, Any]) -> View:
    """How the job stands after an event."""
    match kind:
        case "snapshot":
            return view_of(body)
        case "completed":
            return view_of(body["job"])
        case "state_changed":
            return replace(view, state=short(body["to"]), queue=None, progress=None)
        case "queue_updated":
            return replace(view, queue=body)
        case "model_loading":
            return replace(view, progress={"phase": "PHASE_LOADING_MODEL"})
        case "phase_changed" | "progress":
            return replace(view, progress=body)
    return view


def line_of(view: View) -> str:
    """As "Queued, 3rd, about 40 s" or "Sampling 7/20, 35 %"."""
    if view.state == "CANCELLING":
        return "Cancelling"
    if view.state == "QUEUED":
        return line_of_queue(view.queue or {})
    return line_of_progress(view.progress, view.images) if view.progress else "Starting"


def line_of_queue(queue: Mapping[str, Any]) -> str:
    parts = ["Queued"]
    if reason := REASONS.get(short(queue.get("reason", ""))):
        parts.append(reason)
    elif queue:
        parts.append(ordinal(queue["ahead"] + 1) if queue["ahead"] else "next")
    if queue.get("finish_eta"):
        parts.append(about(float(queue["finish_eta"].removesuffix("s"))))
    return ", ".join(parts)


def line_of_progress(progress: Mapping[str, Any], images: int) -> str:
    phase = PHASES.get(short(progress["phase"]), "Working")
    parts = [f"{phase} {progress['step']}/{progress['steps']}" if progress.get("steps") else phase]
    if images > 1 and "image_index" in progress:
        parts.append(f"image {progress['image_index'] + 1} of {images}")
    if progress.get("fraction"):
        parts.append(f"{int(100 * progress['fraction'])} %")
    return ", ".join(parts)


def last_line_of(view: View, took_s: float, *, is_stopped: bool) -> str:
    """What stays when it is over; the chat can be over before the job is, or is heard of."""
    if view.state == "SUCCEEDED":
        return f"Done, {took_s:.1f} s" if took_s < 10 else f"Done, {took_s:.0f} s"
    if not view.has_ended:
        return "Stopped" if is_stopped else "Done"
    return f"{ENDS[view.state]}: {view.error}" if view.error else ENDS[view.state]


def short(name: str) -> str:
    """The name of an enum's value without that of the enum: JOB_STATE_QUEUED is QUEUED."""
    for prefix in ("JOB_STATE_", "PHASE_", "WAIT_REASON_"):
        name = name.removeprefix(prefix)
    return name


def ordinal(number: int) -> str:
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th") if number % 100 not in {11, 12, 13} else "th"
    return f"{number}{ending}"


def about(time_s: float) -> str:
    """A time no finer than it is known."""
    if time_s < 10:
        return f"about {max(1, round(time_s))} s"
    if time_s < 90:
        return f"about {round(time_s / 5) * 5} s"
    return f"about {round(time_s / 60)} min" if time_s < 90 * 60 else f"about {round(time_s / 3600)} h"


# --- which prompts a model asks for ---


class Calls:
    """Puts together the calls of image tools that a model streams in fragments."""

    def __init__(self) -> None:
        self._open: dict[int, str] = {}

    def read(self, event: Mapping[str, Any], tools: Collection[str] = TOOLS) -> list[str]:
        """The prompts of the calls of these tools that this fragment makes whole."""
        item = event.get("item")
        if event.get("type") == "response.output_item.done" and isinstance(item, Mapping):  # Responses API
            prompt = prompt_of(item.get("arguments")) if item.get("name") in tools else None
            return [prompt] if prompt else []
        prompts = []
        for call in calls_in(event):
            index, function = call.get("index", 0), call.get("function") or {}
            if function.get("name"):
                self._open.pop(index, None)
            if function.get("name") in tools:
                self._open[index] = ""
            if index in self._open:
                self._open[index] += function.get("arguments") or ""
                prompt = prompt_of(self._open[index])
                if prompt is not None or len(self._open[index]) > MAX_ARGUMENTS_CHARS:
                    del self._open[index]
                prompts += [prompt] if prompt else []
        return prompts


def calls_in(event: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The fragments of tool calls in a chunk of an answer."""
    choices = event.get("choices")
    delta = (choices[0].get("delta") or {}) if choices else {}
    return delta.get("tool_calls") or []


def own_tools(metadata: Mapping[str, Any]) -> list[str]:
    """Open WebUI's own image tools. Those of a tool server, as imagegen's, go by the same names and show progress."""
    tools = metadata.get("tools") or {}
    given = {name: tools.get(name) or {} for name in TOOLS}
    return [
        name for name, tool in given.items() if tool.get("type") not in ("external", "mcp") and "server" not in tool
    ]


def prompt_of(arguments: Any) -> str | None:
    """The prompt in a call's arguments; None: they are not whole yet."""
    if not isinstance(arguments, str) or not arguments.rstrip().endswith("}"):
        return None
    try:
        found = json.loads(arguments)
    except ValueError:
        return None
    return str(found.get("prompt", "")) if isinstance(found, dict) else None


def is_for(job: Mapping[str, Any], prompt: str) -> bool:
    """Whether a job was made of this prompt."""
    spec = job["spec"]
    if "image" in spec:
        return " ".join(str(spec["image"]["prompt"]).split()) == " ".join(prompt.split())
    graph = json.dumps(json.loads((spec.get("graph") or {}).get("json") or "{}"))
    return bool(prompt) and json.dumps(prompt) in graph


# --- one message of a chat ---


@dataclass
class Showing:
    """A job that is shown in a message."""

    job_id: str
    view: View
    preview: str = ""
    """The newest picture that was not shown yet, as a data: address."""
    is_too_large: bool = False
    """Whether there is a newer one that was too large."""
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def hear(self, kind: str, body: Mapping[str, Any]) -> None:
        """Takes an event of the job."""
        if kind == "preview":
            self.is_too_large = not 0 < len(body.get("data") or "") * 3 // 4 <= MAX_PREVIEW_BYTES
            self.preview = "" if self.is_too_large else f"data:{body['media_type']};base64,{body['data']}"
        else:
            self.view = view_after(self.view, kind, body)
        if self.view.has_ended:
            self.ended.set()

    async def end_within(self, wait_s: float) -> None:
        """Waits for the end, so long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self.ended.wait()


@dataclass
class Follower:
    """A message that waits for pictures."""

    emit: Emit
    emit_unsaved: Emit
    """The same for what is not to be stored with the chat."""
    saved_files: Callable[[], Awaitable[list[dict[str, Any]]]]
    """The pictures that the message has already: an event with previews takes the place of all of them."""
    small_preview: Callable[[str], Awaitable[str]]
    """The newest picture of a job in a small size, as a data: address; empty: there is none."""
    has_previews: bool
    takes_any: bool
    """Whether it takes a job of any prompt, because its own cannot be seen."""
    prompts: list[str] = field(default_factory=list)
    """Those that it waits for."""
    is_stopped: bool = False
    """Whether somebody has stopped the chat."""
    showing: Showing | None = None
    jobs: asyncio.Queue[Showing | None] = field(default_factory=asyncio.Queue)

    @property
    def is_free(self) -> bool:
        return self.showing is None or self.showing.ended.is_set()

    def claim(self, job: Mapping[str, Any]) -> None:
        self.takes_any = False
        self.showing = Showing(job["job_id"], view_of(job))
        self.jobs.put_nowait(self.showing)

    def end(self, *, is_stopped: bool) -> None:
        """The chat is over."""
        self.is_stopped = is_stopped
        if self.showing is not None:
            self.showing.ended.set()
        self.jobs.put_nowait(None)

    async def run(self) -> None:
        """Shows one job after the other, until the chat is over."""
        while (showing := await self.jobs.get()) is not None:
            await self._show(showing)

    async def _show(self, showing: Showing) -> None:
        began, line, told_at = time.monotonic(), "", -STATUS_INTERVAL_S
        files: list[dict[str, Any]] | None = None
        while not showing.ended.is_set():
            if self.has_previews and (url := await self._preview(showing)):
                files = await self.saved_files() if files is None else files
                if showing.ended.is_set():  # meanwhile: the picture itself may be there already
                    break
                await self._emit_files([*files, {"type": "image", "url": url, "name": "preview"}])
            now = time.monotonic()
            if line != line_of(showing.view) and now - told_at >= STATUS_INTERVAL_S:
                line, told_at = line_of(showing.view), now
                await self.emit_unsaved({"type": "status", "data": {"description": line, "done": False}})
            await showing.end_within(PREVIEW_INTERVAL_S)
        if files is not None and showing.view.state != "SUCCEEDED":  # else Open WebUI puts the picture there
            await self._emit_files(await self.saved_files())
        line = last_line_of(showing.view, time.monotonic() - began, is_stopped=self.is_stopped)
        await self.emit({"type": "status", "data": {"description": line, "done": True}})

    async def _preview(self, showing: Showing) -> str:
        url, is_too_large = showing.preview, showing.is_too_large
        showing.preview, showing.is_too_large = "", False
        return await self.small_preview(showing.job_id) if is_too_large else url

    async def _emit_files(self, files: list[dict[str, Any]]) -> None:
        await self.emit_unsaved({"type": "chat:message:files", "data": {"files": files}})
        # Pictures alone do not move the page; this brings them into sight, unless the person has scrolled away.
        await self.emit_unsaved({"type": "chat:completion", "data": {}})


# --- the gateway's events ---


class Refused(Exception):
    """The gateway's answer is one that will not change by asking again."""


class Feed:
    """The events of one owner's jobs, and the messages that wait for them."""

    def __init__(self, gateway: str, key: str, owner: str, told: set[str]) -> None:
        """`told` are the gateways of which the log says already that they are away."""
        self._gateway, self._owner, self._told = gateway.rstrip("/"), owner, told
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._followers: list[Follower] = []
        self._task: asyncio.Task[None] | None = None
        self._session: aiohttp.ClientSession | None = None
        self._position = ""

    @property
    def is_needed(self) -> bool:
        return bool(self._followers)

    def join(self, follower: Follower) -> None:
        self._followers.append(follower)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())

    def leave(self, follower: Follower) -> None:
        self._followers.remove(follower)
        if not self._followers and self._task is not None:
            self._task.cancel()
            self._task = None

    async def small_preview(self, job_id: str) -> str:
        """The newest picture of a job in a small size, as a data: address; empty: there is none."""
        if self._session is None:
            return ""
        address = f"{self._gateway}/api/v1/jobs/{job_id}/preview?max_pixels={SMALL_PIXELS}"
        try:
            async with self._session.get(address, timeout=CALL_TIMEOUT) as response:
                data = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError):
            return ""
        is_shown = response.status == 200 and 0 < len(data) <= MAX_PREVIEW_BYTES
        return f"data:{response.content_type};base64,{b64encode(data).decode()}" if is_shown else ""

    async def _run(self) -> None:
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=60)  # there is a sign of life every 15 s
        pause_s, self._position = 1.0, ""
        try:
            async with aiohttp.ClientSession(headers=self._headers, timeout=timeout) as self._session:
                while True:
                    try:
                        await self._listen(self._session)
                        pause_s = 1.0
                    except (aiohttp.ClientError, TimeoutError, OSError) as error:
                        self._tell(error)
                    await asyncio.sleep(pause_s)
                    pause_s = min(2 * pause_s, 30.0)
        except Refused as error:
            self._tell(error)
        except Exception:
            log.exception("live previews end: the gateway says what they do not understand")
        finally:
            self._session = None

    def _tell(self, error: Exception) -> None:
        if self._gateway not in self._told:
            self._told.add(self._gateway)
            log.warning("no live previews from %s: %s", self._gateway, str(error) or type(error).__name__)

    async def _listen(self, session: aiohttp.ClientSession) -> None:
        query = {"previews": "inline", "max_pixels": "512", "max_rate_hz": "4"}
        query |= {"owner": self._owner} if self._owner else {}
        headers = {"Last-Event-ID": self._position} if self._position else {}
        async with session.get(
            f"{self._gateway}/api/v1/events", params=query, headers=headers, read_bufsize=MAX_LINE_BYTES
        ) as response:
            if response.status in (400, 410):  # a position that the gateway does not know any more
                self._position = ""
            if response.status in (401, 403, 404):
                raise Refused(f"it answered {response.status}")
            response.raise_for_status()
            self._told.discard(self._gateway)
            async for position, kind, event in records(response.content):
                await self._on_event(session, kind, event)
                self._position = position or self._position

    async def _on_event(self, session: aiohttp.ClientSession, kind: str, event: Mapping[str, Any]) -> None:
        body, job_id = event.get(kind) or {}, event["job_id"]
        for follower in self._followers:
            if follower.showing is not None and follower.showing.job_id == job_id:
                follower.showing.hear(kind, body)
                return
        is_new = kind == "state_changed" and body["from"] == "JOB_STATE_UNSPECIFIED"
        if (kind == "snapshot" or is_new) and any(follower.is_free for follower in self._followers):
            job = body if kind == "snapshot" else await self._job(session, job_id)
            if job is not None:
                self._offer(job)

    async def _job(self, session: aiohttp.ClientSession, job_id: str) -> Mapping[str, Any] | None:
        async with session.get(f"{self._gateway}/api/v1/jobs/{job_id}", timeout=CALL_TIMEOUT) as response:
            return (await response.json())["job"] if response.status == 200 else None

    def _offer(self, job: Mapping[str, Any]) -> None:
        """Gives a job to the message that waits for it, if there is one."""
        free = [follower for follower in self._followers if follower.is_free]
        if view_of(job).has_ended:
            return
        for follower in free:
            for prompt in follower.prompts:
                if is_for(job, prompt):
                    follower.prompts.remove(prompt)
                    follower.claim(job)
                    return
        for follower in free:
            if follower.takes_any and self._owner:
                follower.claim(job)
                return


async def records(content: aiohttp.StreamReader) -> AsyncIterator[tuple[str, str, Mapping[str, Any]]]:
    """Id, name and data of server-sent events."""
    position = kind = data = ""
    async for line in content:
        name, _, value = line.decode().rstrip("\n").partition(": ")
        match name:
            case "id":
                position = value
            case "event":
                kind = value
            case "data":
                data = value
            case "" if data:
                yield position, kind, json.loads(data)
                position = kind = data = ""


# --- what Open WebUI calls ---


def owner_of(user: Mapping[str, Any]) -> str:
    """What the gateway calls a user of Open WebUI."""
    for name in (str(user.get("email") or "").strip(), str(user.get("id") or "").strip()):
        if name and name.isascii() and name.isprintable() and len(name) <= 256:
            return name
    return ""


def last_words(messages: list[Mapping[str, Any]]) -> str:
    """The text of the last message of the user."""
    for message in reversed(messages):
        if message.get("role") == "user":
            content = message.get("content") or ""
            if isinstance(content, str):
                return content
            return " ".join(str(part.get("text", "")) for part in content if part.get("type") == "text")
    return ""


def users_told() -> str:
    """How Open WebUI tells the image engine openai who asks: "no", "plain" or "signed"."""
    if os.environ.get("ENABLE_FORWARD_USER_INFO_HEADERS", "").lower() != "true":
        return "no"
    return "signed" if os.environ.get("FORWARD_USER_INFO_HEADER_JWT_SECRET") else "plain"


async def unsaved(emit: Emit, metadata: Mapping[str, Any]) -> Emit:
    """An emitter that stores nothing with the chat; the plain one where this Open WebUI has none."""
    try:
        found: Emit | None = await import_module("open_webui.socket.main").get_event_emitter(metadata, update_db=False)
    except (ImportError, AttributeError, TypeError):
        return emit
    return found or emit


async def saved_files(chat_id: str, message_id: str) -> list[dict[str, Any]]:
    """The pictures that are stored with a message."""
    try:
        chats = import_module("open_webui.models.chats").Chats
        found = await chats.get_message_metadata(chat_id, message_id, "files")
    except (ImportError, AttributeError, TypeError):
        return []
    return list(found) if isinstance(found, list) else []


@dataclass
class Chat:
    """What is known of a message while it is answered."""

    calls: Calls = field(default_factory=Calls)
    follower: Follower | None = None
    feed: Feed | None = None
    task: asyncio.Task[None] | None = None


class Filter:
    """The filter. Open WebUI makes one in each of its processes."""

    class Valves(BaseModel):
        """What an admin can set."""

        model_config = ConfigDict(json_schema_extra={"users_told": users_told()})

        gateway: str = Field(default="http://127.0.0.1:8000", description="Address of the imagegen gateway.")
        key: str = Field(default="", description="Key for it.", json_schema_extra={"input": {"type": "password"}})
        by_owner: bool = Field(
            default=True,
            description="Follow the jobs of the user who asks. Off: all jobs, found by their prompt alone, "
            "for the engines automatic1111 and comfyui, which do not say who asks.",
        )
        previews: bool = Field(default=True, description="Show pictures on the way; else only how far it is.")

    def __init__(self) -> None:
        self.valves = self.Valves()
        self._chats: dict[str, Chat] = {}
        self._feeds: dict[tuple[str, str, str], Feed] = {}
        self._told: set[str] = set()

    async def inlet(
        self,
        body: dict[str, Any],
        __user__: dict[str, Any] | None = None,
        __metadata__: dict[str, Any] | None = None,
        __event_emitter__: Emit | None = None,
    ) -> dict[str, Any]:
        """Before the model is asked."""
        metadata = __metadata__ or {}
        features = body.get("features") or metadata.get("features") or {}
        is_legacy = (metadata.get("params") or {}).get("function_calling") == "legacy"
        if features.get("image_generation") and (is_legacy or not body.get("stream")):
            with guarded():
                follower = await self._follow(__user__, metadata, __event_emitter__, takes_any=True)
                if follower is not None:
                    follower.prompts.append(last_words(body.get("messages") or []))
        return body

    async def stream(
        self,
        event: dict[str, Any],
        __user__: dict[str, Any] | None = None,
        __metadata__: dict[str, Any] | None = None,
        __event_emitter__: Emit | None = None,
    ) -> dict[str, Any]:
        """For every fragment of an answer."""
        metadata = __metadata__ or {}
        with guarded():
            if metadata.get("message_id") and (calls_in(event) or event.get("type") == "response.output_item.done"):
                for prompt in self._chat(metadata).calls.read(event, own_tools(metadata)):
                    follower = await self._follow(__user__, metadata, __event_emitter__, takes_any=False)
                    if follower is not None:
                        follower.prompts.append(prompt)
        return event

    def _chat(self, metadata: Mapping[str, Any]) -> Chat:
        """What is known of the message that the running task answers; it is forgotten when the task ends."""
        message_id = str(metadata["message_id"])
        if message_id not in self._chats:
            self._chats[message_id] = Chat()
            task = asyncio.current_task()
            assert task is not None
            task.add_done_callback(lambda ended: self._end(message_id, is_stopped=ended.cancelled()))
        return self._chats[message_id]

    async def _follow(
        self,
        user: Mapping[str, Any] | None,
        metadata: Mapping[str, Any],
        emit: Emit | None,
        *,
        takes_any: bool,
    ) -> Follower | None:
        """What follows the jobs of a message; None where nothing could be shown."""
        chat_id, message_id = str(metadata.get("chat_id") or ""), str(metadata.get("message_id") or "")
        if emit is None or not user or not message_id or not chat_id or chat_id.startswith("channel:"):
            return None
        chat = self._chat(metadata)
        if chat.follower is None:
            chat.feed = self._feed(owner_of(user) if self.valves.by_owner and users_told() != "no" else "")
            chat.follower = Follower(
                emit=emit,
                emit_unsaved=await unsaved(emit, metadata),
                saved_files=lambda: saved_files(chat_id, message_id),
                small_preview=chat.feed.small_preview,
                # In chats that are not stored a preview would not take the place of the one before.
                has_previews=self.valves.previews and not chat_id.startswith(("temporary:", "local:")),
                takes_any=takes_any,
            )
            chat.feed.join(chat.follower)
            chat.task = asyncio.create_task(run_guarded(chat.follower))
        return chat.follower

    def _feed(self, owner: str) -> Feed:
        """The one for all messages of an owner; empty: for those whose jobs do not say whose they are."""
        key = (self.valves.gateway, self.valves.key, owner)
        if key not in self._feeds:
            self._feeds[key] = Feed(*key, self._told)
        return self._feeds[key]

    def _end(self, message_id: str, *, is_stopped: bool) -> None:
        chat = self._chats.pop(message_id)
        if chat.follower is None or chat.feed is None or chat.task is None:
            return
        chat.feed.leave(chat.follower)
        self._feeds = {key: feed for key, feed in self._feeds.items() if feed.is_needed}
        chat.follower.end(is_stopped=is_stopped)
        asyncio.get_running_loop().call_later(LAST_WORD_S, chat.task.cancel)


@contextmanager
def guarded() -> Iterator[None]:
    """Keeps what goes wrong here from the chat."""
    try:
        yield
    except Exception:
        log.exception("live previews cannot be shown")


async def run_guarded(follower: Follower) -> None:
    with guarded():
        await follower.run()
