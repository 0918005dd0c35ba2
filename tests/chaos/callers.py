"""Those who use the service: they hand jobs in, cancel some, and hand some in again."""

import asyncio
import io
import json
from dataclasses import dataclass

import aiohttp
from google.protobuf.json_format import MessageToDict
from PIL import Image

from imagegen.v1.job_pb2 import ImageParameters, JobSpec, RawGraph
from imagegen_client import Client, ImagegenError
from tests.chaos.evidence import Accepted
from tests.chaos.plan import JobKind, PlannedJob, Way
from tests.fakes.comfyui.server import CHECKPOINTS

GIVE_UP_AFTER_S = 60.0
_SIDE = 64
_PASSING = frozenset({502, 503, 504})
"""What the gateway answers while it cannot reach the server."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Speaks to server and gateway, and is as patient as a good client."""

    client: Client
    session: aiohttp.ClientSession
    """Of the gateway's address."""
    picture: str
    """Digest of the picture that image-to-image begins with."""

    async def hand_in(self, job: PlannedJob, *, run: str) -> str:
        """The id of the job. `run` makes the request id unique. Raises ImagegenError, TimeoutError."""
        request_id = f"chaos-{run}-{job.number}"
        spec = spec_of(job, self.picture)
        if job.way is Way.GRPC:
            return (await self.client.create_job(spec, request_id=request_id)).job_id
        return await self._post(spec, request_id)

    async def repeat(self, accepted: Accepted, *, run: str) -> None:
        assert accepted.planned.repeat_after_s is not None
        await asyncio.sleep(accepted.planned.repeat_after_s)
        accepted.repeated_as.append(await self.hand_in(accepted.planned, run=run))

    async def cancel(self, accepted: Accepted) -> None:
        assert accepted.planned.cancel_after_s is not None
        await asyncio.sleep(accepted.planned.cancel_after_s)
        # Noted before: the cancel may take effect although its answer is lost.
        accepted.is_cancel_accepted = True
        await self.client.cancel(accepted.job_id)

    async def _post(self, spec: JobSpec, request_id: str) -> str:
        body = {"spec": MessageToDict(spec, preserving_proto_field_name=True)}
        async with asyncio.timeout(GIVE_UP_AFTER_S):
            while True:
                try:
                    headers = {"Idempotency-Key": request_id}
                    async with self.session.post("/api/v1/jobs", json=body, headers=headers) as response:
                        if response.status == 200:
                            return str((await response.json())["job"]["job_id"])
                        if response.status not in _PASSING:
                            raise ImagegenError(f"the gateway answered {response.status}: {await response.text()}")
                except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError):
                    pass  # it is being started again
                await asyncio.sleep(0.2)


def draw_picture() -> bytes:
    """What image-to-image begins with."""
    out = io.BytesIO()
    Image.radial_gradient("L").resize((_SIDE, _SIDE)).convert("RGB").save(out, "PNG")
    return out.getvalue()


def spec_of(job: PlannedJob, picture: str) -> JobSpec:
    if job.kind is JobKind.GRAPH:
        return JobSpec(graph=RawGraph(json=json.dumps(_graph(job))))
    image = ImageParameters(
        prompt=f"chaos {job.number}",
        width=_SIDE,
        height=_SIDE,
        steps=job.steps,
        seed=job.seed,
        count=job.count,
        batch_size=job.batch_size,
    )
    if job.kind is JobKind.IMAGE:
        image.init_image = picture
    return JobSpec(image=image)


def _graph(job: PlannedJob) -> dict[str, object]:
    sampler = {
        "seed": job.seed,
        "steps": job.steps,
        "cfg": 7.0,
        "sampler_name": "euler",
        "scheduler": "normal",
        "denoise": 1.0,
        "model": ["1", 0],
        "positive": ["2", 0],
        "negative": ["3", 0],
        "latent_image": ["4", 0],
    }
    return {
        "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": CHECKPOINTS[0]}},
        "2": {"class_type": "CLIPTextEncode", "inputs": {"text": f"chaos {job.number}", "clip": ["1", 1]}},
        "3": {"class_type": "CLIPTextEncode", "inputs": {"text": "", "clip": ["1", 1]}},
        "4": {"class_type": "EmptyLatentImage", "inputs": {"width": 64, "height": 64, "batch_size": job.count}},
        "5": {"class_type": "KSampler", "inputs": sampler},
        "6": {"class_type": "VAEDecode", "inputs": {"samples": ["5", 0], "vae": ["1", 2]}},
        "7": {"class_type": "SaveImage", "inputs": {"filename_prefix": "chaos", "images": ["6", 0]}},
    }
