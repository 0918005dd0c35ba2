"""What graphs can be made of, and what the machines are: object_info, models, embeddings, system_stats."""

import asyncio
import gzip
import hashlib
import platform
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import grpc
import orjson
from aiohttp import web

from imagegen.v1 import backend_pb2, backend_pb2_grpc, model_pb2, model_pb2_grpc, workflow_pb2, workflow_pb2_grpc
from imagegen_gateway.assets import is_unchanged
from imagegen_gateway.callers import caller_of
from imagegen_gateway.dialects.comfyui.filenames import Uploads
from imagegen_gateway.dialects.comfyui.queueing import as_json
from imagegen_gateway.dialects.comfyui.sockets import Sockets
from imagegen_gateway.dialects.kit import Kit
from imagegen_gateway.errors import Problem

if TYPE_CHECKING:  # these names are in the stubs only
    from imagegen.v1.backend_pb2_grpc import BackendServiceAsyncStub
    from imagegen.v1.model_pb2_grpc import ModelServiceAsyncStub
    from imagegen.v1.workflow_pb2_grpc import WorkflowServiceAsyncStub

VERSION: Final = "0.3.64"
"""The version of ComfyUI whose behaviour this is: clients look at it to know what they can ask for."""
LOADERS: Final = ("LoadImage", "LoadImageMask")
FOLDERS: Final = {
    "checkpoints": ("CheckpointLoaderSimple", "ckpt_name"),
    "loras": ("LoraLoader", "lora_name"),
    "vae": ("VAELoader", "vae_name"),
    "text_encoders": ("CLIPLoader", "clip_name"),
    "diffusion_models": ("UNETLoader", "unet_name"),
    "clip_vision": ("CLIPVisionLoader", "clip_name"),
    "style_models": ("StyleModelLoader", "style_model_name"),
    "controlnet": ("ControlNetLoader", "control_net_name"),
    "gligen": ("GLIGENLoader", "gligen_name"),
    "upscale_models": ("UpscaleModelLoader", "model_name"),
    "hypernetworks": ("HypernetworkLoader", "hypernetwork_name"),
    "photomaker": ("PhotoMakerLoader", "photomaker_model_name"),
}
"""Folders of models by the node that loads from them: what graphs can name is what that node lists."""


class Catalog:
    """The handlers."""

    def __init__(self, kit: Kit, uploads: Uploads, sockets: Sockets) -> None:
        self._workflows: WorkflowServiceAsyncStub = workflow_pb2_grpc.WorkflowServiceStub(kit.channels.bulk)
        self._models: ModelServiceAsyncStub = model_pb2_grpc.ModelServiceStub(kit.channels.events)
        self._backends: BackendServiceAsyncStub = backend_pb2_grpc.BackendServiceStub(kit.channels.events)
        self._timeout_s = kit.settings.rpc_timeout_s
        self._uploads = uploads
        self._sockets = sockets

    async def object_info(self, request: web.Request) -> web.Response:
        """The union of all backends' classes, or one of them; the caller's uploads are among LoadImage's choices."""
        class_type = request.match_info.get("class_type", "")
        body = (await self._definitions(class_type)).encode()
        choices = self._uploads.choices(caller_of(request).owner)
        if choices and class_type in {"", *LOADERS}:
            body = await asyncio.to_thread(with_uploads, body, choices)
        return await large(request, body)

    async def models(self, request: web.Request) -> web.Response:
        """The folders, or the names in one."""
        folder = request.match_info.get("folder")
        if folder is None:
            return as_json([*FOLDERS, "embeddings"])
        if folder == "embeddings":
            return await self.embeddings(request)
        if folder not in FOLDERS:
            raise Problem(404, f"there is no folder {folder[:64]!r} of models", reason="FOLDER_NOT_FOUND")
        class_type, input_name = FOLDERS[folder]
        return as_json(choices_of(orjson.loads(await self._definitions(class_type)), class_type, input_name))

    async def embeddings(self, _: web.Request) -> web.Response:
        """Their names."""
        wanted = model_pb2.ListModelsRequest(type=model_pb2.MODEL_TYPE_EMBEDDING)
        answer = await self._models.ListModels(wanted, timeout=self._timeout_s)
        return as_json([model.name for model in answer.models])

    async def system_stats(self, _: web.Request) -> web.Response:
        """The devices of all backends that take graphs and answer."""
        answer = await self._backends.ListBackends(backend_pb2.ListBackendsRequest(), timeout=self._timeout_s)
        return as_json({"system": SYSTEM, "devices": devices_of(answer.backends)})

    async def features(self, _: web.Request) -> web.Response:
        """What this server can."""
        return as_json(self._sockets.features)

    async def extensions(self, _: web.Request) -> web.Response:
        """There are none: they are for ComfyUI's page, which is not here."""
        return as_json([])

    async def _definitions(self, class_type: str) -> str:
        wanted = workflow_pb2.GetNodeDefinitionsRequest(class_type=class_type)
        try:
            return (await self._workflows.GetNodeDefinitions(wanted, timeout=self._timeout_s)).json
        except grpc.aio.AioRpcError as exc:
            if class_type and exc.code() is grpc.StatusCode.NOT_FOUND:
                return "{}"  # as ComfyUI answers
            raise


SYSTEM: Final[Mapping[str, Any]] = {
    "os": "posix",
    "ram_total": 0,
    "ram_free": 0,
    "comfyui_version": VERSION,
    "python_version": platform.python_version(),
    "pytorch_version": "",
    "embedded_python": False,
    "argv": ["imagegen", "--preview-method", "auto"],
}
"""Memory is each backend's own business; the command line says to clients that there are previews."""


def devices_of(backends: Sequence[backend_pb2.Backend]) -> list[dict[str, Any]]:
    """The devices of those that take graphs and answer, each with its backend's name."""
    devices: list[dict[str, Any]] = []
    for backend in backends:
        if backend.capabilities.graphs and backend.health == backend_pb2.BACKEND_HEALTH_HEALTHY:
            devices.extend(
                _device(backend, device, len(devices) + place) for place, device in enumerate(backend.devices)
            )
    return devices


def _device(backend: backend_pb2.Backend, device: backend_pb2.Device, index: int) -> dict[str, Any]:
    memory = {"total": device.memory_total_bytes, "free": device.memory_free_bytes}
    return {
        "name": f"{device.name} ({backend.name})",
        "type": "cpu" if device.name == "cpu" else "cuda",
        "index": index,
        **{f"vram_{key}": value for key, value in memory.items()},
        **{f"torch_vram_{key}": value for key, value in memory.items()},
    }


def choices_of(definitions: Mapping[str, Any], class_type: str, input_name: str) -> list[str]:
    """What an input of a class can be; nothing where there is no such class or choice."""
    found = _choices(definitions.get(class_type), input_name)
    return [str(choice) for choice in found] if found is not None else []


def with_uploads(definitions: bytes, names: Sequence[str]) -> bytes:
    """The definitions with more files to load from."""
    classes = orjson.loads(definitions)
    for class_type in LOADERS:
        found = _choices(classes.get(class_type), "image")
        if found is not None:
            found.extend(name for name in names if name not in found)
    return orjson.dumps(classes)


def _choices(definition: Any, input_name: str) -> list[Any] | None:
    """The list of an input's choices: [[...], {...}] of older nodes, ["COMBO", {"options": [...]}] of newer ones."""
    try:
        kind, *settings = definition["input"]["required"][input_name]
        found = settings[0]["options"] if kind == "COMBO" else kind
    except (KeyError, TypeError, IndexError, ValueError):
        return None
    return found if isinstance(found, list) else None


async def large(request: web.Request, body: bytes) -> web.Response:
    """An answer of megabytes: sent again only when it has changed, and compressed for those who can read that."""
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Cache-Control": "private, no-cache", "Vary": "Accept-Encoding"}
    if is_unchanged(request, etag):
        return web.Response(status=304, headers=headers)
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        body = await asyncio.to_thread(gzip.compress, body, 1, mtime=0)
        headers["Content-Encoding"] = "gzip"
    return web.Response(body=body, content_type="application/json", headers=headers)
