"""The two ways in, each as patient as a good client: gRPC through our own, HTTP as a script would do it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import aiohttp
from google.protobuf.json_format import MessageToDict

from imagegen.v1.job_pb2 import JobSpec
from imagegen_client import Client, ImagegenError, Overloaded
from tests.chaos.plan import Place

GIVE_UP_AFTER_S = 60.0
"""On a server that is away."""
_ROOM_WITHIN_S = 180.0
"""Who hands in more than there is room for waits longer."""

PASSING = frozenset({502, 503, 504})
"""What the gateway answers while it cannot reach the server."""

T = TypeVar("T")


class WayIn(Protocol):
    """Raises ImagegenError for what is refused, TimeoutError or ImagegenError for a server that stays away."""

    async def create(self, spec: JobSpec, request_id: str) -> str: ...

    async def retry(self, job_id: str, request_id: str, *, new_seeds: bool) -> str: ...

    async def cancel(self, job_id: str) -> None: ...

    async def pause(self, job_id: str, *, is_paused: bool) -> None: ...

    async def move(self, job_id: str, to: Place, anchor: str) -> None: ...


@dataclass(frozen=True, slots=True)
class GrpcWay:
    client: Client

    async def create(self, spec: JobSpec, request_id: str) -> str:
        return (await _until_there_is_room(lambda: self.client.create_job(spec, request_id=request_id))).job_id

    async def retry(self, job_id: str, request_id: str, *, new_seeds: bool) -> str:
        retried = await _until_there_is_room(
            lambda: self.client.retry_job(job_id, new_seeds=new_seeds, request_id=request_id)
        )
        return retried.job_id

    async def cancel(self, job_id: str) -> None:
        await self.client.cancel(job_id)

    async def pause(self, job_id: str, *, is_paused: bool) -> None:
        await self.client.update_job(job_id, paused=is_paused)

    async def move(self, job_id: str, to: Place, anchor: str) -> None:
        await self.client.move_job(
            job_id,
            first=to is Place.FIRST,
            last=to is Place.LAST,
            before=anchor if to is Place.BEFORE else "",
            after=anchor if to is Place.AFTER else "",
        )


@dataclass(frozen=True, slots=True)
class HttpWay:
    session: aiohttp.ClientSession
    """Of the gateway's address."""
    owner: str

    async def create(self, spec: JobSpec, request_id: str) -> str:
        body = {"spec": MessageToDict(spec, preserving_proto_field_name=True)}
        return await self._ask("POST", "/api/v1/jobs", body, request_id)

    async def retry(self, job_id: str, request_id: str, *, new_seeds: bool) -> str:
        return await self._ask("POST", f"/api/v1/jobs/{job_id}:retry", {"new_seeds": new_seeds}, request_id)

    async def cancel(self, job_id: str) -> None:
        await self._ask("POST", f"/api/v1/jobs/{job_id}:cancel", {})

    async def pause(self, job_id: str, *, is_paused: bool) -> None:
        await self._ask("PATCH", f"/api/v1/jobs/{job_id}", {"paused": is_paused})

    async def move(self, job_id: str, to: Place, anchor: str) -> None:
        body = {
            Place.FIRST: {"end": "QUEUE_END_FIRST"},
            Place.LAST: {"end": "QUEUE_END_LAST"},
            Place.BEFORE: {"before_job_id": anchor},
            Place.AFTER: {"after_job_id": anchor},
        }[to]
        await self._ask("POST", f"/api/v1/queue/entries/{job_id}:move", body)

    async def _ask(self, method: str, path: str, body: Mapping[str, Any], request_id: str = "") -> str:
        """The id of the job that is answered."""
        headers = {"Imagegen-Owner": self.owner, **({"Idempotency-Key": request_id} if request_id else {})}
        async with asyncio.timeout(_ROOM_WITHIN_S):
            while True:
                pause_s = 0.2
                try:
                    async with self.session.request(method, path, json=body, headers=headers) as response:
                        if response.status == 200:
                            return str((await response.json())["job"]["job_id"])
                        if response.status == 429:
                            pause_s = float(response.headers["Retry-After"])
                        elif response.status not in PASSING:
                            problem = await response.json()
                            raise ImagegenError(f"{response.status}: {problem}", reason=problem.get("reason", ""))
                except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError):
                    pass  # it is being started again
                await asyncio.sleep(pause_s)


async def _until_there_is_room(call: Callable[[], Awaitable[T]]) -> T:
    async with asyncio.timeout(_ROOM_WITHIN_S):
        while True:
            try:
                return await call()
            except Overloaded as error:
                if error.retry_after_s is None:
                    raise
                await asyncio.sleep(error.retry_after_s)
