"""The demo painter: its backend is the adapter's own thread."""

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager

from imagegen_adapters.config import BackendConfig
from imagegen_adapters.contract import Adapter, ImageParameters, RawGraph, Update
from imagegen_adapters.demo.adapter import open_demo
from imagegen_adapters.demo.attempt import Wish, pieces
from imagegen_adapters.errors import NodeFailed, OutOfMemory
from tests.adapters.conformance.subject import Ending, Fault, Promises, Subject
from tests.adapters.demo.graphs import text_to_image


@asynccontextmanager
async def fake() -> AsyncIterator[Subject]:
    yield DemoSubject()


class DemoSubject:
    is_live = False
    promises = Promises(has_foreign_jobs=False)
    faults: Mapping[Fault, Ending] = {
        Fault.OUT_OF_MEMORY: Ending((OutOfMemory,)),
        Fault.NODE_FAILURE: Ending((NodeFailed,)),
    }
    patience_s = 10.0

    def __init__(self) -> None:
        self._next_failure: Exception | None = None
        self._speed = "100"
        self._adapters: list[Adapter] = []

    @asynccontextmanager
    async def open_adapter(self) -> AsyncIterator[Adapter]:
        config = BackendConfig(name="demo", kind="demo", options={"speed": self._speed})
        async with open_demo(config, paint=self._painted) as adapter:
            self._adapters.append(adapter)
            try:
                yield adapter
            finally:
                self._adapters.remove(adapter)

    def _painted(
        self, source: ImageParameters, model: str, inputs: Mapping[str, bytes], wish: Wish
    ) -> Iterator[list[Update]]:
        for number, made in enumerate(pieces(source, model, inputs, wish)):
            if number and self._next_failure is not None:
                failure, self._next_failure = self._next_failure, None
                raise failure
            yield made

    def quick(self) -> ImageParameters:
        return ImageParameters(prompt="a red fox", model="demo-landscape", width=128, height=128, steps=4, seed=7)

    def paced(self) -> ImageParameters:
        return ImageParameters(prompt="a red fox", model="demo-flow", width=128, height=128, steps=12, seed=7)

    def endless(self) -> ImageParameters:
        return ImageParameters(prompt="a red fox", model="demo-landscape", width=128, height=128, steps=10**9, seed=7)

    def graph(self) -> RawGraph:
        return RawGraph(json=json.dumps(text_to_image()))

    async def inject(self, fault: Fault) -> None:
        match fault:
            case Fault.OUT_OF_MEMORY:
                self._next_failure = MemoryError()
            case Fault.NODE_FAILURE:
                self._next_failure = ZeroDivisionError("a fault of the painter")
            case _:
                raise NotImplementedError(fault)

    async def attempts(self) -> int:
        return sum([(await adapter.status()).queue_depth for adapter in self._adapters])

    async def submit_foreign(self) -> str:
        raise NotImplementedError

    async def has_foreign(self, job_id: str) -> bool:
        raise NotImplementedError

    async def finish_foreign(self, job_id: str) -> None:
        raise NotImplementedError

    async def event_sockets(self) -> int | None:
        return None
