"""The dialect of Automatic1111's API, under /a1111: as 1.10.1 speaks it, per client, over any backend.

names      what samplers, schedules and checkpoints are called here and there (vocabulary: A1111's words)
options    the settings that a client sees, and its choice among them
fields     requests: types and defaults
orders     what a request means as a job (peculiar: what only A1111 itself can do)
canvas     what is done to pictures before and after (bench: so many at a time)
making     txt2img, img2img, interrupt, skip
desk       who has asked for what
progress   how it stands
extras     upscaling, png-info
lists      what there is
faults     errors (refusals: by the names of the lists)
"""

from aiohttp import web

from imagegen_gateway.dialects.a1111 import lists
from imagegen_gateway.dialects.a1111.bench import Bench
from imagegen_gateway.dialects.a1111.desk import Desk
from imagegen_gateway.dialects.a1111.extras import Darkroom
from imagegen_gateway.dialects.a1111.faults import answer_problem
from imagegen_gateway.dialects.a1111.making import Workshop
from imagegen_gateway.dialects.a1111.serving import Counter, fixed, refused
from imagegen_gateway.dialects.a1111.stock import Stockroom
from imagegen_gateway.dialects.a1111.watching import Watchtower
from imagegen_gateway.dialects.kit import Kit

__all__ = ["PREFIX", "answer_problem", "routes"]

PREFIX = "/a1111/"
API = f"{PREFIX}sdapi/v1"
NOT_HERE = "there is none here: send it to an A1111 server"
NO_TRAINING = "nothing is trained here: send it to an A1111 server"
NO_CONTROL = "servers are not stopped and started from here"
NO_UNLOADING = "backends keep and drop models by themselves: the queue knows what comes next"


def routes(kit: Kit) -> list[web.RouteDef]:
    """aiohttp routes."""
    desk, bench, stockroom = Desk(), Bench(), Stockroom(kit.channels.events, kit.settings.rpc_timeout_s)
    workshop = Workshop(kit, stockroom, desk, bench)
    return [
        *_work(workshop, Darkroom(kit, stockroom, desk, workshop, bench)),
        *_watching(Watchtower(kit, desk)),
        *_lists(Counter(kit, stockroom, desk)),
        *_refused(),
    ]


def _work(workshop: Workshop, darkroom: Darkroom) -> list[web.RouteDef]:
    return [
        web.post(f"{API}/txt2img", workshop.txt2img),
        web.post(f"{API}/img2img", workshop.img2img),
        web.post(f"{API}/interrupt", workshop.interrupt),
        web.post(f"{API}/skip", workshop.skip),
        web.post(f"{API}/extra-single-image", darkroom.single),
        web.post(f"{API}/extra-batch-images", darkroom.batch),
        web.post(f"{API}/png-info", darkroom.png_info),
    ]


def _watching(watchtower: Watchtower) -> list[web.RouteDef]:
    return [
        web.get(f"{API}/progress", watchtower.progress),
        web.post(f"{PREFIX}internal/progress", watchtower.task),
        web.get(f"{PREFIX}internal/pending-tasks", watchtower.pending_tasks),
        web.get(f"{PREFIX}internal/ping", watchtower.ping),
        web.get(f"{PREFIX}app_id", watchtower.app_id),
    ]


def _lists(counter: Counter) -> list[web.RouteDef]:
    made = {
        "sd-models": lists.sd_models,
        "sd-vae": lists.sd_vae,
        "samplers": lists.samplers,
        "schedulers": lists.schedulers,
        "upscalers": lists.upscalers,
        "latent-upscale-modes": lists.latent_upscale_modes,
        "loras": lists.loras,
        "embeddings": lists.embeddings,
        "memory": lists.memory,
    }
    same = {
        "cmd-flags": dict(lists.FLAGS),
        "hypernetworks": [],
        "face-restorers": [],
        "realesrgan-models": [],
        "prompt-styles": [],
        "scripts": {"txt2img": [], "img2img": []},
        "script-info": [],
        "extensions": [],
    }
    refreshed = ("refresh-checkpoints", "refresh-vae", "refresh-loras", "refresh-embeddings")
    return [
        web.get(f"{API}/options", counter.options),
        web.post(f"{API}/options", counter.set_options),
        *(web.get(f"{API}/{name}", counter.listing(make)) for name, make in made.items()),
        *(web.get(f"{API}/{name}", fixed(document)) for name, document in same.items()),
        *(web.post(f"{API}/{name}", counter.refresh) for name in refreshed),
        # The next job loads what it needs, so this is done already.
        web.post(f"{API}/reload-checkpoint", fixed({})),
    ]


def _refused() -> list[web.RouteDef]:
    """What A1111 has and this has not."""
    sentences = {
        "interrogate": f"interrogate: {NOT_HERE}",
        "unload-checkpoint": NO_UNLOADING,
        "create/embedding": NO_TRAINING,
        "create/hypernetwork": NO_TRAINING,
        "train/embedding": NO_TRAINING,
        "train/hypernetwork": NO_TRAINING,
        "server-kill": NO_CONTROL,
        "server-restart": NO_CONTROL,
        "server-stop": NO_CONTROL,
    }
    return [web.post(f"{API}/{path}", refused(sentence)) for path, sentence in sentences.items()]
