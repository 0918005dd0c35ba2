"""Upscaling and reading of finished pictures.

Upscaling is a job like any other: a graph, for a backend that takes graphs and has the upscaler.
"""

import asyncio
import json
from dataclasses import dataclass
from typing import Any, Final

import orjson
from aiohttp import web
from PIL import ExifTags

from imagegen.v1 import job_pb2
from imagegen_gateway import pictures
from imagegen_gateway.callers import Caller, caller_of
from imagegen_gateway.dialects.a1111 import infotext, png
from imagegen_gateway.dialects.a1111.bench import Bench
from imagegen_gateway.dialects.a1111.desk import Desk, Work
from imagegen_gateway.dialects.a1111.faults import exception, http_exception, unfit
from imagegen_gateway.dialects.a1111.fields import EXTRA_BATCH, EXTRA_SINGLE, PNG_INFO, Fields, Wanted, read
from imagegen_gateway.dialects.a1111.making import Workshop
from imagegen_gateway.dialects.a1111.names import UPSCALER, Stock
from imagegen_gateway.dialects.a1111.stock import Stockroom
from imagegen_gateway.dialects.bodies import largest_json, read_bytes
from imagegen_gateway.dialects.kit import Kit
from imagegen_gateway.pictures import UNREADABLE

MAX_IMAGES: Final = 64
MAX_SIDE: Final = 16384
NONE: Final = "None"
METHODS: Final = {"Lanczos": "lanczos", "Nearest": "nearest-exact"}
"""Upscalers that are no models, as graphs call them."""
FORBIDDEN: Final = ("gfpgan_visibility", "codeformer_visibility", "extras_upscaler_2_visibility")
USER_COMMENT: Final = 0x9286


@dataclass(frozen=True, slots=True)
class Enlarging:
    """What is wanted of each picture."""

    upscaler: str
    scale: float
    width: int = 0
    height: int = 0
    """The size that is to be filled; 0: by the scale."""
    crops: bool = False

    @property
    def html(self) -> str:
        """What the answer says of it."""
        said = [f"Postprocess upscale by: {self.scale}"]
        if self.width:
            size = f"{self.width}x{self.height}"
            said = [f"Postprocess upscale to: {size}", *([f"Postprocess crop to: {size}"] if self.crops else [])]
        return f"<p>{', '.join([*said, f'Postprocess upscaler: {self.upscaler}'])}</p>"

    def target(self, width: int, height: int) -> tuple[int, int]:
        """The size of the result for a picture of this size."""
        if self.width and self.crops:
            return self.width, self.height
        scale = max(self.width / width, self.height / height) if self.width else self.scale
        return int(width * scale) // 8 * 8, int(height * scale) // 8 * 8


class Darkroom:
    """Works on finished pictures."""

    def __init__(self, kit: Kit, stockroom: Stockroom, desk: Desk, workshop: Workshop, bench: Bench) -> None:
        self._kit = kit
        self._stockroom = stockroom
        self._desk = desk
        self._workshop = workshop
        self._bench = bench

    async def single(self, request: web.Request) -> web.Response:
        """One picture."""
        wanted = await self._read(request, EXTRA_SINGLE)
        html, texts = await self._enlarge(wanted, [wanted["image"]], caller_of(request))
        if not texts:
            raise exception("RuntimeError", "interrupted before there was a picture")
        return await _answer({"html_info": html, "image": texts[0]})

    async def batch(self, request: web.Request) -> web.Response:
        """Several pictures."""
        wanted = await self._read(request, EXTRA_BATCH)
        images = [item.get("data") if isinstance(item, dict) else None for item in wanted["imageList"]]
        if not 1 <= len(images) <= MAX_IMAGES or not all(isinstance(image, str) for image in images):
            raise unfit("imageList", f"must hold 1 to {MAX_IMAGES} objects with data and name")
        html, texts = await self._enlarge(wanted, [str(image) for image in images], caller_of(request))
        return await _answer({"html_info": html, "images": texts})

    async def png_info(self, request: web.Request) -> web.Response:
        """How a picture was made, as it says itself."""
        wanted = await self._read(request, PNG_INFO)
        data = await self._workshop.read_picture(wanted["image"], "image")
        text, items = await self._bench.do(lambda: asyncio.to_thread(written_in, data))
        return await _answer({"info": text, "items": items, "parameters": infotext.read(text)})

    async def _read(self, request: web.Request, fields: Fields) -> Wanted:
        return read(await read_bytes(request, largest_json(self._kit.settings)), fields)

    async def _enlarge(self, wanted: Wanted, images: list[str], caller: Caller) -> tuple[str, list[str]]:
        stock = await self._stockroom.look()
        enlarging = enlarging_of(wanted, stock)
        work = Work("extras", len(images))
        texts: list[str] = []
        with self._desk.client(caller).working(work):
            for number, image in enumerate(images):
                data = await self._workshop.read_picture(image, "image")
                if enlarging is None:
                    made: bytes | None = await self._as_png(data)
                else:
                    made = await self._one(data, enlarging, number, caller, work)
                if made is not None:
                    texts.append(await pictures.to_text(made))
        return (enlarging.html if enlarging is not None else ""), texts

    async def _one(self, data: bytes, enlarging: Enlarging, number: int, caller: Caller, work: Work) -> bytes | None:
        """None when it was stopped."""
        size, text = await self._bench.do(lambda: asyncio.to_thread(_looked_at, data))
        digest = (await self._kit.assets.store(data)).digest
        graph = job_pb2.RawGraph(json=json.dumps(graph_of(enlarging, *size)), images={"image.image": digest})
        results = await self._workshop.run(job_pb2.JobSpec(graph=graph), range(number, number + 1), caller, work)
        if not results.outputs:
            return None
        made = await self._workshop.png_of(results.outputs[0])
        if text and not png.has_text(made, "parameters"):
            made = png.with_text(made, "parameters", text)
        return made

    async def _as_png(self, data: bytes) -> bytes:
        if data.startswith(png.SIGNATURE):
            return data
        return (await self._bench.do(lambda: pictures.convert(data, "", "png")))[0]


def enlarging_of(wanted: Wanted, stock: Stock) -> Enlarging | None:
    """What is wanted; None: nothing. Raises Refused for what nobody can do."""
    for name in FORBIDDEN:
        if wanted[name]:
            raise unfit(name, "no backend can do it; must be 0")
    name = wanted["upscaler_1"]
    if name in {NONE, ""}:
        return None
    if name not in METHODS:
        _check_upscaler(name, stock)
    if not any(backend.capabilities.graphs for backend in stock.backends):
        raise exception("RuntimeError", "pictures are upscaled by backends that take graphs, and there is none")
    if wanted["resize_mode"] not in {0, 1}:
        raise unfit("resize_mode", "must be 0 (by a factor) or 1 (to a size)")
    width, height = wanted["upscaling_resize_w"], wanted["upscaling_resize_h"]
    if wanted["resize_mode"] == 0:
        if not 0 < wanted["upscaling_resize"] <= 8:
            raise unfit("upscaling_resize", "must be above 0 and at most 8")
        return Enlarging(name, float(wanted["upscaling_resize"]))
    if not 1 <= width <= MAX_SIDE or not 1 <= height <= MAX_SIDE:
        raise unfit("upscaling_resize_w", f"both sides must be from 1 to {MAX_SIDE}")
    return Enlarging(name, 1.0, width, height, wanted["upscaling_crop"])


def _check_upscaler(name: str, stock: Stock) -> None:
    holders = stock.holders(UPSCALER, name)
    if not holders:
        raise exception("AssertionError", f"could not find upscaler named {name}")
    if not any(backend.capabilities.graphs for backend in stock.backends if backend.name in holders):
        what = f"{name} is at backends only that take no graphs ({', '.join(sorted(holders))})"
        raise exception("RuntimeError", f"pictures are upscaled by backends that take graphs: {what}")


def graph_of(enlarging: Enlarging, width: int, height: int) -> dict[str, Any]:
    """The graph for a picture of this size, which goes to the node "image"."""
    to_width, to_height = enlarging.target(width, height)
    graph: dict[str, Any] = {"image": _node("LoadImage", image="")}
    source = "image"
    if enlarging.upscaler not in METHODS:
        graph["upscaler"] = _node("UpscaleModelLoader", model_name=enlarging.upscaler)
        graph["upscale"] = _node("ImageUpscaleWithModel", upscale_model=["upscaler", 0], image=["image", 0])
        source = "upscale"
    graph["size"] = _node(
        "ImageScale",
        image=[source, 0],
        upscale_method=METHODS.get(enlarging.upscaler, "lanczos"),
        width=max(1, to_width),
        height=max(1, to_height),
        crop="center" if enlarging.crops else "disabled",
    )
    graph["save"] = _node("SaveImage", images=["size", 0], filename_prefix="extras")
    return graph


def _node(class_type: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": class_type, "inputs": inputs}


def written_in(data: bytes) -> tuple[str, dict[str, str]]:
    """A1111's text in a picture, and other texts. Raises Refused for what is no picture. To be run in a thread."""
    try:
        with pictures.opened(data) as picture:
            texts = {key: value for key, value in picture.info.items() if isinstance(key, str)}
            comment = picture.getexif().get_ifd(ExifTags.IFD.Exif).get(USER_COMMENT)
    except UNREADABLE as exc:
        raise http_exception(500, "Invalid encoded image") from exc
    items = {key: value[: infotext.MAX_CHARS] for key, value in texts.items() if isinstance(value, str)}
    parameters = items.pop("parameters", "")
    return parameters or (_comment(comment) if isinstance(comment, bytes) else ""), items


def _comment(data: bytes) -> str:
    """The first eight bytes say in which code the rest is."""
    code, body = data[:8], data[8:]
    text = body.decode("utf-16-be" if code.startswith(b"UNICODE") else "utf-8", "replace")
    return text[: infotext.MAX_CHARS]


def _looked_at(data: bytes) -> tuple[tuple[int, int], str]:
    text, _ = written_in(data)
    with pictures.opened(data) as picture:
        return picture.size, text


async def _answer(document: dict[str, Any]) -> web.Response:
    return web.Response(body=await asyncio.to_thread(orjson.dumps, document), content_type="application/json")
