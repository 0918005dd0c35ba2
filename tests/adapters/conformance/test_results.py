"""What a run that succeeds reports, and in which order."""

import json
from dataclasses import replace

import numpy as np
import pytest

from imagegen_adapters.contract import (
    Accepted,
    Adapter,
    HiresParameters,
    Phase,
    PhaseChanged,
    Planned,
    PreviewFrame,
    Progressed,
    Warned,
)
from imagegen_adapters.errors import AdapterError
from tests.adapters.conformance.observing import (
    digest_of,
    images_of,
    mask_of_right_half,
    media_type_of,
    observed,
    performed,
    photograph,
    pixels_of,
    task_of,
    unseen,
)
from tests.adapters.conformance.subject import Subject


async def test_accepted_comes_once_and_first(subject: Subject, adapter: Adapter) -> None:
    seen = await performed(adapter, subject.quick(), subject.patience_s)
    before = seen.updates[: seen.updates.index(seen.of(Accepted)[0])]
    assert len(seen.of(Accepted)) == 1
    assert all(isinstance(update, Warned) or update == PhaseChanged(phase=Phase.PREPARING) for update in before)


async def test_the_handle_is_known_beforehand(subject: Subject, adapter: Adapter) -> None:
    task = task_of(subject.quick())
    expected = adapter.handle_for(task.attempt_id)
    async with adapter.run(task) as run:
        seen = await observed(run)
    assert expected.remote_id
    assert subject.is_live or seen.of(Accepted)[0].handle == expected


async def test_ends_normally_with_every_image(subject: Subject, adapter: Adapter) -> None:
    seen = await performed(adapter, replace(subject.quick(), count=2), subject.patience_s)
    assert seen.error is None
    assert [image.image_index for image in seen.images] == [0, 1]
    assert all(media_type_of(image.data) == image.media_type for image in seen.images)


async def test_nothing_follows_the_end(subject: Subject, adapter: Adapter) -> None:
    async with adapter.run(task_of(subject.quick())) as run:
        await observed(run)
        with pytest.raises((StopAsyncIteration, AdapterError)):
            await anext(aiter(run))


async def test_progress_never_falls_and_reaches_the_end(subject: Subject, adapter: Adapter) -> None:
    seen = await performed(adapter, replace(subject.paced(), count=2), subject.patience_s)
    progress = seen.of(Progressed)
    fractions = [update.fraction for update in progress]
    assert fractions == sorted(fractions)
    assert all(0 <= fraction <= 1 for fraction in fractions)
    assert fractions[-1] == pytest.approx(1) or progress[-1].step == progress[-1].steps > 0
    assert all(0 <= update.step <= update.steps or update.steps == 0 for update in progress)
    assert {update.image_index for update in progress} <= {0, 1}


async def test_steps_are_those_of_the_request(subject: Subject, adapter: Adapter) -> None:
    seen = await performed(adapter, unseen(subject.paced()), subject.patience_s)
    steps = [update.steps for update in seen.of(Progressed) if update.phase is Phase.SAMPLING and update.steps]
    assert set(steps) == {subject.paced().steps}


async def test_a_plan_tells_how_many_images_come(subject: Subject, adapter: Adapter) -> None:
    seen = await performed(adapter, replace(subject.quick(), count=2), subject.patience_s)
    assert all(plan.images == 2 for plan in seen.of(Planned))


async def test_previews_are_what_they_say(subject: Subject, adapter: Adapter) -> None:
    if not adapter.capabilities.previews:
        pytest.skip("no previews declared")
    seen = await performed(adapter, unseen(subject.paced()), subject.patience_s)
    previews = seen.of(PreviewFrame)
    assert previews or not subject.promises.sends_previews
    assert all(media_type_of(preview.data) == preview.media_type for preview in previews)


async def test_the_picture_has_the_size_asked_for(subject: Subject, adapter: Adapter) -> None:
    wide = replace(subject.quick(), width=subject.quick().width + 64)
    image = (await images_of(adapter, wide, subject.patience_s))[0]
    assert pixels_of(image.data).shape == (wide.height, wide.width, 3)


async def test_a_seed_gives_the_same_picture_again(subject: Subject, adapter: Adapter) -> None:
    if not subject.promises.reproduces_pixels:
        pytest.skip("this backend does not promise it")
    first, again = [(await images_of(adapter, subject.quick(), subject.patience_s))[0] for _ in range(2)]
    assert np.array_equal(pixels_of(first.data), pixels_of(again.data))
    assert first.data == again.data or not subject.promises.reproduces_bytes


async def test_another_seed_gives_another_picture(subject: Subject, adapter: Adapter) -> None:
    other = replace(subject.quick(), seed=subject.quick().seed + 1000)
    first, second = [(await images_of(adapter, s, subject.patience_s))[0] for s in (subject.quick(), other)]
    assert not np.array_equal(pixels_of(first.data), pixels_of(second.data))


async def test_image_i_is_made_with_seed_plus_i(subject: Subject, adapter: Adapter) -> None:
    source = subject.quick()
    several = await images_of(adapter, replace(source, count=3), subject.patience_s)
    assert [(image.image_index, image.seed) for image in several] == [(i, source.seed + i) for i in range(3)]
    if subject.promises.reproduces_pixels:
        alone = (await images_of(adapter, replace(source, seed=source.seed + 2), subject.patience_s))[0]
        assert np.array_equal(pixels_of(several[2].data), pixels_of(alone.data))


async def test_a_batch_gives_every_image_its_index_and_seed(subject: Subject, adapter: Adapter) -> None:
    if adapter.capabilities.max_batch_size < 2:
        pytest.skip("batches not declared")
    source = replace(subject.quick(), count=3, batch_size=2)
    images = await images_of(adapter, source, subject.patience_s)
    offsets = [0, 0, 2] if subject.promises.has_one_seed_per_pass else [0, 1, 2]
    assert [image.image_index for image in images] == [0, 1, 2]
    assert [image.seed for image in images] == [source.seed + offset for offset in offsets]
    assert len({image.data for image in images}) == 3


async def test_image_to_image_depends_on_the_initial_image(subject: Subject, adapter: Adapter) -> None:
    if not adapter.capabilities.image_to_image:
        pytest.skip("image-to-image not declared")
    source = subject.quick()
    starts = [photograph(source.width, source.height, tint) for tint in ((240, 90, 40), (30, 120, 250))]
    results = []
    for start in starts:
        wanted = replace(source, init_image=digest_of(start), denoise=0.5)
        results.append((await images_of(adapter, wanted, subject.patience_s, [start]))[0].data)
    assert not np.array_equal(pixels_of(results[0]), pixels_of(results[1]))


async def test_inpainting_keeps_the_black_area(subject: Subject, adapter: Adapter) -> None:
    if not adapter.capabilities.inpainting:
        pytest.skip("inpainting not declared")
    source = subject.quick()
    start = photograph(source.width, source.height, (220, 160, 90))
    mask = mask_of_right_half(source.width, source.height)
    wanted = replace(source, init_image=digest_of(start), mask=digest_of(mask), denoise=1.0, mask_blur=2)
    result = pixels_of((await images_of(adapter, wanted, subject.patience_s, [start, mask]))[0].data).astype(int)
    difference = np.abs(result - pixels_of(start).astype(int))
    away_from_edge = source.width // 2 - 16
    assert difference[:, :away_from_edge].mean() <= subject.promises.kept_area_tolerance
    assert difference[:, source.width // 2 + 16 :].mean() > subject.promises.kept_area_tolerance + 1


async def test_hires_gives_the_larger_picture(subject: Subject, adapter: Adapter) -> None:
    if not adapter.capabilities.hires:
        pytest.skip("hires not declared")
    source = replace(subject.quick(), hires=HiresParameters(scale=2.0, steps=4))
    seen = await performed(adapter, source, subject.patience_s)
    fractions = [update.fraction for update in seen.of(Progressed)]
    assert seen.error is None
    assert pixels_of(seen.images[0].data).shape == (source.height * 2, source.width * 2, 3)
    assert fractions == sorted(fractions)


async def test_a_graph_gives_its_image(subject: Subject, adapter: Adapter) -> None:
    if not adapter.capabilities.graphs:
        pytest.skip("graphs not declared")
    await adapter.catalog()
    graph = json.loads(subject.graph().json)
    assert not adapter.validate(subject.graph())
    assert {node["class_type"] for node in graph.values()} <= json.loads(await adapter.node_definitions()).keys()
    images = await images_of(adapter, subject.graph(), subject.patience_s)
    assert len(images) == 1
    assert media_type_of(images[0].data) == images[0].media_type
