"""Prompts over HTTP: handed in, listed, stopped, forgotten."""

from collections.abc import Mapping
from typing import Any, Final

import grpc
import orjson
from aiohttp import web

from imagegen.v1 import job_pb2
from imagegen_gateway.callers import caller_of
from imagegen_gateway.dialects.bodies import read_json
from imagegen_gateway.dialects.comfyui.endings import has_begun, number_of, prompt_id_of
from imagegen_gateway.dialects.comfyui.entries import history_entry, queue_entry
from imagegen_gateway.dialects.comfyui.filenames import Uploads
from imagegen_gateway.dialects.comfyui.jobs import AT_WORK, Jobs
from imagegen_gateway.dialects.comfyui.prompts import read_prompt, refused, spec_for
from imagegen_gateway.dialects.comfyui.refusals import refuse_prompt
from imagegen_gateway.dialects.comfyui.sockets import Sockets
from imagegen_gateway.dialects.kit import Kit
from imagegen_gateway.errors import Problem, from_rpc
from imagegen_gateway.eventlog import FINAL_STATES

MAX_ENTRIES: Final = 1000
"""Of history at a time, the newest."""
OPEN_WEBUI: Final = "Mozilla/5.0"
"""The User-Agent of Open WebUI's image engine, as a whole: browsers say more."""


class Queueing:
    """The handlers."""

    def __init__(self, kit: Kit, jobs: Jobs, sockets: Sockets, uploads: Uploads) -> None:
        self._kit = kit
        self._jobs = jobs
        self._sockets = sockets
        self._uploads = uploads

    async def post_prompt(self, request: web.Request) -> web.Response:
        """Hands a prompt in."""
        caller = caller_of(request)
        prompt = read_prompt(await self._read(request))
        spec = spec_for(prompt, self._uploads.images_in(prompt.graph, caller.owner))
        try:
            job = await self._kit.studio.create(spec, caller, request_id=prompt.prompt_id)
        except grpc.aio.AioRpcError as exc:
            return refuse_prompt(from_rpc(exc), prompt.graph)
        if prompt.is_first:
            await self._jobs.move_to_front(job, caller)
        self._sockets.tell_of(job, caller)
        return as_json({"prompt_id": prompt_id_of(job), "number": number_of(job), "node_errors": {}})

    async def get_prompt(self, request: web.Request) -> web.Response:
        """How many jobs there are: cheap."""
        return as_json({"exec_info": {"queue_remaining": await self._jobs.count(caller_of(request))}})

    async def get_queue(self, request: web.Request) -> web.Response:
        """The caller's prompts that have not ended, those that wait in the order in which they will run."""
        caller = caller_of(request)
        jobs = await self._jobs.unfinished(caller)
        waiting = [job for job in jobs if job.state == job_pb2.JOB_STATE_QUEUED]
        if len(waiting) > 1:
            places = await self._jobs.places(caller)
            waiting.sort(key=lambda job: places.get(job.job_id, len(places)))
        running = [job for job in jobs if job.state in AT_WORK]
        return as_json(
            {
                "queue_running": [queue_entry(job) for job in running],
                "queue_pending": [queue_entry(job) for job in waiting],
            }
        )

    async def post_queue(self, request: web.Request) -> web.Response:
        """Takes prompts that wait out of the queue: all of the caller's, or some."""
        caller = caller_of(request)
        body = await self._read(request)
        if body.get("clear"):
            jobs = await self._jobs.unfinished(caller)
        else:
            jobs = [job for each in ids_in(body) if (job := await self._jobs.find(each, caller)) is not None]
        await self._jobs.cancel([job for job in jobs if job.state == job_pb2.JOB_STATE_QUEUED], caller)
        return web.Response()

    async def interrupt(self, request: web.Request) -> web.Response:
        """Stops one prompt, or all of the caller's that run."""
        caller = caller_of(request)
        prompt_id = (await self._read(request)).get("prompt_id")
        if prompt_id:
            job = await self._jobs.find(str(prompt_id), caller)
            jobs = [job] if job is not None else []
        else:
            jobs = [job for job in await self._jobs.unfinished(caller) if job.state in AT_WORK]
        await self._jobs.cancel(jobs, caller)
        return web.Response()

    async def get_history(self, request: web.Request) -> web.Response:
        """The caller's prompts that have ended, oldest first."""
        count = _whole(request.query, "max_items", MAX_ENTRIES)
        offset = _whole(request.query, "offset", -1)
        jobs = await self._jobs.ended(caller_of(request), MAX_ENTRIES if offset >= 0 else min(count, MAX_ENTRIES))
        if offset >= 0:
            jobs = jobs[offset : offset + count]
        return as_json({prompt_id_of(job): history_entry(job) for job in jobs})

    async def get_history_of(self, request: web.Request) -> web.Response:
        """One of them; nothing for one that has not ended, or is not known."""
        job = await self._jobs.find(request.match_info["prompt_id"], caller_of(request))
        if job is None or job.state not in FINAL_STATES or not has_begun(job):
            return as_json({})
        entry = history_entry(job)
        is_failure = job.state != job_pb2.JOB_STATE_SUCCEEDED and not entry["outputs"]
        if is_failure and request.headers.get("User-Agent") == OPEN_WEBUI:
            # It takes every prompt that it finds here for a success, and tells its user so without a picture. An answer
            # that is an error it shows as one.
            raise Problem(500, job.error.message, reason="PROMPT_FAILED")
        return as_json({prompt_id_of(job): entry})

    async def post_history(self, request: web.Request) -> web.Response:
        """Forgets prompts that have ended. Their pictures stay in the gallery."""
        caller = caller_of(request)
        body = await self._read(request)
        if body.get("clear"):
            jobs = await self._jobs.ended(caller, MAX_ENTRIES)
        else:
            jobs = [job for each in ids_in(body) if (job := await self._jobs.find(each, caller)) is not None]
        await self._jobs.forget([job for job in jobs if job.state in FINAL_STATES], caller)
        return web.Response()

    async def _read(self, request: web.Request) -> dict[str, Any]:
        return await read_json(request, self._kit.settings.max_body_bytes)


def as_json(value: object) -> web.Response:
    """An answer."""
    headers = {"Cache-Control": "no-store"}
    return web.Response(body=orjson.dumps(value), content_type="application/json", headers=headers)


def ids_in(body: Mapping[str, Any]) -> list[str]:
    """The prompts that `delete` names. Raises Problem 400."""
    ids = body.get("delete", [])
    if not isinstance(ids, list) or len(ids) > MAX_ENTRIES:
        raise refused("INVALID_REQUEST", f"delete must be a list of at most {MAX_ENTRIES} prompt ids")
    return [str(each) for each in ids]


def _whole(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) <= 9) and text != "-1":
        raise refused("INVALID_REQUEST", f"{name} must be a whole number")
    return int(text) if text != "-1" else default
