"""Makes a job of a question: finds the model, fetches the pictures, and fills in what was not said."""

import secrets
from dataclasses import dataclass, replace
from typing import Final

from imagegen.v1 import asset_pb2, image_gen_pb2_grpc, job_pb2
from imagegen_gateway.assets import DIGEST
from imagegen_gateway.callers import Caller
from imagegen_gateway.dialects.chats import ChatMessage, newest_picture
from imagegen_gateway.dialects.kit import Kit
from imagegen_gateway.dialects.openai import syntax
from imagegen_gateway.dialects.openai.chat_messages import Question
from imagegen_gateway.dialects.openai.syntax import Order
from imagegen_gateway.dialects.rendering import images_of
from imagegen_gateway.errors import Problem
from imagegen_gateway.pictures import from_text
from imagegen_gateway.presets import PresetSettings, Wish, spec_for

LARGE_AREA: Final = 1_600_000
"""Pixels from which a picture is not repainted at its own size: photographs have ten times what models are made for."""
USUAL_AREA: Final = 1_048_576
"""Pixels that it gets instead."""
DIALECT: Final = "openai-chat"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A job to be made."""

    spec: job_pb2.JobSpec
    preset: PresetSettings
    seed: int | None
    """The seed of a workflow; None: the server says it."""


class Orders:
    """For one gateway."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self._jobs = image_gen_pb2_grpc.ImageGenServiceStub(kit.channels.events)

    async def request(self, question: Question, order: Order, message: ChatMessage, caller: Caller) -> Request:
        """The job for a question. Raises Problem, and AioRpcError, for what cannot be."""
        preset = await self._kit.offers.find(question.model)
        order = completed(order, question)
        pictures = await self._pictures(question, order, message, caller)
        if not order.prompt and not pictures:
            raise _unclear("the message is empty; say what to paint, or send: help")
        size = _size(order, preset, pictures)
        wish = Wish(
            prompt=order.prompt,
            negative_prompt=order.negative_prompt,
            width=size[0] if size is not None else None,
            height=size[1] if size is not None else None,
            steps=order.steps,
            cfg_scale=order.cfg_scale,
            sampler=order.sampler,
            scheduler=order.scheduler,
            seed=order.seed,
            count=order.count,
            init_images=tuple(picture.digest for picture in pictures),
            denoise=order.denoise,
        )
        seed = secrets.randbelow(2**50) if order.seed is None else order.seed
        spec = spec_for(preset, wish, seed=seed)
        spec.labels.update({"dialect": DIALECT, **message.labels})
        return Request(spec=spec, preset=preset, seed=seed if _has_seed(preset) else None)

    async def _pictures(
        self, question: Question, order: Order, message: ChatMessage, caller: Caller
    ) -> list[asset_pb2.Asset]:
        if question.pictures or not order.is_edit:
            return [await self._stored(address) for address in question.pictures]
        if message.chat_id:
            made = await newest_picture(self._jobs, message.chat_id, caller, self._kit.settings.rpc_timeout_s)
            if made is not None:
                return [made]
        if not question.earlier:
            raise _unclear("there is no picture to edit in this chat yet; attach one")
        return [await self._stored(question.earlier[0])]

    async def _stored(self, address: str) -> asset_pb2.Asset:
        if DIGEST.fullmatch(address):
            async with self._kit.assets.open(address) as opened:
                return opened.asset
        if address.startswith("data:"):
            data = await from_text(address, "image", self._kit.settings.max_upload_bytes)
        else:
            data = await self._kit.fetcher.fetch(address, "image")
        return await self._kit.assets.store(data)


def completed(order: Order, question: Question) -> Order:
    """The order with the question's defaults for what it does not say."""
    missing = {name: value for name, value in question.defaults.items() if getattr(order, name) is None}
    if order.aspect is not None and "size" in missing:
        width, height = missing.pop("size")
        missing["size"] = syntax.sized(order, width * height)
    return replace(order, **missing)


def _size(order: Order, preset: PresetSettings, pictures: list[asset_pb2.Asset]) -> tuple[int, int] | None:
    size = syntax.sized(order, preset.width * preset.height or syntax.DEFAULT_AREA)
    if size is not None or not pictures or preset.graph:
        return size
    width, height = pictures[0].width, pictures[0].height
    return syntax.shaped(width, height, USUAL_AREA) if width * height > LARGE_AREA else None


def _has_seed(preset: PresetSettings) -> bool:
    return any(entry.type == "seed" for entry in preset.inputs)


def _unclear(why: str) -> Problem:
    return Problem(400, why, reason="INVALID_REQUEST")


def made(job: job_pb2.Job, request: Request) -> str:
    """A line about what was made, with what makes the same again; as Markdown."""
    pictures = images_of(job)
    order = Order(seed=request.seed)
    name = request.preset.name or request.preset.id
    if job.spec.HasField("image"):
        image = job.spec.image
        order = Order(size=_shown_size(pictures[0].asset), steps=image.steps, seed=image.seed)
        name = image.model or name
    again = syntax.render(order)
    lines = [f"Made with `{name}`." + (f" The same again: `{again}`" if again else "")]
    lines += [f"Note: {warning.message}" for warning in job.warnings]
    return "\n\n".join(lines)


def _shown_size(asset: asset_pb2.Asset) -> tuple[int, int] | None:
    return (asset.width, asset.height) if asset.width and asset.height else None


def problem_without_pictures() -> Problem:
    """Why a job that succeeded is no answer."""
    return Problem(502, "the workflow ended without a picture", reason="NO_OUTPUT")
