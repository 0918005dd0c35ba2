"""Whether a request can be run, as far as this can be known before a backend sees it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Final

from imagegen.v1 import job_pb2
from imagegen_adapters.contract import ImageParameters, RawGraph
from imagegen_adapters.errors import Violation
from imagegen_adapters.graphs.naming import unknown_name
from imagegen_server.assets import AssetStore
from imagegen_server.backend import Backend
from imagegen_server.defaulting import defaults_for
from imagegen_server.errors import Refused, asset_not_found, invalid
from imagegen_server.fleet import Fleet
from imagegen_server.invoking import Wanted, made
from imagegen_server.jobs import Asset, JobSpec, PreviewOptions
from imagegen_server.settings.model import GenerationDefaults, Settings
from imagegen_server.wire.scalars import from_struct
from imagegen_server.wire.specs import decode_graph, decode_image, decode_spec
from imagegen_server.workflows.allowances import LISTS, names_in
from imagegen_server.workflows.definitions import Definitions
from imagegen_server.workflows.inputs import Allowed, InvalidInputs, resolve
from imagegen_server.workflows.library import Library
from imagegen_server.workflows.model import Workflow

READABLE_TYPES: Final = frozenset({"image/png", "image/jpeg", "image/webp"})
"""What every backend can be given as an input."""
MAX_SEED: Final = 2**63 - 1


class SpecChecker:
    """Resolves and checks specs that have passed the rules of the proto."""

    def __init__(
        self,
        fleet: Fleet,
        assets: AssetStore,
        library: Library,
        definitions: Definitions,
        *,
        settings: Callable[[], Settings],
        choose_seed: Callable[[], int],
    ) -> None:
        """`settings` gives those that count now, `choose_seed` the seed for a request without one."""
        self._fleet = fleet
        self._assets = assets
        self._library = library
        self._definitions = definitions
        self._settings = settings
        self._choose_seed = choose_seed

    async def check(self, encoded: job_pb2.JobSpec) -> JobSpec:
        """As `checking`, for what is not to be stored."""
        async with self.checking(encoded) as spec:
            return spec

    @asynccontextmanager
    async def checking(self, encoded: job_pb2.JobSpec, *, is_repeat: bool = False) -> AsyncIterator[JobSpec]:
        """The spec with every default resolved. Until the end of the block the assets that it names are not deleted.

        What `is_repeat` was resolved before, so that what it leaves open is to stay so.
        Refused: INVALID_REQUEST, INVALID_GRAPH, INVALID_IMAGE, ASSET_NOT_FOUND, BACKEND_NOT_FOUND, WORKFLOW_NOT_FOUND.
        """
        candidates = self._candidates(encoded)
        wanted = await self._wanted(encoded, candidates)
        async with self._assets.holding([digest for _, digest in wanted.assets()]):
            images = await self._images(wanted)
            spec = self._resolved(encoded, wanted, candidates, images, is_repeat=is_repeat)
            violations = [
                *map(wanted.told, (*_seed_violations(spec), *_mask_violations(spec))),
                *_option_violations(spec),
            ]
            if violations:
                raise invalid(violations)
            await _check_backends(spec, wanted, candidates)
            yield spec

    def _candidates(self, encoded: job_pb2.JobSpec) -> list[Backend]:
        """The backends that the spec leaves open; there is at least one."""
        wanted = dict(encoded.backend_labels)
        named = [self._fleet.find(encoded.backend, field="spec.backend")] if encoded.backend else list(self._fleet)
        matching = [backend for backend in named if wanted.items() <= backend.labels.items()]
        if not matching:
            description = f"no backend has all of these; there are: {_shown_labels(named)}"
            raise invalid([Violation("spec.backend_labels", description)])
        return matching

    async def _wanted(self, encoded: job_pb2.JobSpec, candidates: Sequence[Backend]) -> Wanted:
        match encoded.WhichOneof("source"):
            case "graph":
                return Wanted(source=decode_graph(encoded.graph))
            case "workflow":
                return await self._made(encoded.workflow, candidates)
            case _:
                return Wanted(source=encoded.image)

    async def _made(self, encoded: job_pb2.WorkflowInvocation, candidates: Sequence[Backend]) -> Wanted:
        workflow = await self._library.get(encoded.workflow_id, encoded.revision, field="spec.workflow.workflow_id")
        allowed = await self._definitions.allowed(workflow, candidates)
        given = from_struct(encoded.inputs)
        try:
            inputs = self._inputs(workflow, given, allowed, candidates)
        except InvalidInputs as error:
            violations = [Violation(f"spec.workflow.{each.field}", each.description) for each in error.violations]
            raise invalid(violations) from error
        return await asyncio.to_thread(made, workflow, inputs)

    def _inputs(
        self,
        workflow: Workflow,
        given: Mapping[str, Any],
        allowed: Mapping[str, Allowed],
        candidates: Sequence[Backend],
    ) -> Mapping[str, Any]:
        """The values of all inputs. Raises InvalidInputs."""
        try:
            return resolve(workflow, given, choose_seed=self._choose_seed, allowed=allowed)
        except InvalidInputs:
            if all(backend.health.catalog is not None for backend in candidates):
                raise
            # A backend that has not told what it has may have what the others lack.
            return resolve(workflow, given, choose_seed=self._choose_seed)

    async def _images(self, wanted: Wanted) -> dict[str, Asset]:
        """The assets that are named, by their digests."""
        found = await asyncio.gather(*(self._image(path, digest) for path, digest in wanted.assets()))
        return {asset.digest: asset for asset in found}

    async def _image(self, path: str, digest: str) -> Asset:
        try:
            asset = await self._assets.get(digest)
        except Refused as refused:
            raise asset_not_found(digest, field=path) from refused
        if asset.media_type not in READABLE_TYPES or not asset.width:
            description = f"must be a PNG, JPEG or WebP image, not {asset.media_type}"
            raise invalid([Violation(path, description)], reason="INVALID_IMAGE")
        return asset

    def _resolved(
        self,
        encoded: job_pb2.JobSpec,
        wanted: Wanted,
        candidates: Sequence[Backend],
        images: Mapping[str, Asset],
        *,
        is_repeat: bool,
    ) -> JobSpec:
        settings = self._settings()
        defaults = GenerationDefaults() if is_repeat else settings.defaults
        preview = PreviewOptions() if is_repeat else settings.preview
        if isinstance(wanted.source, RawGraph):
            source: ImageParameters | RawGraph = wanted.source
        else:
            initial, seed = images.get(wanted.source.init_image), self._choose_seed()
            chosen = defaults_for(wanted.source, defaults, candidates, initial=initial, seed=seed)
            source = decode_image(wanted.source, chosen)
        return decode_spec(encoded, source, invocation=wanted.invocation(source), preview=preview)


def _shown_labels(backends: Iterable[Backend]) -> str:
    """As "one (gpu=big, room=attic), two (none)"."""
    labels = {
        backend.name: ", ".join(f"{key}={value}" for key, value in sorted(backend.labels.items()))
        for backend in backends
    }
    return ", ".join(f"{name} ({shown or 'none'})" for name, shown in labels.items())


def _seed_violations(spec: JobSpec) -> Iterable[Violation]:
    source = spec.source
    if isinstance(source, ImageParameters) and source.seed > MAX_SEED - (source.count - 1):
        yield Violation("image.seed", f"seed + count - 1 must not exceed {MAX_SEED}")


def _mask_violations(spec: JobSpec) -> Iterable[Violation]:
    if not isinstance(spec.source, RawGraph):
        return
    for number, key in enumerate(spec.source.masks):
        if key not in spec.source.images:
            yield Violation(f"graph.masks[{number}]", f"must be a key of images, and there is no {key[:64]!r}")


def _option_violations(spec: JobSpec) -> Iterable[Violation]:
    for kind, options in sorted(spec.backend_options.items()):
        if not isinstance(options, dict):
            yield Violation(f'spec.backend_options["{kind}"]', "must be an object with the values to pass through")


async def _check_backends(spec: JobSpec, wanted: Wanted, candidates: Sequence[Backend]) -> None:
    """Refuses what no candidate can run, with what keeps the one that comes nearest from it."""
    answers = []
    for backend in candidates:
        violations = await backend.validate(spec.source)
        if not violations:
            return
        answers.append((not _takes(backend, spec), len(violations), violations, backend.name))
    cannot_take, _, violations, nearest = min(answers, key=lambda answer: answer[:2])
    is_graph_fault = isinstance(spec.source, RawGraph) and not cannot_take
    of_takers = [{each.field for each in answer[2]} for answer in answers if not answer[0]]
    # Each has something that another lacks: what one of them says of it alone would be a riddle.
    where = f" (at {nearest}; no backend has all of it)" if is_graph_fault and not set.intersection(*of_takers) else ""
    with_where = [Violation(each.field, each.description + where) for each in violations]
    told = [wanted.told(_with_all_models(each, spec, candidates)) for each in with_where]
    is_of_inputs = all(wanted.is_of_input(each) for each in told)
    raise invalid(told, reason="INVALID_GRAPH" if is_graph_fault and not is_of_inputs else "INVALID_REQUEST")


def _takes(backend: Backend, spec: JobSpec) -> bool:
    capabilities = backend.adapter.capabilities
    return capabilities.graphs if isinstance(spec.source, RawGraph) else capabilities.image_parameters


def _with_all_models(violation: Violation, spec: JobSpec, candidates: Sequence[Backend]) -> Violation:
    """For an unknown model: what is allowed at any backend, and not only at the one that was asked."""
    if violation.field != "image.model" or not isinstance(spec.source, ImageParameters):
        return violation
    catalogs = [backend.health.catalog for backend in candidates if backend.health.catalog is not None]
    names = names_in(LISTS["model"], catalogs)
    if not names or spec.source.model in names:
        return violation
    return replace(violation, description=unknown_name("model", spec.source.model, names))
