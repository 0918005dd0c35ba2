"""Pictures by OpenAI's image API: /openai/v1/images/generations and /openai/v1/images/edits.

Both make one job and wait for its end, or tell on the way what they have (partials.py) when the caller asks for a
stream. A caller that closes its connection cancels the job. Errors up to the job's acceptance may be tried again; those
after it say that they should not, because OpenAI's packages would have a picture that fails rendered three times.
"""

from typing import Any

import orjson
from aiohttp import web

from imagegen.v1 import job_pb2
from imagegen_gateway.callers import caller_of
from imagegen_gateway.dialects.bodies import idempotency_key, largest_json, read_json
from imagegen_gateway.dialects.kit import Kit
from imagegen_gateway.dialects.openai.errors import accepted
from imagegen_gateway.dialects.openai.parameters import (
    EDIT,
    GENERATION,
    ImageRequest,
    parse,
    set_steps,
    step_factor,
    to_spec,
)
from imagegen_gateway.dialects.openai.partials import EDITING, GENERATING, EventNames, Telling
from imagegen_gateway.dialects.openai.results import NO_USAGE, Results
from imagegen_gateway.dialects.openai.sources import Sources, read_sources
from imagegen_gateway.dialects.rendering import Rendering, check_together, finished_pictures
from imagegen_gateway.dialects.wishes import Offer
from imagegen_gateway.events import HEADERS
from imagegen_gateway.pictures import mask_of_transparency
from imagegen_gateway.sink import Sink


def routes(kit: Kit) -> list[web.RouteDef]:
    """aiohttp routes."""
    images = Images(kit)
    return [
        web.post("/openai/v1/images/generations", images.generate),
        web.post("/openai/v1/images/edits", images.edit),
    ]


class Images:
    """The handlers of the two routes."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit

    async def generate(self, request: web.Request) -> web.StreamResponse:
        """Pictures out of a prompt."""
        wanted = parse(await read_json(request, largest_json(self._kit.settings)), GENERATION)
        offer = await self._kit.offers.find(wanted.model)
        spec = to_spec(wanted, offer)
        return await self._render(request, wanted, offer, spec, GENERATING)

    async def edit(self, request: web.Request) -> web.StreamResponse:
        """Pictures out of pictures and a prompt."""
        sources = await read_sources(request, self._kit.settings, self._kit.fetcher)
        wanted = parse(sources.fields, EDIT)
        offer = await self._kit.offers.find(wanted.model)
        spec = await self._edit_spec(wanted, offer, sources)
        return await self._render(request, wanted, offer, spec, EDITING)

    async def _edit_spec(self, wanted: ImageRequest, offer: Offer, sources: Sources) -> job_pb2.JobSpec:
        mask = None if sources.mask is None else await mask_of_transparency(sources.mask, "mask")
        digests = [await self._store(image, "image") for image in sources.images]
        mask_digest = None if mask is None else await self._store(mask, "mask")
        return to_spec(wanted, offer, init_images=digests, mask=mask_digest)

    async def _store(self, data: bytes, name: str) -> str:
        return (await self._kit.assets.store(data, name)).digest

    async def _render(
        self, request: web.Request, wanted: ImageRequest, offer: Offer, spec: job_pb2.JobSpec, names: EventNames
    ) -> web.StreamResponse:
        if (factor := step_factor(wanted)) is not None:
            set_steps(spec, await self._kit.studio.plan(spec, caller_of(request)), factor, offer)
        results = Results(self._kit, wanted, request)
        key = idempotency_key(request)
        async with self._kit.studio.render(spec, caller_of(request), request_id=key) as rendering:
            if wanted.stream:
                return await self._stream(request, rendering, Telling(wanted, names, results))
            with accepted():
                job = await rendering.ended()
                answer = orjson.dumps(await _answer(job, results))
        return web.Response(body=answer, content_type="application/json", headers={"Cache-Control": "no-store"})

    async def _stream(self, request: web.Request, rendering: Rendering, telling: Telling) -> web.StreamResponse:
        settings = self._kit.settings
        sink = Sink(request, web.StreamResponse(headers=HEADERS), write_timeout_s=settings.write_timeout_s)
        async with sink.writing():
            await sink.open(b": accepted\n\n")
            await telling.run(rendering, sink, settings.ping_interval_s)
            await sink.close()
        return sink.response


async def _answer(job: job_pb2.Job, results: Results) -> dict[str, Any]:
    pictures = finished_pictures(job)
    if results.are_inline:
        check_together(pictures)
    data = [await results.read(picture) for picture in pictures]
    return {
        "created": job.end_time.seconds,
        "data": [result.entry for result in data],
        **data[0].description,
        "usage": NO_USAGE,
        "imagegen": {"job_id": job.job_id, "warnings": [warning.message for warning in job.warnings]},
    }
