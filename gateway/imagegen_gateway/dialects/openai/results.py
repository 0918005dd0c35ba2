"""Finished pictures as OpenAI hands them out: base64, or an address on this gateway."""

from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web

from imagegen.v1 import job_pb2
from imagegen_gateway.assets import asset_address
from imagegen_gateway.dialects.kit import Kit
from imagegen_gateway.dialects.openai.parameters import ImageRequest
from imagegen_gateway.pictures import MEDIA_TYPES, Format, convert, to_text

FORMATS: Final = {media_type: name for name, media_type in MEDIA_TYPES.items()}
NO_USAGE: Final = {
    "input_tokens": 0,
    "input_tokens_details": {"image_tokens": 0, "text_tokens": 0},
    "output_tokens": 0,
    "total_tokens": 0,
}
"""There are no tokens here, but OpenAI's types have the field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One picture."""

    entry: dict[str, Any]
    """It as an entry of `data`."""
    description: dict[str, str]
    """Its format, size, quality and background, by OpenAI's names."""


class Results:
    """Reads and converts pictures as a request wants them."""

    def __init__(self, kit: Kit, wanted: ImageRequest, request: web.Request) -> None:
        self._assets = kit.assets
        self._max_bytes = kit.settings.max_upload_bytes
        self._wanted = wanted
        self._request = request

    @property
    def are_inline(self) -> bool:
        """Whether the answer holds the pictures themselves."""
        return self._wanted.response_format == "b64_json"

    async def read(self, output: job_pb2.Output) -> Result:
        """A result of the job. Raises Problem, AioRpcError."""
        asset, data = await self._assets.read(output.asset.digest, max_bytes=self._max_bytes)
        target = self._wanted.output_format or FORMATS.get(asset.media_type, "png")
        converted, _ = await self._convert(data, asset.media_type, target)
        entry: dict[str, Any] = {}
        if self.are_inline:
            entry["b64_json"] = await to_text(converted)
        else:
            digest = asset.digest if converted is data else (await self._assets.store(converted)).digest
            entry["url"] = asset_address(self._request, digest)
        if output.HasField("seed"):
            entry["seed"] = str(output.seed)  # up to 2^63, which JSON numbers of other languages do not hold
        return Result(entry=entry, description=self.describe(target, asset.width, asset.height))

    async def _convert(self, data: bytes, media_type: str, target: Format) -> tuple[bytes, str]:
        compression = self._wanted.output_compression
        return await convert(data, media_type, target, quality=None if compression is None else max(1, compression))

    def describe(self, target: str, width: int, height: int) -> dict[str, str]:
        """What OpenAI says of a picture."""
        return {
            "output_format": target,
            "size": f"{width}x{height}",
            "quality": self._wanted.quality,
            "background": "opaque",
        }
