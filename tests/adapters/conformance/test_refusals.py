"""What is not declared or not there is refused, with the field's path and what would be right."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from imagegen_adapters.contract import (
    Adapter,
    Capabilities,
    Catalog,
    HiresParameters,
    ImageParameters,
    Lora,
    NamedModel,
    RawGraph,
)
from imagegen_adapters.errors import Rejected
from tests.adapters.conformance.observing import digest_of, performed, photograph
from tests.adapters.conformance.subject import Subject

_IMAGE = photograph(128, 128, (200, 100, 50))
_DIGEST = digest_of(_IMAGE)

UNDECLARED: Sequence[
    tuple[str, Callable[[Capabilities], bool], Callable[[ImageParameters], ImageParameters | RawGraph]]
] = [
    ("graph", lambda c: c.graphs, lambda _: RawGraph(json='{"1": {"class_type": "SaveImage", "inputs": {}}}')),
    ("image", lambda c: c.image_parameters, lambda s: s),
    ("image.init_image", lambda c: c.image_to_image, lambda s: replace(s, init_image=_DIGEST)),
    ("image.mask", lambda c: c.inpainting, lambda s: replace(s, init_image=_DIGEST, mask=_DIGEST)),
    ("image.hires", lambda c: c.hires, lambda s: replace(s, hires=HiresParameters(scale=2.0))),
    ("image.loras", lambda c: c.loras, lambda s: replace(s, loras=(Lora(name="any"),))),
    ("image.batch_size", lambda c: c.max_batch_size >= 64, lambda s: replace(s, count=64, batch_size=64)),
]

NAMES: Sequence[
    tuple[str, Callable[[Catalog], Sequence[NamedModel]], Callable[[ImageParameters, str], ImageParameters]]
] = [
    ("image.model", lambda c: c.checkpoints, lambda s, name: replace(s, model=name)),
    ("image.vae", lambda c: c.vaes, lambda s, name: replace(s, vae=name)),
    ("image.sampler", lambda c: c.samplers, lambda s, name: replace(s, sampler=name)),
    ("image.scheduler", lambda c: c.schedulers, lambda s, name: replace(s, scheduler=name)),
    (
        "image.hires.upscaler",
        lambda c: c.upscalers,
        lambda s, name: replace(s, hires=HiresParameters(scale=2.0, upscaler=name)),
    ),
    ("image.loras[0].name", lambda c: c.loras, lambda s, name: replace(s, loras=(Lora(name=name),))),
]


@pytest.mark.parametrize(("path", "is_declared", "asking"), UNDECLARED, ids=[case[0] for case in UNDECLARED])
async def test_what_is_not_declared_is_refused(
    subject: Subject,
    adapter: Adapter,
    path: str,
    is_declared: Callable[[Capabilities], bool],
    asking: Callable[[ImageParameters], ImageParameters | RawGraph],
) -> None:
    if is_declared(adapter.capabilities):
        pytest.skip("declared")
    source = asking(subject.quick())
    assert path in [violation.field for violation in adapter.validate(source)]
    seen = await performed(adapter, source, subject.patience_s, [_IMAGE])
    assert isinstance(seen.error, Rejected)
    assert path in [violation.field for violation in seen.error.violations]
    assert await subject.attempts() == 0


@pytest.mark.parametrize(("path", "listed", "asking"), NAMES, ids=[case[0] for case in NAMES])
async def test_an_unknown_name_is_refused_with_the_known_ones(
    subject: Subject,
    adapter: Adapter,
    path: str,
    listed: Callable[[Catalog], Sequence[NamedModel]],
    asking: Callable[[ImageParameters, str], ImageParameters],
) -> None:
    known = listed(await adapter.catalog())
    source = asking(subject.quick(), "no-such-name")
    if not known or (source.hires and not adapter.capabilities.hires):
        pytest.skip("this backend lists none")
    violation = next(violation for violation in adapter.validate(source) if violation.field == path)
    assert "no-such-name" in violation.description
    assert any(model.name in violation.description for model in known)
    seen = await performed(adapter, source, subject.patience_s)
    assert isinstance(seen.error, Rejected)
    assert path in [violation.field for violation in seen.error.violations]
    assert await subject.attempts() == 0


async def test_without_graphs_there_are_no_node_classes(adapter: Adapter) -> None:
    if adapter.capabilities.graphs:
        pytest.skip("graphs declared")
    await adapter.catalog()
    assert await adapter.node_definitions() == b"{}"


async def test_a_good_request_is_not_refused(subject: Subject, adapter: Adapter) -> None:
    assert not adapter.validate(subject.quick())
    await adapter.catalog()
    assert not adapter.validate(subject.quick())


async def test_every_name_of_the_catalogue_is_taken(subject: Subject, adapter: Adapter) -> None:
    catalog = await adapter.catalog()
    for path, listed, asking in NAMES:
        if path == "image.hires.upscaler" and not adapter.capabilities.hires:
            continue
        for model in listed(catalog)[:20]:
            assert not adapter.validate(asking(subject.quick(), model.name)), (path, model.name)


async def test_names_of_the_catalogue_are_unique(adapter: Adapter) -> None:
    catalog = await adapter.catalog()
    lists = (
        catalog.checkpoints, catalog.vaes, catalog.loras, catalog.embeddings, catalog.upscalers, catalog.samplers,
        catalog.schedulers, catalog.diffusion_models, catalog.text_encoders, catalog.controlnets, catalog.clip_visions,
    )  # fmt: skip
    assert catalog.checkpoints
    for models in lists:
        assert len({model.name for model in models}) == len(models)
