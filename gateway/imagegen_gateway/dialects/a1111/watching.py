"""How requests stand: `progress`, `internal/progress` and what goes with it."""

import asyncio
import secrets
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from imagegen.v1 import image_gen_pb2, image_gen_pb2_grpc, job_pb2
from imagegen_gateway.callers import Caller, caller_of
from imagegen_gateway.dialects.a1111.desk import TASK_LABEL, Desk, task_key
from imagegen_gateway.dialects.a1111.fields import TASK_PROGRESS, read
from imagegen_gateway.dialects.a1111.progress import (
    TaskQuestion,
    global_progress,
    stored_task,
    task_progress,
    unknown_task,
)
from imagegen_gateway.dialects.bodies import read_bytes
from imagegen_gateway.dialects.kit import Kit
from imagegen_gateway.dialects.rendering import Moment

if TYPE_CHECKING:  # this name is in the stub only
    from imagegen.v1.image_gen_pb2_grpc import ImageGenServiceAsyncStub

TRUE: Final = frozenset({"1", "true", "on", "yes"})


class Watchtower:
    """Answers questions about requests that are under way."""

    def __init__(self, kit: Kit, desk: Desk) -> None:
        self._kit = kit
        self._desk = desk
        self._stub: ImageGenServiceAsyncStub = image_gen_pb2_grpc.ImageGenServiceStub(kit.channels.events)
        self._app_id = secrets.randbits(63)

    async def progress(self, request: web.Request) -> web.Response:
        """The client's request at work."""
        client = self._desk.client(caller_of(request))
        with_preview = request.query.get("skip_current_image", "").lower() not in TRUE
        now_s = asyncio.get_running_loop().time()
        return web.json_response(global_progress(client.shown(), client.last, now_s=now_s, with_preview=with_preview))

    async def task(self, request: web.Request) -> web.Response:
        """One request, by the id that it brought along."""
        wanted = read(await read_bytes(request, self._kit.settings.max_body_bytes), TASK_PROGRESS)
        question = TaskQuestion(
            task_id=wanted["id_task"], preview_id=wanted["id_live_preview"], with_preview=wanted["live_preview"]
        )
        return web.json_response(await self._answer(question, caller_of(request)))

    async def _answer(self, question: TaskQuestion, caller: Caller) -> dict[str, Any]:
        client = self._desk.client(caller)
        work = client.task(question.task_id) if question.task_id else None
        if work is not None:
            return task_progress(work, question, now_s=asyncio.get_running_loop().time())
        is_completed = client.has_completed(question.task_id)
        if is_completed is not None or not question.task_id:
            return unknown_task(is_completed=bool(is_completed))
        job = await self._stored(question.task_id, caller)
        if job is None:
            return unknown_task()
        moment = await self._moment(job.job_id)
        return stored_task(job, moment, question, age_s=_age_s(job))

    async def _stored(self, task_id: str, caller: Caller) -> job_pb2.Job | None:
        """The newest job of a task that this process has forgotten, or never knew."""
        request = image_gen_pb2.ListJobsRequest(page_size=1, label=f"{TASK_LABEL}={task_key(caller, task_id)}")
        answer = await self._stub.ListJobs(request, timeout=self._kit.settings.rpc_timeout_s)
        return next(iter(answer.jobs), None)

    async def _moment(self, job_id: str) -> Moment | None:
        async with self._kit.studio.follow(job_id) as rendering, aclosing(rendering.moments()) as moments:
            return await anext(moments, None)

    async def pending_tasks(self, request: web.Request) -> web.Response:
        """The client's requests that wait."""
        works = self._desk.client(caller_of(request)).works
        tasks = [work.task_id for work in works if work.task_id and not work.is_at_work]
        return web.json_response({"size": len(tasks), "tasks": tasks})

    async def ping(self, request: web.Request) -> web.Response:  # noqa: ARG002  # a handler
        """Whether anybody is there."""
        return web.json_response({})

    async def app_id(self, request: web.Request) -> web.Response:  # noqa: ARG002  # a handler
        """Changes at each start, which tells that requests under way were lost."""
        return web.json_response({"app_id": self._app_id})


def _age_s(job: job_pb2.Job) -> float:
    """How long a job has been at work."""
    if not job.HasField("start_time"):
        return 0.0
    now = job_pb2.Job()
    now.end_time.GetCurrentTime()
    return max(0.0, now.end_time.ToNanoseconds() / 1e9 - job.start_time.ToNanoseconds() / 1e9)
