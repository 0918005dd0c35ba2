"""Models: loaded on request, run with what belongs to them; and requests rendered as graphs."""

from dataclasses import replace

import pytest

from imagegen_adapters.contract import Adapter, Lora
from imagegen_adapters.errors import Rejected
from imagegen_adapters.families import family_of
from tests.adapters.conformance.observing import performed, pixels_of
from tests.adapters.conformance.subject import Subject


async def test_a_model_is_loaded_on_request(adapter: Adapter) -> None:
    if not adapter.capabilities.model_loading:
        pytest.skip("loading not declared")
    names = [model.name for model in (await adapter.catalog()).checkpoints][:2]
    for name in names:
        await adapter.load_model(name)
        assert (await adapter.status()).resident_model == name


async def test_a_model_that_there_is_not_is_not_loaded(subject: Subject, adapter: Adapter) -> None:
    if not adapter.capabilities.model_loading:
        pytest.skip("loading not declared")
    with pytest.raises(Rejected):
        await adapter.load_model("no-such-model")
    assert await subject.attempts() == 0


async def test_loras_change_the_picture(subject: Subject, adapter: Adapter) -> None:
    loras = (await adapter.catalog()).loras
    if not adapter.capabilities.loras or not loras or subject.is_live:
        pytest.skip("no LoRA that is known to fit")
    source = subject.quick()
    plain = await performed(adapter, source, subject.patience_s)
    changed = await performed(adapter, replace(source, loras=(Lora(name=loras[0].name),)), subject.patience_s)
    assert (plain.error, changed.error) == (None, None)
    assert (pixels_of(plain.images[0].data) != pixels_of(changed.images[0].data)).any()


async def test_a_diffusion_model_is_run_with_what_belongs_to_it(subject: Subject, adapter: Adapter) -> None:
    models = [model.name for model in (await adapter.catalog()).diffusion_models]
    model = next((name for name in models if family_of(name).parts is not None), "")
    source = replace(subject.quick(), model=model, cfg_scale=1.0)
    if not model or adapter.validate(source):
        pytest.skip("this backend has none that is complete")
    seen = await performed(adapter, source, subject.patience_s)
    assert (seen.error, len(seen.images)) == (None, 1)


async def test_a_rendered_request_can_be_run(subject: Subject, adapter: Adapter) -> None:
    if not adapter.capabilities.graphs:
        pytest.skip("graphs not declared")
    await adapter.catalog()
    rendered = adapter.render(subject.quick())
    assert not adapter.validate(rendered)
    seen = await performed(adapter, rendered, subject.patience_s)
    assert (seen.error, len(seen.images)) == (None, 1)
    assert adapter.render(rendered) == rendered


async def test_nothing_is_lost_by_looking_again(adapter: Adapter) -> None:
    before = await adapter.catalog()
    await adapter.rescan()
    assert await adapter.catalog() == before
    for kind, models in (("checkpoints", before.checkpoints), ("loras", before.loras)):
        for model in models[:2]:
            told = await adapter.model_metadata(kind, model.name)
            assert all(isinstance(value, str) for value in told.values())
    assert await adapter.model_metadata("checkpoints", "no-such-model") == {}
