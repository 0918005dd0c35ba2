"""The pictures that an edit starts from: files of a form, or data: and http addresses in JSON."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import web

from imagegen_gateway.config import GatewaySettings
from imagegen_gateway.decoding import bad_field
from imagegen_gateway.dialects.bodies import Part, largest_form, largest_json, read_form, read_json
from imagegen_gateway.errors import Problem
from imagegen_gateway.fetching import Fetcher
from imagegen_gateway.pictures import from_text

MAX_IMAGES: Final = 16
IMAGE_FIELD: Final = re.compile(r"image(\[[0-9]{0,2}\])?")
PICTURES: Final = frozenset({"image", "images", "mask"})


@dataclass(slots=True, kw_only=True)
class Sources:
    """An edit's pictures, and what else it says."""

    fields: dict[str, Any] = field(default_factory=dict)
    """The other parameters."""
    images: list[bytes] = field(default_factory=list)
    """The pictures to change, at least one."""
    mask: bytes | None = None
    """A picture that is transparent where the first one is to be changed."""


async def read_sources(request: web.Request, settings: GatewaySettings, fetcher: Fetcher) -> Sources:
    """The pictures and parameters of a request. Raises Problem 400, 408, 413, 415."""
    if request.content_type == "multipart/form-data":
        sources = from_parts(await read_form(request, largest_form(settings)))
    else:
        body = await read_json(request, largest_json(settings))
        sources = await _from_json(body, fetcher, settings.max_upload_bytes)
    if not sources.images:
        raise bad_field("image", "is missing: give the picture that is to be changed")
    _check_count(len(sources.images))
    return sources


def _check_count(images: int) -> None:
    if images > MAX_IMAGES:
        raise bad_field("image", f"there may be {MAX_IMAGES} of them at most, not {images}")


def from_parts(parts: Sequence[Part]) -> Sources:
    """What a form says. Raises Problem 400."""
    sources = Sources()
    for part in parts:
        is_image = IMAGE_FIELD.fullmatch(part.name) is not None
        if (is_image or part.name == "mask") and not part.data:
            raise bad_field(part.name, "is empty")
        if is_image:
            sources.images.append(part.data)
        elif part.name in sources.fields or (part.name == "mask" and sources.mask is not None):
            raise bad_field(part.name[:64], "is given more than once")
        elif part.name == "mask":
            sources.mask = part.data
        else:
            sources.fields[part.name] = part.text()
    return sources


async def _from_json(body: dict[str, Any], fetcher: Fetcher, max_bytes: int) -> Sources:
    sources = Sources(fields={name: value for name, value in body.items() if name not in PICTURES})
    addresses = _addresses(body.get("image"), "image") + _addresses(body.get("images"), "images")
    _check_count(len(addresses))
    left = max_bytes
    for name, address in [*addresses, *_addresses(body.get("mask"), "mask")]:
        data = await _load(address, name, fetcher, left)
        left -= len(data)
        if name == "mask":
            sources.mask = data
        else:
            sources.images.append(data)
    return sources


def _addresses(value: Any, name: str) -> list[tuple[str, str]]:
    """The addresses, or base64, each with the name of the parameter."""
    items = value if isinstance(value, list) and name != "mask" else [] if value is None else [value]
    return [(name, _address(item, name)) for item in items]


def _address(item: Any, name: str) -> str:
    if isinstance(item, dict) and "file_id" in item:
        raise bad_field(name, "no files are kept here: give image_url in the place of file_id")
    address = item.get("image_url") if isinstance(item, dict) else item
    if not isinstance(address, str) or not address:
        raise bad_field(name, 'must be base64, a data: or http address, or {"image_url": such an address}')
    return address


async def _load(address: str, name: str, fetcher: Fetcher, max_bytes: int) -> bytes:
    if not address.startswith(("http://", "https://")):
        return await from_text(address, name, max_bytes)
    data = await fetcher.fetch(address, name)
    if len(data) > max_bytes:
        raise Problem(413, f"{name}: the pictures are too large together", reason="ASSET_TOO_LARGE")
    return data
