"""Whether a request can be run, as far as this can be known before a backend sees it."""

import asyncio
import difflib
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Final

from imagegen.v1 import job_pb2
from imagegen_adapters.contract import ImageParameters, RawGraph
from imagegen_adapters.errors import Violation
from imagegen_server.assets import AssetStore
from imagegen_server.errors import Refused, asset_not_found, invalid
from imagegen_server.fleet import Backend, Fleet
from imagegen_server.jobs import Asset, JobSpec
from imagegen_server.wire.specs import DEFAULT_SIZE, Defaults, decode_spec

READABLE_TYPES: Final = frozenset({"image/png", "image/jpeg", "image/webp"})
"""What every backend can be given as an input."""
MAX_SEED: Final = 2**63 - 1
_NAMES_SHOWN: Final = 20


class SpecChecker:
    """Resolves and checks specs that have passed the rules of the proto."""

    def __init__(self, fleet: Fleet, assets: AssetStore, *, choose_seed: Callable[[], int]) -> None:
        """`choose_seed` gives the seed for a request without one."""
        self._fleet = fleet
        self._assets = assets
        self._choose_seed = choose_seed

    def holding_inputs(self, encoded: job_pb2.JobSpec) -> AbstractAsyncContextManager[None]:
        """Meanwhile the assets that the spec names are not deleted: for `check` and the storing of the job."""
        return self._assets.holding([digest for _, digest in _named_assets(encoded)])

    async def check(self, encoded: job_pb2.JobSpec) -> JobSpec:
        """The spec with every default resolved.

        Refused: INVALID_REQUEST, INVALID_GRAPH, INVALID_IMAGE, ASSET_NOT_FOUND, BACKEND_NOT_FOUND.
        """
        candidates = self._candidates(encoded)
        inputs = await self._inputs(encoded)
        spec = decode_spec(encoded, self._defaults(inputs))
        violations = [*_seed_violations(spec), *_option_violations(spec)]
        if violations:
            raise invalid(violations)
        await _check_backends(spec, candidates)
        return spec

    def _candidates(self, encoded: job_pb2.JobSpec) -> list[Backend]:
        """The backends that the spec leaves open; there is at least one."""
        wanted = dict(encoded.backend_labels)
        named = [self._fleet.find(encoded.backend, field="spec.backend")] if encoded.backend else list(self._fleet)
        matching = [backend for backend in named if wanted.items() <= backend.labels.items()]
        if not matching:
            description = f"no backend has all of these; there are: {_shown_labels(named)}"
            raise invalid([Violation("spec.backend_labels", description)])
        return matching

    async def _inputs(self, encoded: job_pb2.JobSpec) -> dict[str, Asset]:
        """The assets that the spec names, by the path of the field."""
        named = dict(_named_assets(encoded))
        found = await asyncio.gather(*(self._input(path, digest) for path, digest in named.items()))
        return dict(zip(named, found, strict=True))

    async def _input(self, path: str, digest: str) -> Asset:
        try:
            asset = await self._assets.get(digest)
        except Refused as refused:
            raise asset_not_found(digest, field=path) from refused
        if asset.media_type not in READABLE_TYPES or not asset.width:
            description = f"must be a PNG, JPEG or WebP image, not {asset.media_type}"
            raise invalid([Violation(path, description)], reason="INVALID_IMAGE")
        return asset

    def _defaults(self, inputs: dict[str, Asset]) -> Defaults:
        initial = inputs.get("spec.image.init_image")
        return Defaults(
            seed=self._choose_seed(),
            width=initial.width if initial is not None else DEFAULT_SIZE,
            height=initial.height if initial is not None else DEFAULT_SIZE,
        )


def _shown_labels(backends: Iterable[Backend]) -> str:
    """As "one (gpu=big, room=attic), two (none)"."""
    labels = {
        backend.name: ", ".join(f"{key}={value}" for key, value in sorted(backend.labels.items()))
        for backend in backends
    }
    return ", ".join(f"{name} ({shown or 'none'})" for name, shown in labels.items())


def _named_assets(encoded: job_pb2.JobSpec) -> Iterable[tuple[str, str]]:
    if encoded.image.init_image:
        yield "spec.image.init_image", encoded.image.init_image
    if encoded.image.mask:
        yield "spec.image.mask", encoded.image.mask
    for key, digest in sorted(encoded.graph.images.items()):
        yield f'spec.graph.images["{key}"]', digest


def _seed_violations(spec: JobSpec) -> Iterable[Violation]:
    source = spec.source
    if isinstance(source, ImageParameters) and source.seed > MAX_SEED - (source.count - 1):
        yield Violation("spec.image.seed", f"seed + count - 1 must not exceed {MAX_SEED}")


def _option_violations(spec: JobSpec) -> Iterable[Violation]:
    for kind, options in sorted(spec.backend_options.items()):
        if not isinstance(options, dict):
            yield Violation(f'spec.backend_options["{kind}"]', "must be an object with the values to pass through")


async def _check_backends(spec: JobSpec, candidates: Sequence[Backend]) -> None:
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
    prefixed = [Violation(f"spec.{each.field}", each.description + where) for each in violations]
    raise invalid(
        [_with_all_models(each, spec, candidates) for each in prefixed],
        reason="INVALID_GRAPH" if is_graph_fault else "INVALID_REQUEST",
    )


def _takes(backend: Backend, spec: JobSpec) -> bool:
    capabilities = backend.adapter.capabilities
    return capabilities.graphs if isinstance(spec.source, RawGraph) else capabilities.image_parameters


def _with_all_models(violation: Violation, spec: JobSpec, candidates: Sequence[Backend]) -> Violation:
    """For an unknown model: what is allowed at any backend, and not only at the one that was asked."""
    if violation.field != "spec.image.model" or not isinstance(spec.source, ImageParameters):
        return violation
    catalogs = [backend.health.catalog for backend in candidates if backend.health.catalog is not None]
    names = dict.fromkeys(model.name for catalog in catalogs for model in catalog.checkpoints)
    if not names or spec.source.model in names:
        return violation
    return replace(violation, description=f"no such model {spec.source.model!r}; allowed: {_shown(spec, names)}")


def _shown(spec: JobSpec, names: Iterable[str]) -> str:
    """The names, nearest first where there are too many."""
    assert isinstance(spec.source, ImageParameters)
    wanted, known = spec.source.model.lower(), list(names)
    if len(known) <= _NAMES_SHOWN:
        return ", ".join(known)
    known.sort(key=lambda name: -difflib.SequenceMatcher(None, wanted, name.lower()).ratio())
    return ", ".join(known[:_NAMES_SHOWN]) + f" and {len(known) - _NAMES_SHOWN} more"
