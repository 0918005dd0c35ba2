"""From a task to a prompt that the server has, and back to it."""

import asyncio
from collections.abc import Mapping
from typing import Any

from imagegen_adapters.comfyui.answers import read_submitted
from imagegen_adapters.comfyui.backend import Backend
from imagegen_adapters.comfyui.faults import rejection_of
from imagegen_adapters.comfyui.images import media_type_of, prepare_mask, upload_name
from imagegen_adapters.comfyui.stopping import Stopper
from imagegen_adapters.comfyui.workflow import Workflow, build_any, digests_of
from imagegen_adapters.contract import ImageParameters, Task
from imagegen_adapters.errors import AdapterError, Unintelligible, Unreachable


async def prepare(backend: Backend, task: Task) -> Workflow:
    """Checks the task, uploads what it names and makes its graph. Raises Rejected where it cannot run here."""
    source = await backend.resolve(task.source)
    names = {}
    for digest in digests_of(source):
        data, label = task.files[digest], digest
        if isinstance(source, ImageParameters) and digest == source.mask:
            blur, size = source.mask_blur, {"width": source.width, "height": source.height}
            data = await asyncio.to_thread(prepare_mask, data, **size, blur=blur)
            label = f"{digest[:40]}-mask-{source.width}x{source.height}-{blur}"
        names[digest] = await backend.client.upload(upload_name(label, data), data, media_type_of(data))
    return build_any(source, prefix=f"imagegen/{task.attempt_id[:8]}", uploads=names)


def recall(backend: Backend, task: Task) -> Workflow:
    """The graph of a task that was handed over earlier: its nodes and links are the same, names of files are not."""
    source = backend.completed(task.source)
    return build_any(source, prefix="", uploads={digest: digest for digest in digests_of(source)})


async def submit(backend: Backend, task: Task, workflow: Workflow) -> str:
    """Queues the graph and gives the server's id of the prompt. Raises Rejected, and leaves nothing behind then."""
    try:
        status, answer = await backend.client.submit(
            workflow.graph.api_format,
            client_id=backend.link.client_id,
            attempt_id=task.attempt_id,
            extra_data=_extra_data(backend, task),
        )
        if status == 400:
            raise rejection_of(answer, workflow, backend.classes)
        submitted = read_submitted(answer)
    except (Unreachable, Unintelligible):
        # The prompt may be queued all the same: when the answer was lost, or even with a 500.
        prompt_id = await _locate_if_possible(backend, task)
        if prompt_id is None:
            raise
        return prompt_id
    if submitted.node_errors:
        # The sound outputs are queued and would run without the others.
        await Stopper(backend, submitted.prompt_id).stop()
        raise rejection_of({"node_errors": submitted.node_errors}, workflow, backend.classes)
    return submitted.prompt_id


async def locate(backend: Backend, task: Task, prompt_id: str) -> str | None:
    """The server's id of our prompt, by that id or by our tag, as older servers choose ids of their own."""
    for queued in await backend.client.queue():
        if queued.prompt_id == prompt_id or queued.attempt_id == task.attempt_id:
            return queued.prompt_id
    if await backend.client.history(prompt_id) is not None:
        return prompt_id
    for ended in await backend.client.recent_history():
        if ended.attempt_id == task.attempt_id:
            return ended.prompt_id
    return None


async def _locate_if_possible(backend: Backend, task: Task) -> str | None:
    try:
        return await locate(backend, task, task.attempt_id)
    except AdapterError:
        return None


def _extra_data(backend: Backend, task: Task) -> Mapping[str, Any]:
    extra_data: dict[str, Any] = {}
    info = backend.info
    if info.takes_preview_method and not task.preview.enabled:
        extra_data["preview_method"] = "none"
    elif info.takes_preview_method and info.preview_method == "none":
        extra_data["preview_method"] = "auto"  # where the operator chose a method, that one stays
    return {**extra_data, **{key: value for key, value in task.options.items() if key != "client_id"}}
