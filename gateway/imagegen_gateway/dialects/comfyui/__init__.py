"""The dialect of ComfyUI's API, under /comfyui and /comfyui/api, over all backends that take graphs.

For clients of the API; ComfyUI's own page is not here, nor what only it asks for (users, settings, userdata, i18n,
workflow templates, assets, jobs).
"""

from typing import Final

from aiohttp import web

from imagegen_gateway.dialects.bodies import read_json
from imagegen_gateway.dialects.comfyui.catalog import Catalog
from imagegen_gateway.dialects.comfyui.filenames import Uploads
from imagegen_gateway.dialects.comfyui.files import Files
from imagegen_gateway.dialects.comfyui.jobs import Jobs
from imagegen_gateway.dialects.comfyui.queueing import Queueing
from imagegen_gateway.dialects.comfyui.refusals import answer_problem
from imagegen_gateway.dialects.comfyui.sockets import Sockets
from imagegen_gateway.dialects.kit import Kit
from imagegen_gateway.errors import Handler, Problem

__all__ = ["PREFIX", "answer_problem", "routes"]

PREFIX: Final = "/comfyui/"


def routes(kit: Kit) -> list[web.RouteDef]:
    """aiohttp routes."""
    uploads = Uploads()
    jobs = Jobs(kit.channels.events, kit.settings.rpc_timeout_s)
    sockets = Sockets(kit, jobs)
    queueing = Queueing(kit, jobs, sockets, uploads)
    files = Files(kit, uploads)
    catalog = Catalog(kit, uploads, sockets)
    reads: dict[str, Handler] = {
        "prompt": queueing.get_prompt,
        "queue": queueing.get_queue,
        "history": queueing.get_history,
        "history/{prompt_id}": queueing.get_history_of,
        "view": files.view,
        "object_info": catalog.object_info,
        "object_info/{class_type}": catalog.object_info,
        "models": catalog.models,
        "models/{folder}": catalog.models,
        "embeddings": catalog.embeddings,
        "system_stats": catalog.system_stats,
        "features": catalog.features,
        "extensions": catalog.extensions,
    }
    changes: dict[str, Handler] = {
        "prompt": queueing.post_prompt,
        "queue": queueing.post_queue,
        "history": queueing.post_history,
        "interrupt": queueing.interrupt,
        "upload/image": files.upload_image,
        "upload/mask": files.upload_mask,
        "free": free,
    }
    table = [web.get(f"{PREFIX}{path}ws", sockets.connect, allow_head=False) for path in ("", "api/")]
    for prefix in (PREFIX, f"{PREFIX}api/"):
        table += [web.get(prefix + path, handler) for path, handler in reads.items()]
        table += [web.post(prefix + path, handler) for path, handler in changes.items()]
    return table


async def free(request: web.Request) -> web.Response:
    """Refuses: which models stay loaded is for the scheduler to decide, and other callers' jobs may need them."""
    body = await read_json(request, 64 * 1024)
    if body.get("unload_models") or body.get("free_memory"):
        raise Problem(501, "backends are shared here: memory cannot be freed on request", reason="UNSUPPORTED")
    return web.Response()
