"""The fake's queue and its one worker: prompts in order of their numbers, node by node, with a cache."""

import asyncio
import heapq
import json
import time
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.comfyui.faults import Faults
from tests.fakes.comfyui.files import Files
from tests.fakes.comfyui.nodes import NEVER_CACHED, NODES, Blocker, NodeError, Outputs, fault_named
from tests.fakes.comfyui.painting import Pixels, to_png, to_preview
from tests.fakes.comfyui.profiles import Profile
from tests.fakes.comfyui.sockets import Sockets


class _InterruptedError(Exception):
    pass


@dataclass(slots=True, kw_only=True, order=True)
class Prompt:
    """One entry of the queue."""

    number: float
    prompt_id: str
    graph: dict[str, Any] = field(compare=False)
    extra_data: dict[str, Any] = field(compare=False)
    outputs: list[str] = field(compare=False)
    is_interrupted: bool = field(default=False, compare=False)
    is_ended_early: bool = field(default=False, compare=False)
    has_begun: asyncio.Event = field(default_factory=asyncio.Event, compare=False)
    """A node is at work."""

    @property
    def client_id(self) -> str | None:
        return self.extra_data.get("client_id")

    def listed(self) -> list[Any]:
        return [self.number, self.prompt_id, self.graph, self.extra_data, self.outputs]


class Worker:
    """Runs one prompt at a time. `restart` forgets everything."""

    def __init__(
        self, profile: Profile, faults: Faults, sockets: Sockets, files: Files, *, step_s: float, preview: str
    ) -> None:
        self.running: Prompt | None = None
        self.pending: list[Prompt] = []
        self.history: dict[str, dict[str, Any]] = {}
        self.ended: dict[str, float] = {}
        """When each prompt that ran came to its end, by its id."""
        self.step_s = step_s
        self.preview_method = preview
        self.preview_size = 128  # 512 is the server's default; smaller ones keep the tests fast
        self._profile = profile
        self._faults = faults
        self._sockets = sockets
        self._files = files
        self._cache: dict[str, Outputs] = {}
        self._arrived = asyncio.Event()

    @property
    def remaining(self) -> int:
        return len(self.pending) + (self.running is not None)

    @property
    def profile(self) -> Profile:
        return self._profile

    @property
    def faults(self) -> Faults:
        return self._faults

    @property
    def sockets(self) -> Sockets:
        return self._sockets

    @property
    def files(self) -> Files:
        return self._files

    def put(self, prompt: Prompt) -> None:
        heapq.heappush(self.pending, prompt)
        self._arrived.set()
        self.send_status()

    def delete(self, prompt_id: str) -> None:
        kept = [prompt for prompt in self.pending if prompt.prompt_id != prompt_id]
        if len(kept) != len(self.pending):
            self.pending[:] = kept
            heapq.heapify(self.pending)
            self.send_status()

    def interrupt(self, prompt_id: str | None) -> None:
        if self.running is None or self._faults.ignore_interrupt:
            return
        if prompt_id is None or not self._profile.honours_interrupt_id or self.running.prompt_id == prompt_id:
            self.running.is_interrupted = True

    def send_status(self) -> None:
        self._sockets.send("status", {"status": {"exec_info": {"queue_remaining": self.remaining}}}, None)

    def free(self) -> None:
        self._cache.clear()
        self._faults.memory_full = False

    async def work(self) -> None:
        while True:
            while not self.pending:
                self._arrived.clear()
                await self._arrived.wait()
            self.running = heapq.heappop(self.pending)
            self.send_status()
            await self._run(self.running)

    async def _run(self, prompt: Prompt) -> None:
        execution = _Execution(self, prompt, self._cache)
        await execution.run()
        self._cache = execution.kept_cache()
        self.running = None
        self.ended[prompt.prompt_id] = time.time()
        if not self._faults.evict_history:
            self.history[prompt.prompt_id] = execution.history_entry()
        self.send_status()
        if prompt.client_id is not None:
            self._sockets.send("executing", {"node": None, "prompt_id": prompt.prompt_id}, prompt.client_id)


class _Execution:
    """One prompt at work. Implements NodeRun for the node that runs now."""

    def __init__(self, worker: Worker, prompt: Prompt, cache: dict[str, Outputs]) -> None:
        self.step_s = worker.step_s
        self._worker = worker
        self._profile = worker.profile
        self._sockets = worker.sockets
        self._prompt = prompt
        self._cache = cache
        self._signatures = {node_id: self._signature(node_id) for node_id in prompt.graph}
        self._values: dict[str, tuple[Any, ...]] = {}
        self._states: dict[str, dict[str, Any]] = {}
        self._messages: list[Any] = []
        self._outputs: dict[str, Any] = {}
        self._executed: list[str] = []
        self._node = ""
        self._is_success = True

    @property
    def is_ended_early(self) -> bool:
        return self._prompt.is_ended_early

    async def run(self) -> None:
        self._tell("execution_start", {})
        cached = [node_id for node_id in self._prompt.graph if self._is_cached(node_id)]
        self._tell("execution_cached", {"nodes": cached})
        try:
            for node_id in self._order():
                await self._run_node(node_id)
        except _InterruptedError:
            self._fail("execution_interrupted", {})
        except NodeError as error:
            about = {"exception_message": error.message, "exception_type": error.kind}
            leaks = {"traceback": ['  File "/srv/comfyui/execution.py", line 496\n'], "current_inputs": {"seed": [1]}}
            self._fail("execution_error", {**about, **leaks, "current_outputs": list(self._prompt.graph)})
        else:
            if self._profile.tells_success:
                self._tell("execution_success", {})

    def history_entry(self) -> dict[str, Any]:
        status = "success" if self._is_success else "error"
        entry: dict[str, Any] = {
            "prompt": self._prompt.listed(),
            "outputs": self._outputs,
            "status": {"status_str": status, "completed": self._is_success, "messages": self._messages},
        }
        if self._profile.has_display_nodes:
            entry["meta"] = {
                node_id: {"node_id": node_id, "display_node": node_id, "parent_node": None, "real_node_id": node_id}
                for node_id in self._outputs
            }
        return entry

    def kept_cache(self) -> dict[str, Outputs]:
        """Only what the last prompt used stays."""
        return {key: value for key, value in self._cache.items() if key in self._signatures.values()}

    # --- NodeRun ---

    async def step(self, value: int, maximum: int, preview: Pixels | None = None) -> None:
        self._check_interrupt()
        image = None
        if preview is not None and self._has_previews():
            image = to_preview(preview, self._worker.preview_size), 1
        self._send_step(value, maximum, image)
        await asyncio.sleep(0)

    async def send_png(self, value: int, maximum: int, picture: Pixels) -> None:
        self._check_interrupt()
        self._send_step(value, maximum, (to_png(picture), 2))

    def save(self, prefix: str, pictures: Pixels, *, is_temp: bool) -> list[dict[str, str]]:
        texts = {"prompt": json.dumps(self._prompt.graph)}
        workflow = self._prompt.extra_data.get("extra_pnginfo", {}).get("workflow")
        if workflow is not None:
            texts["workflow"] = json.dumps(workflow)
        folder = "temp" if is_temp else "output"
        return [self._worker.files.save(folder, prefix, to_png(picture, **texts)) for picture in pictures]

    def read_input(self, name: str) -> bytes:
        return self._worker.files.read_annotated(name)

    def take_fault(self) -> NodeError | None:
        faults = self._worker.faults
        name, faults.fail_next = faults.fail_next or ("oom" if faults.memory_full else ""), ""
        return fault_named(name) if name else None

    # --- one node ---

    async def _run_node(self, node_id: str) -> None:
        signature = self._signatures[node_id]
        if self._is_cached(node_id):
            values, shown = self._cache[signature]
            self._values[node_id] = values
            if node_id in self._prompt.outputs and shown is not None:
                self._show_cached(node_id, shown)
            return
        self._check_interrupt(node_id)
        self._node = node_id
        self._set_state(node_id, 0.0, 1.0, "running")
        self._tell_client("executing", {"node": node_id, **self._display(node_id)})
        self._prompt.has_begun.set()
        self._check_interrupt()
        await asyncio.sleep(0)
        values, shown = await self._compute(node_id)
        self._values[node_id] = values
        if not any(isinstance(value, Blocker) for value in values):
            self._cache[signature] = values, shown
        if shown is not None:
            self._show(node_id, shown)
        self._finish(node_id)
        self._executed.append(node_id)

    async def _compute(self, node_id: str) -> Outputs:
        node = self._prompt.graph[node_id]
        inputs = {name: self._value(value) for name, value in node["inputs"].items()}
        blocker = next((value for value in inputs.values() if isinstance(value, Blocker)), None)
        if blocker is None:
            return await NODES[node["class_type"]](self, inputs)
        if blocker.message is not None and node_id in self._prompt.outputs:
            message = f"Execution Blocked: {blocker.message}"
            about = {"exception_message": message, "exception_type": "ExecutionBlocked", "traceback": []}
            self._tell_client(
                "execution_error", {**self._where(), **about, "current_inputs": [], "current_outputs": []}
            )
        return (blocker,) * 8, None

    def _show_cached(self, node_id: str, shown: dict[str, Any]) -> None:
        self._outputs[node_id] = shown
        if self._profile.shows_cached_outputs:
            self._show(node_id, shown)
            self._set_state(node_id, 1, 1, "finished")

    def _show(self, node_id: str, shown: dict[str, Any]) -> None:
        self._outputs[node_id] = shown
        self._tell_client("executed", {"node": node_id, **self._display(node_id), "output": shown})

    def _finish(self, node_id: str) -> None:
        state = self._states.get(node_id)
        maximum = state["max"] if state is not None else 1.0
        self._set_state(node_id, maximum, maximum, "finished")

    def _fail(self, kind: str, data: dict[str, Any]) -> None:
        self._is_success = False
        self._tell(kind, {**self._where(), **data})

    def _where(self) -> dict[str, Any]:
        node_type = self._prompt.graph[self._node]["class_type"] if self._node else ""
        return {"node_id": self._node, "node_type": node_type, "executed": self._executed}

    def _check_interrupt(self, node_id: str | None = None) -> None:
        if self._prompt.is_interrupted:
            self._node = node_id or self._node
            raise _InterruptedError

    def _has_previews(self) -> bool:
        method = self._worker.preview_method
        if self._profile.takes_preview_method:
            method = self._prompt.extra_data.get("preview_method", method)
        return method != "none"

    # --- frames ---

    def _tell(self, kind: str, data: dict[str, Any]) -> None:
        """An event that history keeps too."""
        stamp = {"timestamp": int(time.time() * 1000)} if self._profile.tells_success else {}
        data = {"prompt_id": self._prompt.prompt_id, **data, **stamp}
        self._messages.append([kind, data])
        if self._prompt.client_id is not None or kind == "execution_interrupted":
            self._sockets.send(kind, data, self._prompt.client_id)

    def _tell_client(self, kind: str, data: dict[str, Any]) -> None:
        if self._prompt.client_id is not None:
            self._sockets.send(kind, {**data, "prompt_id": self._prompt.prompt_id}, self._prompt.client_id)

    def _send_step(self, value: int, maximum: int, image: tuple[bytes, int] | None) -> None:
        client_id = self._prompt.client_id
        self._set_state(self._node, value, maximum, "running")
        node = self._node if client_id is not None or self._profile.has_progress_state else None
        step = {"value": value, "max": maximum, "prompt_id": self._prompt.prompt_id, "node": node}
        if client_id is not None and self._sockets.wants_metadata(client_id):
            if image is not None:
                self._sockets.send_binary(self._with_metadata(*image), client_id)
            self._sockets.send("progress", step, client_id)
            return
        self._sockets.send("progress", step, client_id)
        if image is not None:
            data, code = image
            self._sockets.send_binary((1).to_bytes(4, "big") + code.to_bytes(4, "big") + data, client_id)

    def _with_metadata(self, data: bytes, code: int) -> bytes:
        about = {
            "node_id": self._node,
            "prompt_id": self._prompt.prompt_id,
            "display_node_id": self._node,
            "parent_node_id": None,
            "real_node_id": self._node,
            "image_type": {1: "image/jpeg", 2: "image/png"}[code],
        }
        head = json.dumps(about).encode()
        return (4).to_bytes(4, "big") + len(head).to_bytes(4, "big") + head + data

    def _set_state(self, node_id: str, value: float, maximum: float, state: str) -> None:
        if not self._profile.has_progress_state:
            return
        self._states[node_id] = {
            "value": value,
            "max": maximum,
            "state": state,
            "node_id": node_id,
            "prompt_id": self._prompt.prompt_id,
            "display_node_id": node_id,
            "parent_node_id": None,
            "real_node_id": node_id,
        }
        data = {"prompt_id": self._prompt.prompt_id, "nodes": dict(self._states)}
        self._sockets.send("progress_state", data, self._prompt.client_id)

    def _display(self, node_id: str) -> dict[str, str]:
        return {"display_node": node_id} if self._profile.has_display_nodes else {}

    # --- the graph ---

    def _is_cached(self, node_id: str) -> bool:
        return self._signatures[node_id] in self._cache and self._class_of(node_id) not in NEVER_CACHED

    def _order(self) -> list[str]:
        """What the outputs need, each node as soon as its inputs are there: outputs first, else as the graph lists."""
        wanted: set[str] = set()
        pending = list(self._prompt.outputs)
        while pending:
            node_id = pending.pop()
            if node_id not in wanted:
                wanted.add(node_id)
                pending.extend(self._sources(node_id))
        order: list[str] = []
        while len(order) < len(wanted):
            ready = [
                node_id
                for node_id in self._prompt.graph
                if node_id in wanted - set(order) and set(self._sources(node_id)) <= set(order)
            ]
            order.append(next((node_id for node_id in ready if node_id in self._prompt.outputs), ready[0]))
        return order

    def _sources(self, node_id: str) -> list[str]:
        return [value[0] for value in self._prompt.graph[node_id]["inputs"].values() if isinstance(value, list)]

    def _value(self, value: Any) -> Any:
        return self._values[value[0]][value[1]] if isinstance(value, list) else value

    def _class_of(self, node_id: str) -> str:
        return str(self._prompt.graph[node_id]["class_type"])

    def _signature(self, node_id: str) -> str:
        inputs = {
            name: [self._signature(value[0]), value[1]] if isinstance(value, list) else value
            for name, value in self._prompt.graph[node_id].get("inputs", {}).items()
        }
        return json.dumps([self._class_of(node_id), inputs], sort_keys=True)
