"""Does to the programs what the plan says, and writes down when."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

import aiohttp

from imagegen_adapters.comfyui.answers import ATTEMPT_TAG
from imagegen_client import Client, ImagegenError
from tests.chaos.evidence import Evidence, Hold, HoldKind, Incident
from tests.chaos.plan import BACKENDS, SERVER, Trouble, TroubleKind
from tests.e2e.programs import Program

_HEALTHY: Mapping[str, dict[str, Any]] = {
    "comfyui": {"slowness_s": 0.0, "fail_next": "", "lost_posts": 0},
    "a1111": {"answer_delay_s": 0.0, "is_out_of_memory": False},
}


_BY_PEOPLE = frozenset({TroubleKind.DRAIN, TroubleKind.HOLD})
"""These do nothing to a program, and may come while another disturbance does."""


class Troublemaker:
    def __init__(
        self, programs: Mapping[str, Program], session: aiohttp.ClientSession, client: Client, evidence: Evidence
    ) -> None:
        self._programs = programs
        self._session = session
        self._client = client
        self._evidence = evidence
        self._locks = defaultdict[tuple[str, bool], asyncio.Lock](asyncio.Lock)
        """One disturbance of a target at a time."""

    async def make(self, trouble: Trouble) -> None:
        """Returns when the target is as it was."""
        await asyncio.sleep(trouble.at_s)
        async with self._locks[trouble.target, trouble.kind in _BY_PEOPLE]:
            begin = time.time()
            try:
                await self._do(trouble)
            except (ImagegenError, TimeoutError, RuntimeError, OSError) as error:
                self._evidence.problems.append(f"{trouble.kind} of {trouble.target} failed: {error!r}")
            finally:
                incident = Incident(kind=trouble.kind, target=trouble.target, begin=begin, end=time.time())
                self._evidence.incidents.append(incident)

    async def heal(self) -> None:
        """To be called when no trouble is under way any more."""
        for name in BACKENDS:
            await self._set_faults(self._programs[name], _HEALTHY[_kind(name)])

    async def take_stock(self, name: str) -> list[str]:
        """Notes what the backend was given in its present life; gives what it still has. Raises aiohttp.ClientError."""
        url = f"{self._programs[name].address}/_fake"
        async with self._session.get(url, timeout=aiohttp.ClientTimeout(total=5.0)) as response:
            answer = await response.json()
        if _kind(name) == "a1111":
            received, left, ends = answer["received"], answer["left"], answer
        else:
            received, left = ([_attempt_of(each) for each in answer["prompts"][key]] for key in ("accepted", "left"))
            ends = answer["prompts"]
        lives = self._evidence.handed_over.setdefault(name, [])
        lives[self._programs[name].lives - 1 :] = [received]
        self._evidence.succeeded.setdefault(name, set()).update(ends["succeeded"])
        self._evidence.ended.setdefault(name, {}).update(ends["ended"])
        return list(left)

    async def _do(self, trouble: Trouble) -> None:
        if trouble.kind in _BY_PEOPLE:
            await self._hold(trouble)
            return
        program = self._programs[trouble.target]
        match trouble.kind:
            case TroubleKind.KILL:
                await self._kill(trouble, program)
            case TroubleKind.KILL_AGAIN:
                await program.kill()
                await program.begin()
                await asyncio.sleep(trouble.seconds)
                await program.kill()
                await program.start()
            case TroubleKind.STOP:
                try:
                    code = await program.stop()
                finally:
                    await program.start()
                if code:
                    self._evidence.problems.append(f"{program.name} ended with status {code} when it was stopped")
            case TroubleKind.PAUSE:
                with program.silenced():
                    await asyncio.sleep(trouble.seconds)
            case TroubleKind.LOSE_ANSWER if _kind(program.name) == "comfyui":
                await self._set_faults(program, {"lost_posts": 1})
            case TroubleKind.CUT | TroubleKind.LOSE_ANSWER:
                cut = {"drop_sockets": True} if _kind(program.name) == "comfyui" else {"do": "drop_job_connections"}
                await self._set_faults(program, cut)
            case TroubleKind.SLOW:
                await self._slow_down(trouble, program)
            case TroubleKind.OUT_OF_MEMORY:
                fault = {"fail_next": "oom"} if _kind(program.name) == "comfyui" else {"is_out_of_memory": True}
                await self._set_faults(program, fault)

    async def _hold(self, trouble: Trouble) -> None:
        client = self._client
        if trouble.kind is TroubleKind.DRAIN:
            kind, name = HoldKind.BACKEND, trouble.target
            hold: Callable[[], Awaitable[object]] = partial(client.drain_backend, name)
            let_go: Callable[[], Awaitable[object]] = partial(client.undrain_backend, name)
        else:
            kind, name = HoldKind.OWNER, "" if trouble.target == SERVER else trouble.target
            hold, let_go = partial(client.pause_queue, owner=name), partial(client.resume_queue, owner=name)
        await hold()
        begin = time.time()
        await asyncio.sleep(trouble.seconds)
        self._evidence.holds.append(Hold(kind=kind, name=name, begin=begin, end=time.time()))
        await let_go()

    async def _kill(self, trouble: Trouble, program: Program) -> None:
        if program.name in BACKENDS:
            with suppress(aiohttp.ClientError, TimeoutError):
                await self.take_stock(program.name)
        await program.kill()
        await asyncio.sleep(trouble.seconds)
        await program.start()

    async def _slow_down(self, trouble: Trouble, program: Program) -> None:
        name = "slowness_s" if _kind(program.name) == "comfyui" else "answer_delay_s"
        await self._set_faults(program, {name: 0.2 + trouble.seconds / 4})
        await asyncio.sleep(trouble.seconds)
        await self._set_faults(program, {name: 0.0})

    async def _set_faults(self, program: Program, faults: Mapping[str, Any]) -> None:
        async with self._session.post(f"{program.address}/_fake/faults", json=faults) as response:
            response.raise_for_status()


def _kind(backend: str) -> str:
    return "a1111" if backend == "a1111" else "comfyui"


def _attempt_of(prompt: Mapping[str, Any]) -> str:
    """By our tag: older servers choose ids of their own."""
    return str(prompt["extra_data"].get(ATTEMPT_TAG, prompt["prompt_id"]))
