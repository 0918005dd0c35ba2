"""Does to the programs what the plan says, and writes down when."""

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import aiohttp

from imagegen_adapters.comfyui.answers import ATTEMPT_TAG
from tests.chaos.evidence import Evidence, Incident
from tests.chaos.plan import BACKENDS, Trouble, TroubleKind
from tests.chaos.programs import Program

_HEALTHY: Mapping[str, dict[str, Any]] = {
    "comfyui": {"slowness_s": 0.0, "fail_next": "", "lost_posts": 0},
    "a1111": {"answer_delay_s": 0.0, "is_out_of_memory": False},
}


class Troublemaker:
    def __init__(self, programs: Mapping[str, Program], session: aiohttp.ClientSession, evidence: Evidence) -> None:
        self._programs = programs
        self._session = session
        self._evidence = evidence

    async def make(self, trouble: Trouble) -> None:
        """Returns when the program is up again."""
        await asyncio.sleep(trouble.at_s)
        program = self._programs[trouble.target]
        async with program.lock:
            begin = time.time()
            try:
                await self._do(trouble, program)
            except (TimeoutError, RuntimeError, OSError) as error:
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
            received, left, succeeded = answer["received"], answer["left"], answer["succeeded"]
        else:
            received, left = ([_attempt_of(each) for each in answer["prompts"][key]] for key in ("accepted", "left"))
            succeeded = answer["prompts"]["succeeded"]
        lives = self._evidence.handed_over.setdefault(name, [])
        lives[self._programs[name].lives - 1 :] = [received]
        self._evidence.succeeded.setdefault(name, set()).update(succeeded)
        return list(left)

    async def _do(self, trouble: Trouble, program: Program) -> None:
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
                await program.pause(trouble.seconds)
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
