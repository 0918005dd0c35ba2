"""The A1111 adapter on its fake, and on a live server."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from imagegen_adapters.a1111.adapter import A1111Adapter, open_a1111
from imagegen_adapters.a1111.client import Timeouts
from imagegen_adapters.a1111.progress import Pace
from imagegen_adapters.config import BackendConfig
from imagegen_adapters.contract import Adapter, ImageParameters, RawGraph
from imagegen_adapters.errors import (
    Interrupted,
    Lost,
    NodeFailed,
    OutOfMemory,
    Uncertain,
    Unintelligible,
    Unreachable,
)
from tests.adapters.conformance.subject import SUCCESS, Ending, Fault, Promises
from tests.fakes.a1111 import FakeA1111, open_fake
from tests.fakes.a1111.server import Flavor

STEP_S = 0.01
TIMEOUTS = Timeouts(
    connect_s=1.0,
    request_s=1.0,
    refused_s=0.3,
    silence_s=1.0,
    answer_s=2.0,
    stall_s=10.0,
    cancel_s=2.0,
    leave_s=2.0,
    pace=Pace(min_s=0.01, max_s=0.05),
)
ENDINGS: Mapping[Fault, Ending] = {
    Fault.REFUSED: Ending(errors=(Unreachable,)),
    # The POST's own connection is the only one that tells about the result, and there is no second one to be had.
    Fault.DROPPED_SOCKET: Ending(errors=(Lost,)),
    Fault.SILENCE: Ending(errors=(Unreachable,)),
    Fault.DEATH: Ending(errors=(Unreachable,)),
    Fault.OUT_OF_MEMORY: Ending(errors=(OutOfMemory,)),
    Fault.RESTART: Ending(errors=(Lost,)),
    Fault.GARBAGE: Ending(errors=(Unintelligible,)),
    Fault.SLOWNESS: SUCCESS,
    Fault.NODE_FAILURE: Ending(errors=(NodeFailed,)),
    Fault.FOREIGN_INTERRUPT: Ending(errors=(Interrupted,)),
}
ENDINGS_WITHOUT_TASK_IDS = {
    **ENDINGS,
    Fault.DROPPED_SOCKET: Ending(errors=(Uncertain,)),
    Fault.SILENCE: Ending(errors=(Uncertain,)),
}


class FakeSubject:
    """Implements `Subject`."""

    def __init__(self, fake: FakeA1111, *, has_task_ids: bool = True) -> None:
        self._fake = fake
        self._has_task_ids = has_task_ids
        self._foreign: dict[str, asyncio.Task[object]] = {}

    @property
    def is_live(self) -> bool:
        return False

    @property
    def promises(self) -> Promises:
        return Promises(tells_of_attempts=self._has_task_ids)

    @property
    def faults(self) -> Mapping[Fault, Ending]:
        return ENDINGS if self._has_task_ids else ENDINGS_WITHOUT_TASK_IDS

    @property
    def patience_s(self) -> float:
        return 8.0

    def open_adapter(self) -> AbstractAsyncContextManager[A1111Adapter]:
        # A paced request has fewer steps than the ten after which a server shows something by default.
        options = {"preview_every_n_steps": "1"}
        return open_a1111(BackendConfig(name="fake", kind="a1111", url=self._fake.url, options=options), TIMEOUTS)

    def quick(self) -> ImageParameters:
        return ImageParameters(
            prompt="a lighthouse", model="dreamlike_tiny", width=128, height=128, steps=8, seed=11
        )  # fmt: skip

    def paced(self) -> ImageParameters:
        return ImageParameters(
            prompt="a lighthouse", model="dreamlike_tiny", width=128, height=128, steps=40, seed=11
        )  # fmt: skip

    def endless(self) -> ImageParameters:
        return ImageParameters(
            prompt="a lighthouse", model="dreamlike_tiny", width=128, height=128, steps=10**6, seed=11
        )  # fmt: skip

    def graph(self) -> RawGraph:
        raise NotImplementedError("A1111 takes no graphs")

    async def inject(self, fault: Fault) -> None:
        faults = self._fake.faults
        match fault:
            case Fault.REFUSED | Fault.DEATH:
                await self._fake.stop()
            case Fault.DROPPED_SOCKET:
                self._fake.drop_job_connections()
            case Fault.SILENCE:
                faults.is_silent = True
            case Fault.OUT_OF_MEMORY:
                faults.is_out_of_memory = True
            case Fault.RESTART:
                await self._fake.restart()
            case Fault.GARBAGE:
                faults.sends_garbage = True
            case Fault.SLOWNESS:
                faults.answer_delay_s = 0.05
            case Fault.NODE_FAILURE:
                faults.gives_nan = True
            case Fault.FOREIGN_INTERRUPT:
                self._fake.engine.interrupt()
            case _:
                raise NotImplementedError(fault)

    async def attempts(self) -> int:
        return sum(not job.is_foreign for job in self._fake.engine.jobs)

    async def submit_foreign(self) -> str:
        task = self._fake.post_foreign()
        known = len(self._fake.engine.jobs)
        await self._fake.engine.wait_until(lambda: len(self._fake.engine.jobs) > known)
        job_id = self._fake.engine.jobs[-1].task
        self._foreign[job_id] = task
        return job_id

    async def has_foreign(self, job_id: str) -> bool:
        is_stopped = self._fake.engine.tasks.current == job_id and self._fake.engine.state.interrupted
        return not is_stopped and any(job.task == job_id for job in self._fake.engine.jobs)

    async def finish_foreign(self, job_id: str) -> None:
        for job in self._fake.engine.jobs:
            if job.task == job_id:
                job.is_cut_short = True
        await self._foreign.pop(job_id)

    async def event_sockets(self) -> int | None:
        return None


class LiveSubject:
    """Implements `Subject`. The server is used as it is set up; its first checkpoint is the model."""

    def __init__(self, url: str, model: str) -> None:
        self._url = url
        self._model = model

    @property
    def is_live(self) -> bool:
        return True

    @property
    def promises(self) -> Promises:
        # Blurred edges are blended with the original after sampling; a real VAE is not exact elsewhere either.
        return Promises(reproduces_bytes=False, kept_area_tolerance=2.0, sends_previews=False, has_foreign_jobs=False)

    @property
    def faults(self) -> Mapping[Fault, Ending]:
        return {}

    @property
    def patience_s(self) -> float:
        return 300.0

    def open_adapter(self) -> AbstractAsyncContextManager[Adapter]:
        return open_a1111(BackendConfig(name="live", kind="a1111", url=self._url))

    def quick(self) -> ImageParameters:
        return ImageParameters(prompt="a lighthouse", model=self._model, width=128, height=128, steps=4, seed=11)

    def paced(self) -> ImageParameters:
        return ImageParameters(prompt="a lighthouse", model=self._model, width=128, height=128, steps=20, seed=11)

    def endless(self) -> ImageParameters:
        return ImageParameters(prompt="a lighthouse", model=self._model, width=128, height=128, steps=500, seed=11)

    def graph(self) -> RawGraph:
        raise NotImplementedError("A1111 takes no graphs")

    async def inject(self, fault: Fault) -> None:
        raise NotImplementedError("a live server has no faults to inject")

    async def attempts(self) -> int:
        async with self.open_adapter() as adapter:
            return (await adapter.status()).queue_depth

    async def submit_foreign(self) -> str:
        raise NotImplementedError("a live server has no jobs of others")

    async def has_foreign(self, job_id: str) -> bool:
        return False

    async def finish_foreign(self, job_id: str) -> None:
        raise NotImplementedError("a live server has no jobs of others")

    async def event_sockets(self) -> int | None:
        return None


@asynccontextmanager
async def fake() -> AsyncIterator[FakeSubject]:
    async with open_fake(step_s=STEP_S) as server:
        yield FakeSubject(server)


@asynccontextmanager
async def fake_without_task_ids() -> AsyncIterator[FakeSubject]:
    async with open_fake(step_s=STEP_S, flavor=Flavor.SDNEXT) as server:
        yield FakeSubject(server, has_task_ids=False)


@asynccontextmanager
async def live(url: str) -> AsyncIterator[LiveSubject]:
    async with open_a1111(BackendConfig(name="live", kind="a1111", url=url)) as adapter:
        catalog = await adapter.catalog()
    yield LiveSubject(url, catalog.checkpoints[0].name)
