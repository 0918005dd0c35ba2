"""Text-to-image and image-to-image, and the stopping of both.

A request is one job. When a picture of it is skipped, the job is cancelled and others make the rest, within the same
request; an interrupt cancels it, and the answer has what was made before, as A1111's has. A caller that goes away
cancels it too, which A1111 does not do.
"""

import asyncio
import secrets
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import grpc
import orjson
from aiohttp import web

from imagegen.v1 import job_pb2
from imagegen_gateway import pictures
from imagegen_gateway.callers import Caller, caller_of
from imagegen_gateway.dialects.a1111 import canvas, png
from imagegen_gateway.dialects.a1111.bench import Bench
from imagegen_gateway.dialects.a1111.canvas import Canvas, Frame
from imagegen_gateway.dialects.a1111.desk import TASK_LABEL, Desk, Work, task_key
from imagegen_gateway.dialects.a1111.faults import http_exception, job_failed
from imagegen_gateway.dialects.a1111.fields import IMG2IMG, TXT2IMG, Fields, read
from imagegen_gateway.dialects.a1111.infos import Made, info_of, parameters_of, text_of
from imagegen_gateway.dialects.a1111.names import Stock
from imagegen_gateway.dialects.a1111.orders import Order, order_of
from imagegen_gateway.dialects.a1111.refusals import by_listed_names
from imagegen_gateway.dialects.a1111.stock import Stockroom
from imagegen_gateway.dialects.bodies import largest_json, read_bytes
from imagegen_gateway.dialects.kit import Kit
from imagegen_gateway.dialects.rendering import check_together, images_of
from imagegen_gateway.errors import Problem, from_rpc

SEEDS = 2**32
"""A1111 chooses from so many."""


@dataclass(frozen=True, slots=True)
class Results:
    """What came of a request."""

    spec: job_pb2.JobSpec
    """Of its last job, as the server filled it in."""
    outputs: Sequence[job_pb2.Output]
    """In the order of the pictures; fewer than asked for after a skip or an interrupt."""


class Workshop:
    """Does the work of requests, and stops it."""

    def __init__(self, kit: Kit, stockroom: Stockroom, desk: Desk, bench: Bench) -> None:
        self._kit = kit
        self._stockroom = stockroom
        self._desk = desk
        self._bench = bench

    # --- handlers ---

    async def txt2img(self, request: web.Request) -> web.Response:
        """Makes pictures of words."""
        return await self._make(request, "scripts_txt2img", TXT2IMG)

    async def img2img(self, request: web.Request) -> web.Response:
        """Makes pictures of a picture."""
        return await self._make(request, "scripts_img2img", IMG2IMG)

    async def interrupt(self, request: web.Request) -> web.Response:
        """Stops what the client has at work; if nothing is, what it has waiting."""
        caller = caller_of(request)
        works = self._desk.client(caller).to_interrupt()
        for work in works:
            work.is_interrupted = True
        await self._cancel(works, caller)
        return web.json_response({})

    async def skip(self, request: web.Request) -> web.Response:
        """Leaves out the picture at work, and goes on with the next."""
        caller = caller_of(request)
        works = [work for work in self._desk.client(caller).works if work.is_at_work]
        for work in works:
            work.is_skipped = work.is_skip_wanted = True
        await self._cancel(works, caller)
        return web.json_response(None)

    async def _cancel(self, works: Iterable[Work], caller: Caller) -> None:
        await asyncio.gather(*(self._kit.studio.cancel(work.job_id, caller) for work in works if work.job_id))

    # --- one request ---

    async def _make(self, request: web.Request, kind: str, fields: Fields) -> web.Response:
        caller = caller_of(request)
        client = self._desk.client(caller)
        wanted = read(await read_bytes(request, largest_json(self._kit.settings)), fields)
        stock = await self._stockroom.look()
        order = order_of(wanted, stock, client.choice, random_seed=secrets.randbelow(SEEDS))
        client.choice = order.choice
        work = Work(kind, order.count, order.task_id)
        with client.working(work):
            frame = await self._add_pictures(order)
            try:
                results = await self.run(order.spec, range(order.count), caller, work)
            except grpc.aio.AioRpcError as exc:
                if exc.code() != grpc.StatusCode.INVALID_ARGUMENT:
                    raise
                raise by_listed_names(from_rpc(exc), order.spec, stock) from exc
            made = Made(
                order=order,
                spec=results.spec,
                seeds=[output.seed for output in results.outputs],
                timestamp=work.timestamp,
            )
            texts = await self._texts(results, made, stock, frame) if order.wanted["send_images"] else []
        document = {"images": texts, "parameters": parameters_of(order.wanted), "info": _json(info_of(made, stock))}
        return web.Response(body=await asyncio.to_thread(orjson.dumps, document), content_type="application/json")

    async def _add_pictures(self, order: Order) -> Frame | None:
        fitting = order.fitting
        if fitting is None:
            return None
        initial = await self.read_picture(order.init_image, "init_images")
        mask = await self.read_picture(order.mask, "mask") if order.mask else None
        ready: Canvas = await self._bench.do(lambda: asyncio.to_thread(canvas.prepare, initial, mask, fitting))
        order.spec.image.init_image = (await self._kit.assets.store(ready.picture, "init_images")).digest
        if ready.mask is not None:
            order.spec.image.mask = (await self._kit.assets.store(ready.mask, "mask")).digest
        return ready.frame

    async def read_picture(self, text: str, field: str) -> bytes:
        """The bytes of a picture in a request: base64, a data: address, or fetched. Raises Refused."""
        if text.startswith(("http://", "https://")):
            return await self._kit.fetcher.fetch(text, field)
        try:
            return await pictures.from_text(text, field, self._kit.settings.max_upload_bytes)
        except Problem as exc:
            if exc.status == 400:
                raise http_exception(500, "Invalid encoded image") from exc
            raise

    async def run(self, spec: job_pb2.JobSpec, numbers: range, caller: Caller, work: Work) -> Results:
        """Makes these pictures of a work, but for those that are skipped. Raises Refused for a job that fails."""
        if work.task_id:
            spec.labels[TASK_LABEL] = task_key(caller, work.task_id)
        made: dict[int, job_pb2.Output] = {}
        waiting = deque([numbers])
        filled = spec
        while waiting and not work.is_interrupted:
            span = waiting.popleft()
            job = await self._follow(part_of(spec, span), span, caller, work)
            filled = job.spec
            made |= {span.start + place: output for place, output in placed(job)}
            if job.state == job_pb2.JOB_STATE_CANCELLED:
                if work.take_skip():
                    missing = [number for number in span if number not in made]
                    waiting.extendleft(reversed(runs(missing[1:])))  # the first was at work
                else:
                    work.is_interrupted = True
            elif job.state != job_pb2.JOB_STATE_SUCCEEDED:
                raise job_failed(job)
        return Results(filled, [made[number] for number in sorted(made)])

    async def _follow(self, spec: job_pb2.JobSpec, span: range, caller: Caller, work: Work) -> job_pb2.Job:
        loop = asyncio.get_running_loop()
        async with self._kit.studio.render(spec, caller) as rendering:
            work.begin(rendering.job_id, span)
            if work.is_interrupted:  # while the job was handed in
                await self._kit.studio.cancel(rendering.job_id, caller)
            async with aclosing(rendering.moments()) as moments:
                async for moment in moments:
                    work.note(moment, loop.time(), datetime.now().astimezone())
            return await rendering.ended()

    # --- its answer ---

    async def _texts(self, results: Results, made: Made, stock: Stock, frame: Frame | None) -> list[str]:
        check_together(results.outputs)
        return [await self._text(output, text_of(made, output.seed, stock), frame) for output in results.outputs]

    async def _text(self, output: job_pb2.Output, infotext: str, frame: Frame | None) -> str:
        data = part = await self.png_of(output)
        if frame is not None:
            data = await self._bench.do(lambda: asyncio.to_thread(canvas.put_back, part, frame))
        if not png.has_text(data, "parameters"):
            data = png.with_text(data, "parameters", infotext)
        return await pictures.to_text(data)

    async def png_of(self, output: job_pb2.Output) -> bytes:
        """The bytes of a result, as PNG whatever its backend made."""
        asset, data = await self._kit.assets.read(output.asset.digest, max_bytes=self._kit.settings.max_upload_bytes)
        return (await self._bench.do(lambda: pictures.convert(data, asset.media_type, "png")))[0]


def part_of(spec: job_pb2.JobSpec, span: range) -> job_pb2.JobSpec:
    """The job for some pictures of another."""
    part = job_pb2.JobSpec()
    part.CopyFrom(spec)
    if part.HasField("image"):
        part.image.seed += span.start
        part.image.count = len(span)
    return part


def placed(job: job_pb2.Job) -> list[tuple[int, job_pb2.Output]]:
    """The results of a job with their places in it: a graph's count from its first, others say theirs."""
    if job.spec.HasField("graph"):
        return list(enumerate(images_of(job)))
    return [(output.image_index, output) for output in images_of(job)]


def runs(numbers: Iterable[int]) -> list[range]:
    """Ascending numbers as ranges without gaps."""
    found: list[range] = []
    for number in numbers:
        if found and found[-1].stop == number:
            found[-1] = range(found[-1].start, number + 1)
        else:
            found.append(range(number, number + 1))
    return found


def _json(document: dict[str, Any]) -> str:
    return orjson.dumps(document).decode()
