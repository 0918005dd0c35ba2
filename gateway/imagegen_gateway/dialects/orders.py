"""What people and language models order in a few words, and the jobs that come of it."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from imagegen.v1 import asset_pb2, image_gen_pb2_grpc, job_pb2
from imagegen_client.specs import count_of, size_of
from imagegen_gateway.assets import DIGEST
from imagegen_gateway.callers import Caller
from imagegen_gateway.dialects.chats import newest_picture
from imagegen_gateway.dialects.kit import Kit
from imagegen_gateway.dialects.wishes import Offer, Wish, spec_for
from imagegen_gateway.pictures import from_text

SIDES: Final = range(64, 4097, 8)
SIZE: Final = re.compile(r"([0-9]{1,5})x([0-9]{1,5})")
DEFAULT_AREA: Final = 512 * 512
"""Pixels of a picture of which not even the server knows the size beforehand."""
LARGE_AREA: Final = 1_600_000
"""Pixels from which a picture is not repainted at its own size: photographs have ten times what models are made for."""
USUAL_AREA: Final = 1_048_576
"""Pixels that it gets instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is ordered; None: nobody said."""

    prompt: str = ""
    size: tuple[int, int] | None = None
    """Width and height."""
    aspect: tuple[int, int] | None = None
    """Width to height, where there is no size."""
    steps: int | None = None
    seed: int | None = None
    negative_prompt: str | None = None
    count: int | None = None
    cfg_scale: float | None = None
    denoise: float | None = None
    sampler: str | None = None
    scheduler: str | None = None
    is_edit: bool = False
    """Whether the newest picture of the chat is to be changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A job to be made."""

    spec: job_pb2.JobSpec
    offer: Offer

    @property
    def count(self) -> int:
        """How many pictures are sure to come."""
        return max(1, count_of(self.spec))


def size_in(text: str) -> tuple[int, int] | None:
    """Width and height in "768x512"; None: it is no size, or none that there is."""
    found = SIZE.fullmatch(text)
    size = (int(found[1]), int(found[2])) if found is not None else (0, 0)
    return size if size[0] in SIDES and size[1] in SIDES else None


def sized(order: Order, area: int) -> tuple[int, int] | None:
    """Width and height, also from an aspect over about `area` pixels; None: the order does not say."""
    if order.size is not None or order.aspect is None:
        return order.size
    return shaped(*order.aspect, area)


def shaped(width: int, height: int, area: int) -> tuple[int, int]:
    """A size of about that area in the shape of another."""
    factor = math.sqrt(area / (width * height))
    return nearest_side(width * factor), nearest_side(height * factor)


def nearest_side(pixels: float) -> int:
    """The nearest width or height that there is."""
    return max(SIDES[0], min(SIDES[-1], round(pixels / 8) * 8))


class Orders:
    """Makes jobs of orders."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self._jobs = image_gen_pb2_grpc.ImageGenServiceStub(kit.channels.events)

    async def request(
        self, model: str, order: Order, pictures: Sequence[asset_pb2.Asset], labels: Mapping[str, str], caller: Caller
    ) -> Request:
        """The job for an order. Raises Problem, and AioRpcError, for what cannot be."""
        offer = await self._kit.offers.find(model)
        size = order.size or (_size_of_picture(order, offer, pictures[0]) if pictures else None)
        wish = _wish(order, size, pictures)
        if size is None and order.aspect is not None:
            area = await self._usual_area(spec_for(offer, wish), caller)
            wish = _wish(order, shaped(*order.aspect, area), pictures)
        spec = spec_for(offer, wish)
        spec.labels.update(labels)
        return Request(spec=spec, offer=offer)

    async def _usual_area(self, spec: job_pb2.JobSpec, caller: Caller) -> int:
        """Pixels of a picture for which nobody gave a size."""
        planned = await self._kit.studio.plan(spec, caller)
        width, height = size_of(planned)
        return width * height or DEFAULT_AREA

    async def stored(self, address: str) -> asset_pb2.Asset:
        """The picture at an address: a digest, data:, or http. Raises Problem, AioRpcError."""
        if DIGEST.fullmatch(address):
            async with self._kit.assets.open(address) as opened:
                return opened.asset
        if address.startswith("data:"):
            data = await from_text(address, "image", self._kit.settings.max_upload_bytes)
        else:
            data = await self._kit.fetcher.fetch(address, "image")
        return await self._kit.assets.store(data)

    async def newest_of(self, chat_id: str, caller: Caller) -> asset_pb2.Asset | None:
        """The picture that was made last in a chat; None: there is none. Raises AioRpcError."""
        return await newest_picture(self._jobs, chat_id, caller, self._kit.settings.rpc_timeout_s)


def _wish(order: Order, size: tuple[int, int] | None, pictures: Sequence[asset_pb2.Asset]) -> Wish:
    return Wish(
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


def _size_of_picture(order: Order, offer: Offer, picture: asset_pb2.Asset) -> tuple[int, int] | None:
    """The size at which a picture is changed, where it is not its own; None: its own, or the workflow's."""
    if offer.has_own_graph or not picture.width or not picture.height:
        return None
    area = picture.width * picture.height
    if order.aspect is not None:
        return shaped(*order.aspect, min(area, USUAL_AREA))
    return shaped(picture.width, picture.height, USUAL_AREA) if area > LARGE_AREA else None
