"""Which requests are refused before any backend sees them, and in which words."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from imagegen.v1.job_pb2 import ImageParameters, JobSpec, RawGraph, WorkflowInvocation
from imagegen_adapters import contract
from imagegen_adapters.config import BackendConfig
from imagegen_adapters.contract import Capabilities, Catalog, NamedModel
from imagegen_server.assets import AssetStore
from imagegen_server.backend import Backend, Member
from imagegen_server.config import ServerSettings
from imagegen_server.errors import Refused
from imagegen_server.fleet import Fleet
from imagegen_server.jobs import AssetOrigin
from imagegen_server.settings.layers import BUILT_IN, Layer, effective, layer_of, settings_of
from imagegen_server.stores.store import Store
from imagegen_server.tasks import running
from imagegen_server.validation import MAX_SEED, SpecChecker
from imagegen_server.workflows.definitions import Definitions
from imagegen_server.workflows.library import Library
from tests.server.scripted import ScriptedAdapter, picture
from tests.server.serving import text_to_image

MakeChecker = Callable[..., Awaitable[SpecChecker]]


@pytest.fixture
def assets(tmp_path: Path, store: Store) -> AssetStore:
    return AssetStore(tmp_path / "assets", store, max_bytes=1_000_000)


def member(name: str, labels: Mapping[str, str]) -> Member:
    return Member(config=BackendConfig(name=name, kind="demo"), labels=labels)


@pytest.fixture
async def checker_for(assets: AssetStore, store: Store) -> AsyncIterator[MakeChecker]:
    """Makes a checker over backends that have been asked, as far as they answer, with a layer of settings."""
    async with AsyncExitStack() as stack:

        async def make(
            labels: Mapping[str, Mapping[str, str]] | None = None,
            layer: Layer = MappingProxyType({}),
            **adapters: ScriptedAdapter,
        ) -> SpecChecker:
            backends = [
                Backend(member(name, (labels or {}).get(name, {})), adapter, clock=time.time, on_change=lambda: None)
                for name, adapter in adapters.items()
            ]
            for backend in backends:
                await stack.enter_async_context(running(backend.keep_asking()))
                await backend.refresh()
            fleet = Fleet(backends)
            return SpecChecker(
                fleet,
                assets,
                Library(store, clock=time.time),
                Definitions(fleet),
                settings=lambda: settings_of(effective(BUILT_IN, layer_of(ServerSettings()), layer)),
                choose_seed=lambda: 7,
            )

        yield make


async def refusal(checker: SpecChecker, spec: JobSpec) -> tuple[str, dict[str, str]]:
    with pytest.raises(Refused) as caught:
        await checker.check(spec)
    return caught.value.reason, {each.field: each.description for each in caught.value.violations}


def catalog(*models: str) -> Catalog:
    return Catalog(checkpoints=tuple(NamedModel(name=name) for name in models))


async def test_accepts_and_resolves(checker_for: MakeChecker) -> None:
    checker = await checker_for(one=ScriptedAdapter())
    spec = await checker.check(text_to_image(model="second", sampler="heun", backend="one"))
    assert isinstance(spec.source, contract.ImageParameters)
    assert (spec.source.seed, spec.source.model, spec.backend) == (7, "second", "one")


async def test_an_unknown_backend_is_named_with_those_that_exist(checker_for: MakeChecker) -> None:
    checker = await checker_for(one=ScriptedAdapter(), two=ScriptedAdapter())
    reason, fields = await refusal(checker, text_to_image(backend="three"))
    assert reason == "BACKEND_NOT_FOUND"
    assert "one, two" in fields["spec.backend"]


LABELS = {"one": {"gpu": "big", "room": "attic"}, "two": {"gpu": "small"}}


@pytest.mark.parametrize(
    ("labels", "batch_size", "is_fine"),
    [
        ({}, 4, True),
        ({"gpu": "big"}, 4, False),
        ({"gpu": "small"}, 4, True),
        ({"gpu": "big", "room": "attic"}, 1, True),
    ],
)
async def test_only_backends_with_the_labels_are_asked(
    checker_for: MakeChecker, labels: dict[str, str], batch_size: int, is_fine: bool
) -> None:
    small, large = Capabilities(max_batch_size=1), Capabilities(max_batch_size=4)
    checker = await checker_for(
        LABELS, one=ScriptedAdapter(capabilities=small), two=ScriptedAdapter(capabilities=large)
    )
    spec = text_to_image(batch_size=batch_size)
    spec.backend_labels.update(labels)
    if is_fine:
        assert (await checker.check(spec)).backend_labels == labels
    else:
        assert list((await refusal(checker, spec))[1]) == ["spec.image.batch_size"]


@pytest.mark.parametrize(
    ("labels", "backend", "shown"),
    [
        ({"gpu": "huge"}, "", "one (gpu=big, room=attic), two (gpu=small), three (none)"),
        ({"gpu": "small", "room": "attic"}, "", "one (gpu=big, room=attic), two (gpu=small), three (none)"),
        ({"gpu": "big"}, "two", "two (gpu=small)"),
    ],
)
async def test_labels_that_no_backend_has_are_refused_with_those_that_there_are(
    checker_for: MakeChecker, labels: dict[str, str], backend: str, shown: str
) -> None:
    checker = await checker_for(LABELS, one=ScriptedAdapter(), two=ScriptedAdapter(), three=ScriptedAdapter())
    spec = text_to_image(backend=backend)
    spec.backend_labels.update(labels)
    assert await refusal(checker, spec) == (
        "INVALID_REQUEST",
        {"spec.backend_labels": f"no backend has all of these; there are: {shown}"},
    )


async def test_an_unknown_model_is_named_with_those_of_all_backends(checker_for: MakeChecker) -> None:
    checker = await checker_for(
        one=ScriptedAdapter(current_catalog=catalog("a", "b")), two=ScriptedAdapter(current_catalog=catalog("b", "c"))
    )
    reason, fields = await refusal(checker, text_to_image(model="x"))
    assert (reason, fields) == ("INVALID_REQUEST", {"spec.image.model": "no such model 'x'; allowed: a, b, c"})


async def test_of_many_models_the_nearest_are_named(checker_for: MakeChecker) -> None:
    models = [f"model-{number:03}" for number in range(100)]
    checker = await checker_for(one=ScriptedAdapter(current_catalog=catalog(*models)))
    _, fields = await refusal(checker, text_to_image(model="Model-042.safetensors"))
    assert "allowed: model-042," in fields["spec.image.model"]
    assert fields["spec.image.model"].endswith("and 80 more")


async def test_one_backend_that_can_is_enough(checker_for: MakeChecker) -> None:
    checker = await checker_for(
        one=ScriptedAdapter(current_catalog=catalog("a")), two=ScriptedAdapter(current_catalog=catalog("b"))
    )
    await checker.check(text_to_image(model="b"))
    reason, fields = await refusal(checker, text_to_image(model="b", backend="one"))
    assert reason == "INVALID_REQUEST"
    assert list(fields) == ["spec.image.model"]


async def test_the_backend_that_comes_nearest_explains(checker_for: MakeChecker) -> None:
    checker = await checker_for(
        worse=ScriptedAdapter(capabilities=Capabilities(max_batch_size=1)),
        better=ScriptedAdapter(capabilities=Capabilities(max_batch_size=8)),
    )
    _, fields = await refusal(checker, text_to_image(batch_size=4, sampler="eulr", count=4))
    assert list(fields) == ["spec.image.sampler"]


async def test_a_backend_that_was_never_seen_is_given_the_benefit_of_the_doubt(checker_for: MakeChecker) -> None:
    checker = await checker_for(away=ScriptedAdapter(is_reachable=False))
    await checker.check(text_to_image(model="whatever"))
    reason, fields = await refusal(checker, text_to_image(batch_size=5))
    assert (reason, list(fields)) == ("INVALID_REQUEST", ["spec.image.batch_size"])


async def test_a_backend_that_was_never_seen_may_have_what_an_input_names(checker_for: MakeChecker) -> None:
    invocation = WorkflowInvocation(workflow_id="text-to-image")
    invocation.inputs.update({"model": "whatever"})
    spec = JobSpec(workflow=invocation)
    _, fields = await refusal(await checker_for(one=ScriptedAdapter()), spec)
    assert list(fields) == ["spec.workflow.inputs.model"]
    checker = await checker_for(one=ScriptedAdapter(), away=ScriptedAdapter(is_reachable=False))
    assert (await checker.check(spec)).model == "whatever"
    invocation.inputs.update({"steps": 0})
    _, fields = await refusal(checker, JobSpec(workflow=invocation))
    assert list(fields) == ["spec.workflow.inputs.steps"]


XL = "sd_xl_base_1.0.safetensors"


@pytest.mark.parametrize(
    ("layer", "fields", "expected"),
    [
        ({}, {}, ("", 512, 20, "")),
        ({}, {"model": XL}, (XL, 1024, 20, "")),
        ({"defaults.model": XL}, {}, (XL, 1024, 20, "")),
        ({"defaults.model": XL, "defaults.width": 640, "defaults.steps": 8}, {}, (XL, 640, 8, "")),
        ({"defaults.model": XL, "defaults.steps": 8}, {"model": "a", "steps": 4}, ("a", 512, 4, "")),
        # What no candidate has was not asked for by the caller, who must not be refused for it.
        ({"defaults.model": "gone", "defaults.sampler": "gone"}, {}, ("", 512, 20, "")),
        ({"defaults.sampler": "heun"}, {}, ("", 512, 20, "heun")),
    ],
)
async def test_what_is_left_open_is_as_the_settings_say_or_suits_the_model(
    checker_for: MakeChecker, layer: dict[str, Any], fields: dict[str, Any], expected: tuple[Any, ...]
) -> None:
    having = Catalog(checkpoints=(NamedModel(name="a"), NamedModel(name=XL)), samplers=(NamedModel(name="heun"),))
    checker = await checker_for(layer=layer, one=ScriptedAdapter(current_catalog=having))
    source = (await checker.check(text_to_image(**fields))).source
    assert isinstance(source, contract.ImageParameters)
    assert (source.model, source.width, source.steps, source.sampler) == expected


async def test_a_model_that_every_backend_would_take_decides_what_suits(checker_for: MakeChecker) -> None:
    large, small = (ScriptedAdapter(current_catalog=catalog(name)) for name in (XL, "a"))
    for adapters, width in (({"one": large}, 1024), ({"one": large, "two": small}, 512)):
        source = (await (await checker_for(**adapters)).check(text_to_image())).source
        assert isinstance(source, contract.ImageParameters)
        assert (source.model, source.width) == ("", width)


GRAPH = JobSpec(graph=RawGraph(json='{"1": {"class_type": "SaveImage"}}'))
BROKEN_GRAPH = JobSpec(graph=RawGraph(json='{"1": {}}'))


async def test_a_graph_needs_a_backend_that_takes_graphs(checker_for: MakeChecker) -> None:
    checker = await checker_for(one=ScriptedAdapter())
    reason, fields = await refusal(checker, GRAPH)
    assert (reason, list(fields)) == ("INVALID_REQUEST", ["spec.graph"])


async def test_a_broken_graph_is_explained_by_a_backend_that_takes_graphs(checker_for: MakeChecker) -> None:
    checker = await checker_for(one=ScriptedAdapter(), two=ScriptedAdapter(capabilities=Capabilities(graphs=True)))
    await checker.check(GRAPH)
    reason, fields = await refusal(checker, BROKEN_GRAPH)
    assert (reason, fields) == ("INVALID_GRAPH", {'spec.graph.json["1"]': "has no class_type"})


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        (text_to_image(init_image="a" * 64), "spec.image.init_image"),
        (JobSpec(graph=RawGraph(json="{}", images={"10.image": "a" * 64})), 'spec.graph.images["10.image"]'),
    ],
)
async def test_a_missing_asset_is_named_by_its_field(checker_for: MakeChecker, spec: JobSpec, path: str) -> None:
    reason, fields = await refusal(await checker_for(one=ScriptedAdapter()), spec)
    assert (reason, list(fields)) == ("ASSET_NOT_FOUND", [path])


async def test_an_input_has_to_be_an_image(checker_for: MakeChecker, assets: AssetStore) -> None:
    text = await assets.put(b"no picture", origin=AssetOrigin.OUTPUT, require_image=False)
    reason, fields = await refusal(await checker_for(one=ScriptedAdapter()), text_to_image(init_image=text.digest))
    assert (reason, list(fields)) == ("INVALID_IMAGE", ["spec.image.init_image"])


async def test_the_size_follows_the_initial_image(checker_for: MakeChecker, assets: AssetStore) -> None:
    asset = await assets.put(picture(1, (203, 75)), origin=AssetOrigin.UPLOAD)
    checker = await checker_for(one=ScriptedAdapter())
    spec = await checker.check(text_to_image(init_image=asset.digest))
    assert isinstance(spec.source, contract.ImageParameters)
    assert (spec.source.width, spec.source.height) == (200, 72)


@pytest.mark.parametrize(("fields", "is_fine"), [({"seed": MAX_SEED}, True), ({"seed": MAX_SEED, "count": 2}, False)])
async def test_every_image_needs_a_seed_in_range(
    checker_for: MakeChecker, fields: dict[str, Any], is_fine: bool
) -> None:
    checker = await checker_for(one=ScriptedAdapter())
    spec = JobSpec(image=ImageParameters(**fields))
    if is_fine:
        await checker.check(spec)
    else:
        assert await refusal(checker, spec) == (
            "INVALID_REQUEST",
            {"spec.image.seed": f"seed + count - 1 must not exceed {MAX_SEED}"},
        )


async def test_options_of_a_kind_are_an_object(checker_for: MakeChecker) -> None:
    checker = await checker_for(one=ScriptedAdapter())
    spec = text_to_image()
    spec.backend_options.update({"demo": {"speed": 2}})
    assert (await checker.check(spec)).backend_options == {"demo": {"speed": 2}}
    spec.backend_options.update({"demo": 2})
    _, fields = await refusal(checker, spec)
    assert list(fields) == ['spec.backend_options["demo"]']
