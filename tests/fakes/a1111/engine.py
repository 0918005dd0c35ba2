"""One process of the server: options, models, and the jobs, of which one runs at a time."""

import asyncio
import base64
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from tests.fakes.a1111.faults import Faults
from tests.fakes.a1111.info import build_info, recorded
from tests.fakes.a1111.painting import Motif, encode, paint
from tests.fakes.a1111.requests import (
    IMG2IMG_DEFAULTS,
    TXT2IMG_DEFAULTS,
    ServerError,
    check,
    complete,
    decode_image,
    not_an_exception,
)
from tests.fakes.a1111.state import Changes, Previews, State, Tasks

OTHER_SHA256 = "b3d151e3ad" + "0" * 54


@dataclass(slots=True)
class Config:
    """What outlives a restart: config.json. Most settings are not in it."""

    stored: dict[str, Any] = field(
        default_factory=lambda: {"sd_model_checkpoint": recorded("options")["sd_model_checkpoint"]}
    )


@dataclass(slots=True, kw_only=True)
class Job:
    """One POST at work."""

    kind: str
    request: dict[str, Any]
    task: str
    is_foreign: bool = False
    is_cut_short: bool = False
    """Tests end foreign jobs by it."""
    images: list[tuple[Image.Image, str]] = field(default_factory=list)


class Engine:
    """`step_s` is the time of one step, of a prompt's encoding and of a picture's; a model takes `load_s`."""

    def __init__(self, *, config: Config, faults: Faults, step_s: float, load_s: float, is_loaded: bool) -> None:
        self.config = config
        self.faults = faults
        self.step_s = step_s
        self.load_s = load_s
        self.options: dict[str, Any] = recorded("options") | config.stored
        self.state = State()
        self.tasks = Tasks()
        self.previews = Previews(self.state, self.options)
        self.changes = Changes()
        self.models: list[dict[str, Any]] = recorded("sd-models")
        self.extra_fields: dict[str, Any] = {}
        """Fields of requests that this fork has beside the common ones, with their defaults."""
        self.new_models: list[dict[str, Any]] = []
        """Files that nobody has looked for yet."""
        self.loaded_model = self.find_model(self.options["sd_model_checkpoint"]) if is_loaded else None
        self.jobs: list[Job] = []
        """Queued and running ones, in the order of their arrival."""
        self.received: list[dict[str, Any]] = []
        """Every job's request, as it came."""
        self.succeeded: list[str] = []
        """The tasks of those that nobody interrupted."""
        self.ended: dict[str, float] = {}
        """When each task that was received came to its end."""
        self.interrupts = 0
        self.gate = asyncio.Event()
        """While it is not set, no step begins."""
        self.gate.set()
        self._lock = asyncio.Lock()
        self._serial = 0

    # --- options and models ---

    def find_model(self, name: str) -> dict[str, Any] | None:
        for model in self.models:
            if name and name in (model["title"], model["model_name"], model["filename"], model["hash"]):
                return model
        return None

    async def set_options(self, values: dict[str, Any]) -> None:
        name = values.get("sd_model_checkpoint")
        if name is not None and self.find_model(name) is None:
            raise ServerError(500, "RuntimeError", errors=f"model {name!r} not found")
        is_model_changed = False
        for key, value in values.items():  # those before a bad key are applied
            if key not in self.options:
                raise ServerError(500, "KeyError", errors=f"'{key}'")
            is_model_changed |= key == "sd_model_checkpoint" and self.options[key] != value
            self.options[key] = self.config.stored[key] = value
        if is_model_changed:
            async with self._lock:
                await self._load_model()

    async def refresh_models(self) -> None:
        """Looks into the folder, once nobody runs."""
        async with self._lock:
            self.models += self.new_models
            self.new_models = []

    async def _load_model(self) -> None:
        wanted = self.find_model(self.options["sd_model_checkpoint"])
        if wanted is None or wanted is self.loaded_model:
            return
        await self._work(self.load_s)
        if wanted["hash"] is None:
            # The title changes when the file was hashed.
            sha256 = OTHER_SHA256
            wanted |= {"hash": sha256[:10], "sha256": sha256, "title": f"{wanted['title']} [{sha256[:10]}]"}
        self.loaded_model = wanted

    def unload(self) -> None:
        """Waits for nobody, not even for a running job."""
        self.loaded_model = None
        self.faults.is_memory_full = False

    # --- jobs ---

    async def run(self, kind: str, body: Any, *, is_foreign: bool = False) -> dict[str, Any]:
        """The whole of one POST; raises ServerError."""
        defaults = IMG2IMG_DEFAULTS if kind == "img2img" else TXT2IMG_DEFAULTS
        request = complete(body, defaults | self.extra_fields)
        self.received.append(dict(request))
        if kind == "img2img" and request["init_images"] is None:
            raise not_an_exception(404, "Init image not found")
        mask = decode_image(request["mask"]) if request.get("mask") else None  # before the queue
        self._serial += 1
        task = request["force_task_id"] or f"task({kind}-{self._serial:07d})"
        job = Job(kind=kind, request=request, task=task, is_foreign=is_foreign)
        self.jobs.append(job)
        self.tasks.add(task)
        self.changes.tell()
        try:
            async with self._lock:
                # Under the lock and before the task has started: what fails here stays queued for ever.
                init = decode_image(request["init_images"][0]) if kind == "img2img" else None
                if self.loaded_model is None:
                    await self._load_model()  # while the global state says idle
                info = await self._begin(job, init, mask)
            return await self._encode(job, info)
        finally:
            self.jobs.remove(job)
            self.ended[job.task] = time.time()
            self.changes.tell()

    async def _begin(self, job: Job, init: Image.Image | None, mask: Image.Image | None) -> dict[str, Any]:
        self.state.begin(f"scripts_{job.kind}", time.time())
        self.tasks.start(job.task)
        overrides = dict(job.request["override_settings"] or {})
        if self.find_model(overrides.get("sd_model_checkpoint", "")) is None:
            overrides.pop("sd_model_checkpoint", None)  # silently
        # Only what the config file holds can be restored; all else leaks.
        saved = {key: self.config.stored[key] for key in overrides if key in self.config.stored}
        try:
            for key, value in overrides.items():
                if key not in self.options:
                    raise ServerError(500, "KeyError", errors=f"'{key}'")
                self.options[key] = value
            await self._load_model()
            check(job.request)
            info = await self._process(job, init, mask)
            self.tasks.finish(job.task)
            if not self.state.interrupted:
                self.succeeded.append(job.task)
        finally:
            self.options.update(saved)
            self.state.end()
            self.changes.tell()
        return info

    async def _process(self, job: Job, init: Image.Image | None, mask: Image.Image | None) -> dict[str, Any]:
        request, state = job.request, self.state
        if init is not None:
            await self._work(self.step_s)  # encoding of the picture, still with job_count -1
        width, height = request["width"] // 8 * 8, request["height"] // 8 * 8
        passes = [(self._count_steps(job), width, height)]
        if request.get("enable_hr"):
            scale = request["hr_scale"]
            steps = request["hr_second_pass_steps"] or request["steps"]
            passes.append((steps, int(width * scale) // 8 * 8, int(height * scale) // 8 * 8))
            known = {item["name"] for name in ("upscalers", "latent-upscale-modes") for item in recorded(name)}
            if request["hr_upscaler"] not in known:
                raise ServerError(500, "Exception", errors=f"could not find upscaler named {request['hr_upscaler']}")
        if not state.interrupted:
            self.changes.tell()
            await asyncio.sleep(0)
            state.job_count = request["n_iter"] * len(passes)
        info = build_info(job.kind, request, self.loaded_model or {}, self.options["sd_vae"], state.job_timestamp)
        for iteration in range(request["n_iter"]):
            if state.interrupted:
                break
            if request["n_iter"] > 1:
                state.job = f"Batch {iteration + 1} out of {request['n_iter']}"
            await self._iterate(job, iteration, passes, info, init=init, mask=mask)
        return info

    async def _iterate(
        self,
        job: Job,
        iteration: int,
        passes: list[tuple[int, int, int]],
        info: dict[str, Any],
        *,
        init: Image.Image | None,
        mask: Image.Image | None,
    ) -> None:
        request, state = job.request, self.state
        await self._work(self.step_s)  # encoding of the prompt, with the previous job's steps on show
        indices = range(iteration * request["batch_size"], (iteration + 1) * request["batch_size"])
        motifs: tuple[Motif, ...] = ()
        share = 0.0
        for number, (steps, width, height) in enumerate(passes):
            if number:
                await self._work(self.step_s)  # scaling up, with the first pass's steps on show
            if state.interrupted and number:
                break
            motifs = tuple(
                Motif(
                    subject="\n".join((info["prompt"], info["negative_prompt"], info["sd_model_name"])),
                    seed=info["all_seeds"][index],
                    width=width,
                    height=height,
                    init_image=init,
                    mask=mask,
                    mask_blur=4 if request.get("mask_blur") is None else request["mask_blur"],
                    denoise=1.0 if init is None else request["denoising_strength"],
                )
                for index in indices
            )
            share = await self._sample(job, steps, motifs)
            self.previews.render_after_pass()
            state.next_pass()
        state.skipped = False
        job.images += [
            (paint(motif, share), info["infotexts"][index]) for motif, index in zip(motifs, indices, strict=True)
        ]

    async def _sample(self, job: Job, steps: int, motifs: tuple[Motif, ...]) -> float:
        """How much of the picture there is in the end."""
        state = self.state
        state.sampling_steps = steps
        state.latent = motifs
        for step in range(steps):
            state.sampling_step = step
            self.changes.tell()
            await self.gate.wait()
            await self._work(self.step_s)
            if state.interrupted or state.skipped:
                return (step + 1) / steps
            if job.is_cut_short:
                break
            if step >= steps // 2 and not job.is_foreign:
                self._fail_on_command()
        return 1.0

    def _fail_on_command(self) -> None:
        if self.faults.take("is_out_of_memory") or self.faults.is_memory_full:
            raise ServerError(
                500,
                "OutOfMemoryError",
                errors="CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has a total capacity of 7.79 GiB",
            )
        if self.faults.take("gives_nan"):
            message = "A tensor with NaNs was produced in Unet. Use --disable-nan-check commandline argument to disable"
            raise ServerError(500, "NansException", errors=message)
        if self.faults.take("breaks_gpu"):
            raise ServerError(500, "RuntimeError", errors="CUDA error: an illegal memory access was encountered")

    def _count_steps(self, job: Job) -> int:
        steps = int(job.request["steps"])
        if job.kind == "img2img":
            return int(min(job.request["denoising_strength"], 0.999) * steps) + 1
        return steps

    async def _encode(self, job: Job, info: dict[str, Any]) -> dict[str, Any]:
        """After the job has left the global state, and while the next one may run."""
        await asyncio.sleep(0)
        request, image_format = job.request, str(self.options["samples_format"])
        if image_format not in ("png", "jpg", "webp"):
            raise not_an_exception(500, "Invalid image format")
        images = [base64.b64encode(encode(image, image_format, text)).decode() for image, text in job.images]
        if request["save_images"] and len(images) > 1:
            info["index_of_first_image"] = 1
            images.insert(0, images[0])
        if self.faults.take("loses_images") or not request["send_images"]:
            images = []
        hidden = {} if request.get("include_init_images") else {"init_images": None, "mask": None}
        echo = request | (hidden if job.kind == "img2img" else {})
        return {"images": images, "parameters": echo, "info": json.dumps(info)}

    # --- control ---

    def interrupt(self) -> None:
        self.interrupts += 1
        if not self.faults.ignores_interrupts:
            self.state.interrupted = True
            self.changes.tell()

    def skip(self) -> None:
        self.state.skipped = True

    def progress(self, *, shows_image: bool) -> dict[str, Any]:
        """`/sdapi/v1/progress`. Idle documents keep everything stale."""
        state = self.state
        if state.job_count == 0:
            return {
                "progress": 0.0,
                "eta_relative": 0.0,
                "state": state.document(),
                "current_image": None,
                "textinfo": None,
            }
        progress = min(1.0, 0.01 + state.fraction)
        self.previews.refresh()
        elapsed = time.time() - state.begun_at
        return {
            "progress": progress,
            "eta_relative": elapsed / progress - elapsed,
            "state": state.document(),
            "current_image": self.previews.encode(str(self.options["samples_format"])) if shows_image else None,
            "textinfo": None,
        }

    def task_progress(self, task: str | None, *, preview_id: int, shows_preview: bool) -> dict[str, Any]:
        """`/internal/progress`."""
        tasks, state = self.tasks, self.state
        is_active = task == tasks.current
        is_queued = task in tasks.pending
        document: dict[str, Any] = {
            "active": is_active,
            "queued": is_queued,
            "completed": task in tasks.finished,
            "progress": None,
            "eta": None,
            "live_preview": None,
            "id_live_preview": -1,
            "textinfo": "Waiting...",
        }
        if is_active:
            document |= {"progress": state.fraction, "textinfo": None, "id_live_preview": preview_id}
            if shows_preview and self.options["live_previews_enable"]:
                self.previews.refresh()
                picture = self.previews.encode(str(self.options["live_previews_image_format"]))
                if picture is not None and state.id_live_preview != preview_id:
                    document["live_preview"] = f"data:image/png;base64,{picture}"
                    document["id_live_preview"] = state.id_live_preview
        elif is_queued:
            position = list(tasks.pending).index(str(task)) + 1
            document["textinfo"] = f"In queue: {position}/{len(tasks.pending)}"
        return document

    async def _work(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self.changes.tell()

    async def wait_until(self, condition: Callable[[], bool]) -> None:
        await self.changes.wait_until(condition)
