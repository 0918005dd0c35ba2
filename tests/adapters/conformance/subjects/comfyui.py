"""ComfyUI: the fake, or a live server."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from imagegen_adapters.comfyui.adapter import open_comfyui
from imagegen_adapters.comfyui.client import ComfyClient, Timing, open_client
from imagegen_adapters.config import BackendConfig
from imagegen_adapters.contract import Adapter, ImageParameters, RawGraph
from imagegen_adapters.errors import Interrupted, Lost, NodeFailed, OutOfMemory, Unreachable
from imagegen_adapters.graphs.node_classes import parse_node_classes
from tests.adapters.conformance.subject import SUCCESS, Ending, Fault, Promises
from tests.fakes.comfyui import CHECKPOINTS, FakeComfyUI, open_fake

FAST = Timing(
    request_s=1.0,
    transfer_s=3.0,
    reconnect_pause_s=0.1,
    reconnect_limit_s=0.2,
    poll_s=0.1,
    silence_s=0.4,
    refused_s=0.3,
    unreachable_s=2.0,
    cancel_s=2.0,
)


def fake() -> AbstractAsyncContextManager["FakeSubject"]:
    return _open_fake_subject()


def live(url: str) -> AbstractAsyncContextManager["LiveSubject"]:
    return _open_live_subject(url)


class _Requests:
    """The same small requests for both."""

    def __init__(self, model: str, *, steps_quick: int, steps_paced: int, size: int) -> None:
        self._model = model
        self._steps_quick = steps_quick
        self._steps_paced = steps_paced
        self._size = size

    def quick(self) -> ImageParameters:
        return self._request(self._steps_quick)

    def paced(self) -> ImageParameters:
        return self._request(self._steps_paced)

    def endless(self) -> ImageParameters:
        return self._request(10_000)  # the most that KSampler takes

    def graph(self) -> RawGraph:
        return RawGraph(json=json.dumps(text_to_image(self._model, seed=7, steps=self._steps_quick, size=self._size)))

    def _request(self, steps: int) -> ImageParameters:
        return ImageParameters(
            prompt="a red fox", model=self._model, width=self._size, height=self._size, steps=steps, seed=42
        )


class FakeSubject(_Requests):
    is_live = False
    patience_s = 8.0
    promises = Promises(
        reproduces_bytes=False,  # the PNG holds the graph, which holds the attempt's file name
        has_one_seed_per_pass=True,
        kept_area_tolerance=1.0,
    )
    faults: Mapping[Fault, Ending] = {
        Fault.REFUSED: Ending((Unreachable,)),
        Fault.DROPPED_SOCKET: SUCCESS,
        Fault.SILENCE: SUCCESS,
        Fault.DEATH: Ending((Unreachable,)),
        Fault.DUPLICATES: SUCCESS,
        Fault.EARLY_FRAMES: SUCCESS,
        Fault.OUT_OF_MEMORY: Ending((OutOfMemory,)),
        Fault.EVICTED_HISTORY: SUCCESS,
        Fault.RESTART: Ending((Lost,)),
        Fault.GARBAGE: SUCCESS,
        Fault.SLOWNESS: SUCCESS,
        Fault.NODE_FAILURE: Ending((NodeFailed,)),
        Fault.FOREIGN_INTERRUPT: Ending((Interrupted,)),
    }

    def __init__(self, server: FakeComfyUI) -> None:
        super().__init__(CHECKPOINTS[0], steps_quick=4, steps_paced=20, size=64)
        self._server = server

    def open_adapter(self) -> AbstractAsyncContextManager[Adapter]:
        return open_comfyui(BackendConfig(name="fake", kind="comfyui", url=self._server.url), FAST)

    async def inject(self, fault: Fault) -> None:
        faults = self._server.faults
        match fault:
            case Fault.REFUSED | Fault.DEATH:
                await self._server.stop_listening()
            case Fault.DROPPED_SOCKET:
                self._server.drop_sockets()
            case Fault.SILENCE:
                faults.silent = True
            case Fault.DUPLICATES:
                faults.duplicate_frames = True
            case Fault.EARLY_FRAMES:
                faults.early_frames = True
            case Fault.OUT_OF_MEMORY:
                faults.fail_next = "oom"
            case Fault.EVICTED_HISTORY:
                faults.evict_history = True
            case Fault.RESTART:
                await self._server.restart()
            case Fault.GARBAGE:
                faults.garbage_frames = "instead"
            case Fault.SLOWNESS:
                faults.slowness_s = 0.1
            case Fault.NODE_FAILURE:
                faults.fail_next = "node"
            case Fault.FOREIGN_INTERRUPT:
                self._server.worker.interrupt(None)

    async def attempts(self) -> int:
        return len(self._server.prompts_of(foreign=False))

    async def submit_foreign(self) -> str:
        return self._server.queue_foreign().prompt_id

    async def has_foreign(self, job_id: str) -> bool:
        foreign = self._server.prompts_of(foreign=True)
        return any(prompt.prompt_id == job_id and not prompt.is_interrupted for prompt in foreign)

    async def finish_foreign(self, job_id: str) -> None:
        for prompt in self._server.prompts_of(foreign=True):
            if prompt.prompt_id == job_id:
                prompt.is_ended_early = True

    async def event_sockets(self) -> int | None:
        return self._server.sockets.open_count


class LiveSubject(_Requests):
    """A real server. What it is asked by the suite is asked over its own API."""

    is_live = True
    patience_s = 300.0
    faults: Mapping[Fault, Ending] = {}

    def __init__(self, url: str, client: ComfyClient, model: str, *, has_previews: bool) -> None:
        super().__init__(model, steps_quick=4, steps_paced=20, size=128)
        self.promises = Promises(
            reproduces_bytes=False,
            has_one_seed_per_pass=True,
            kept_area_tolerance=1.5,
            sends_previews=has_previews,
        )
        self._url = url
        self._client = client
        self._foreign = set[str]()

    def open_adapter(self) -> AbstractAsyncContextManager[Adapter]:
        return open_comfyui(BackendConfig(name="live", kind="comfyui", url=self._url))

    async def inject(self, fault: Fault) -> None:
        raise NotImplementedError(fault)

    async def attempts(self) -> int:
        queue = await self._client.queue()
        return sum(bool(entry.attempt_id) and entry.prompt_id not in self._foreign for entry in queue)

    async def submit_foreign(self) -> str:
        prompt_id = str(uuid.uuid4())
        graph = text_to_image(self._model, seed=uuid.uuid4().int % 2**32, steps=10_000, size=128)
        status, answer = await self._client.submit(graph, client_id="foreign", attempt_id=prompt_id, extra_data={})
        assert status == 200, answer
        self._foreign.add(str(answer["prompt_id"]))
        return str(answer["prompt_id"])

    async def has_foreign(self, job_id: str) -> bool:
        return any(entry.prompt_id == job_id for entry in await self._client.queue())

    async def finish_foreign(self, job_id: str) -> None:
        async with asyncio.timeout(60):
            while await self.has_foreign(job_id):
                await self._client.delete_pending(job_id)
                await self._client.interrupt(job_id)
                await asyncio.sleep(0.2)

    async def event_sockets(self) -> int | None:
        return None  # it does not tell


@asynccontextmanager
async def _open_fake_subject() -> AsyncIterator[FakeSubject]:
    async with open_fake() as server:
        yield FakeSubject(server)


@asynccontextmanager
async def _open_live_subject(url: str) -> AsyncIterator[LiveSubject]:
    timing = Timing()
    async with open_client(url, timing) as client:
        info = await client.server_info()
        classes = parse_node_classes(await client.object_info())
        model = classes.options("CheckpointLoaderSimple", "ckpt_name")[0]
        has_previews = info.preview_method not in {"", "none"} or info.takes_preview_method
        subject = LiveSubject(url, client, model, has_previews=has_previews)
        try:
            yield subject
        finally:
            for entry in await client.queue():
                if entry.attempt_id:
                    await subject.finish_foreign(entry.prompt_id)


def text_to_image(model: str, *, seed: int, steps: int, size: int) -> dict[str, Any]:
    """The graph that ComfyUI itself begins with."""
    return {
        "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": model}},
        "5": {"class_type": "EmptyLatentImage", "inputs": {"width": size, "height": size, "batch_size": 1}},
        "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a red fox", "clip": ["4", 1]}},
        "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "blurry", "clip": ["4", 1]}},
        "3": {
            "class_type": "KSampler",
            "inputs": {
                "seed": seed,
                "steps": steps,
                "cfg": 7.0,
                "sampler_name": "euler",
                "scheduler": "normal",
                "denoise": 1.0,
                "model": ["4", 0],
                "positive": ["6", 0],
                "negative": ["7", 0],
                "latent_image": ["5", 0],
            },
        },
        "8": {"class_type": "VAEDecode", "inputs": {"samples": ["3", 0], "vae": ["4", 2]}},
        "9": {"class_type": "SaveImage", "inputs": {"filename_prefix": "imagegen/graph", "images": ["8", 0]}},
    }
