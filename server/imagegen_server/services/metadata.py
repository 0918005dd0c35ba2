"""How pictures were made: as jobs know it, and as files say it."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, is_dataclass
from typing import Any, Final

from imagegen.v1 import image_gen_pb2 as pb
from imagegen.v1 import job_pb2
from imagegen_adapters.contract import Catalog, ImageParameters, NamedModel
from imagegen_server.assets import AssetStore
from imagegen_server.errors import Refused, bad_field
from imagegen_server.fleet import Fleet
from imagegen_server.jobs import Asset, Job, Output
from imagegen_server.ledger import Ledger
from imagegen_server.metadata import files
from imagegen_server.metadata.errors import UnreadableFile
from imagegen_server.metadata.files import Embedded
from imagegen_server.metadata.parameters import NOTHING_KNOWN, Known, parse, united
from imagegen_server.metadata.remaking import notes_of, output_of, seed_of, spec_of
from imagegen_server.metadata.writing import write
from imagegen_server.wire.specs import encode_spec

_WITH_METADATA: Final = frozenset({"image/png", "image/jpeg", "image/webp"})
_VERSION: Final = "imagegen"
_AT_ONCE: Final = 2
"""Files that are in memory to be read or rewritten: there are a few threads only, and others want them, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationMetadata:
    """Tells how pictures were made, and gives them with other metadata."""

    assets: AssetStore
    ledger: Ledger
    fleet: Fleet
    turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_AT_ONCE))

    async def describe(self, digest: str) -> pb.GetGenerationMetadataResponse:
        """Refused: ASSET_NOT_FOUND."""
        asset = await self.assets.get(digest)
        embedded = await self._embedded(asset)
        found = await self._origin(asset)
        if found is not None:
            return self._of_job(*found, embedded)
        return await asyncio.to_thread(_of_file, embedded, known_names(self.fleet))

    async def stripped(self, digest: str) -> bytes:
        """The file without metadata. Refused: ASSET_NOT_FOUND, INVALID_IMAGE."""
        asset = await self.assets.get(digest)
        return await self._rewritten(asset, "")

    async def with_parameters(self, digest: str) -> bytes:
        """The file with A1111's text in place of what it says.

        Refused: ASSET_NOT_FOUND, INVALID_IMAGE; INVALID_REQUEST where nothing is known that the text could say.
        """
        text = (await self.describe(digest)).parameters
        if not text:
            message = "of this picture nothing is known that A1111's text could say; keep its metadata or strip them"
            raise bad_field("INVALID_REQUEST", "metadata", message)
        return await self._rewritten(await self.assets.get(digest), text)

    async def _rewritten(self, asset: Asset, text: str) -> bytes:
        _check_type(asset)
        async with self.turns:
            data = await self.assets.bytes(asset.digest)
            try:
                if text:
                    return await asyncio.to_thread(files.with_parameters, data, text)
                return await asyncio.to_thread(files.strip, data)
            except UnreadableFile as error:
                raise bad_field("INVALID_IMAGE", "metadata", f"its metadata cannot be changed: {error}") from error

    async def _embedded(self, asset: Asset) -> Embedded:
        if asset.media_type not in _WITH_METADATA:
            return Embedded()
        async with self.turns:
            return await asyncio.to_thread(files.read, await self.assets.bytes(asset.digest))

    async def _origin(self, asset: Asset) -> tuple[Job, Output] | None:
        """The job that made it, if it is still known, and which of its outputs it is."""
        try:
            job = await self.ledger.get(asset.job_id) if asset.job_id else None
        except Refused:
            return None  # forgotten
        output = output_of(job, asset.digest) if job is not None else None
        return (job, output) if job is not None and output is not None else None

    def _of_job(self, job: Job, output: Output, embedded: Embedded) -> pb.GetGenerationMetadataResponse:
        spec = encode_spec(spec_of(job, output))
        for about_the_request in ("preview", "priority", "on_uncertain"):
            spec.ClearField(about_the_request)
        return pb.GetGenerationMetadataResponse(
            spec=spec,
            job_id=job.job_id,
            parameters=embedded.parameters or self._written(job.spec.source, output),
            graph_json=embedded.graph_json,
            ui_json=embedded.ui_json,
            notes=notes_of(job, output),
        )

    def _written(self, source: object, output: Output) -> str:
        if not isinstance(source, ImageParameters):
            return ""
        model_hash = known_names(self.fleet).hashes.get(source.model, "")
        return write(source, seed=seed_of(source, output), model_hash=model_hash, version=_VERSION)


def known_names(fleet: Fleet) -> Known:
    """What the backends have, as they last told it."""
    catalogs = [backend.health.catalog for backend in fleet if backend.health.catalog is not None]
    return united([_known_to(catalog) for catalog in catalogs]) or NOTHING_KNOWN


def _known_to(catalog: Catalog) -> Known:
    models = (*catalog.checkpoints, *catalog.diffusion_models)
    return Known(
        models=_names(models),
        hashes={model.name: model.sha256 for model in models if model.sha256},
        vaes=_names(catalog.vaes),
        text_encoders=_names(catalog.text_encoders),
        loras=_names(catalog.loras),
        samplers=_names(catalog.samplers),
        schedulers=_names(catalog.schedulers),
    )


def _names(models: Iterable[NamedModel]) -> tuple[str, ...]:
    return tuple(model.name for model in models)


def encode_parsed(image: Mapping[str, Any]) -> job_pb2.ImageParameters:
    """What a text asks for; what it does not tell is unset."""
    return job_pb2.ImageParameters(**{name: _plain(value) for name, value in image.items()})


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return [_plain(each) for each in value] if isinstance(value, tuple) else value


def _of_file(embedded: Embedded, known: Known) -> pb.GetGenerationMetadataResponse:
    answer = pb.GetGenerationMetadataResponse(
        parameters=embedded.parameters, graph_json=embedded.graph_json, ui_json=embedded.ui_json
    )
    if embedded.graph_json:
        answer.spec.graph.json = embedded.graph_json
    elif embedded.parameters:
        parsed = parse(embedded.parameters, known)
        answer.spec.image.CopyFrom(encode_parsed({**parsed.image, "count": 1}))
        answer.notes.extend(parsed.notes)
    elif embedded.ui_json:
        answer.notes.append("the file holds a graph in UI format only; import it as a workflow to run it")
    return answer


def _check_type(asset: Asset) -> None:
    if asset.media_type not in _WITH_METADATA:
        message = f"metadata can be changed in PNG, WebP and JPEG only, and this is {asset.media_type}"
        raise bad_field("INVALID_IMAGE", "metadata", message)
