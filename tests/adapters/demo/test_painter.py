"""Pictures: the same order gives the same pixels, and every wish shows."""

import hashlib
import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagegen_adapters.demo.colors import PALETTES
from imagegen_adapters.demo.fields import Field, Frame, Picture
from imagegen_adapters.demo.painter import PREVIEW_SIDE, STYLE_OF, Order, Stage, paint, second_pass
from imagegen_adapters.demo.prompt import PLACES, SUBJECTS
from imagegen_adapters.demo.refining import SAMPLERS, SCHEDULERS

ORDER = Order(
    prompt="a red fox in the mountains at sunset",
    negative_prompt="",
    style="demo-landscape",
    frame=Frame(96, 64),
    steps=6,
    cfg_scale=7.0,
    seed=42,
    sampler="demo",
    scheduler="linear",
)

styles = pytest.mark.parametrize("style", STYLE_OF)


def _stages(order: Order) -> list[Stage]:
    return list(paint(order))


def _picture(order: Order) -> Picture:
    return _stages(order)[-1].picture


def _bytes(picture: Picture) -> bytes:
    return (np.clip(picture, 0, 1) * np.float32(255) + np.float32(0.5)).astype(np.uint8).tobytes()


def _start(frame: Frame, level: float = 0.6) -> Picture:
    ramp = np.linspace(0, 1, frame.width, dtype=np.float32)[None, :, None]
    return np.broadcast_to(ramp * np.array([level, 0.5, 0.3], np.float32), (frame.height, frame.width, 3)).copy()


def _mask(frame: Frame) -> Field:
    mask = np.zeros((frame.height, frame.width), np.float32)
    mask[:, frame.width // 2 :] = 1
    return mask


@pytest.mark.parametrize(
    ("style", "digest"),
    [
        ("demo-landscape", "4ac572b36e91d1ec"),
        ("demo-watercolor", "c852e0875c474d62"),
        ("demo-geometric", "988c701d1b1b87f2"),
        ("demo-flow", "df68b0e2875cea86"),
        ("demo-nebula", "f74809c3577477ea"),
    ],
)
def test_pixels_are_frozen(style: str, digest: str) -> None:
    """Another digest means that seeds of users no longer give their pictures: say so in the changelog."""
    picture = _picture(replace(ORDER, style=style))
    assert hashlib.sha256(_bytes(picture)).hexdigest()[:16] == digest


@styles
def test_the_same_order_gives_the_same_pixels(style: str) -> None:
    order = replace(ORDER, style=style)
    assert np.array_equal(_picture(order), _picture(order))


@styles
def test_another_seed_gives_another_picture(style: str) -> None:
    order = replace(ORDER, style=style, prompt="")
    assert not np.array_equal(_picture(order), _picture(replace(order, seed=43)))


def test_styles_differ() -> None:
    assert len({_bytes(_picture(replace(ORDER, style=style))) for style in STYLE_OF}) == len(STYLE_OF)


@pytest.mark.parametrize(
    "change",
    [
        {"prompt": "a black fox in the mountains at sunset"},
        {"prompt": "a red fox in the mountains at night"},
        {"prompt": "a red fox in the desert at sunset"},
        {"prompt": "a red cat in the mountains at sunset"},
        {"prompt": "a red fox in the mountains at sunset, whimsical"},
        {"negative_prompt": "fox"},
        {"negative_prompt": "orange"},
        {"cfg_scale": 1.0},
        {"cfg_scale": 14.0},
        {"cfg_scale": 0.0},
        {"seed": 2**63 - 1},
    ],
    ids=str,
)
def test_each_wish_shows(change: dict[str, object]) -> None:
    changed = replace(ORDER, **change)  # type: ignore[arg-type]  # a table of fields
    assert not np.array_equal(_picture(ORDER), _picture(changed))


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("hour", sorted(PALETTES))
def test_every_place_can_be_painted_at_every_hour(place: str, hour: str) -> None:
    picture = _picture(replace(ORDER, prompt=f"{place} {hour}", frame=Frame(64, 64), steps=1))
    assert np.isfinite(picture).all()
    assert picture.dtype == np.float32
    assert picture.std() > 0.02


@pytest.mark.parametrize("subject", SUBJECTS)
def test_every_subject_shows(subject: str) -> None:
    without = replace(ORDER, prompt="sea", steps=1)
    assert not np.array_equal(_picture(replace(without, prompt=f"sea {subject}")), _picture(without))


@settings(max_examples=25, deadline=None)
@given(
    width=st.integers(8, 40).map(lambda n: n * 8),
    height=st.integers(8, 40).map(lambda n: n * 8),
    style=st.sampled_from(sorted(STYLE_OF)),
    steps=st.integers(1, 5),
    seed=st.integers(0, 2**63 - 1),
    prompt=st.sampled_from(["", "a red fox", "city at night", "whale", "castle, aurora, fog, rain, snowfall"]),
    cfg_scale=st.floats(0, 100),
)
def test_every_size_and_seed_can_be_painted(
    width: int, height: int, style: str, steps: int, seed: int, prompt: str, cfg_scale: float
) -> None:
    order = replace(
        ORDER, frame=Frame(width, height), style=style, steps=steps, seed=seed, prompt=prompt, cfg_scale=cfg_scale
    )
    stages = _stages(order)
    assert [stage.step for stage in stages] == list(range(1, steps + 1))
    assert stages[-1].picture.shape == (height, width, 3)
    assert stages[-1].picture.dtype == np.float32
    assert np.isfinite(stages[-1].picture).all()


@pytest.mark.parametrize("frame", [Frame(64, 512), Frame(512, 64)], ids=str)
@styles
def test_extreme_shapes_can_be_painted(style: str, frame: Frame) -> None:
    assert np.isfinite(_picture(replace(ORDER, style=style, frame=frame, steps=1))).all()


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_previews_refine_step_by_step(sampler: str, scheduler: str) -> None:
    stages = _stages(replace(ORDER, sampler=sampler, scheduler=scheduler))
    previews = [stage.preview() for stage in stages]
    final = stages[-1].picture
    distances = [float(np.abs(preview - final).mean()) for preview in previews]
    assert all(not np.array_equal(a, b) for a, b in itertools.pairwise(previews))
    assert distances[0] > 0.1
    assert distances[0] > distances[-2]
    assert distances[-1] == 0


def test_samplers_look_different_on_their_way_and_end_alike() -> None:
    stages = [_stages(replace(ORDER, sampler=sampler)) for sampler in SAMPLERS]
    assert len({_bytes(way[2].preview()) for way in stages}) == len(SAMPLERS) - 1  # euler is another name of demo
    assert len({_bytes(way[-1].picture) for way in stages}) == 1


def test_previews_are_small() -> None:
    stage = next(iter(paint(replace(ORDER, frame=Frame(1024, 640), steps=1))))
    assert max(stage.preview().shape[:2]) <= PREVIEW_SIDE


@styles
def test_denoise_0_returns_the_initial_image(style: str) -> None:
    start = _start(ORDER.frame)
    assert _bytes(_picture(replace(ORDER, style=style, start=start, denoise=0.0))) == _bytes(start)


@styles
def test_more_denoise_goes_further_from_the_initial_image(style: str) -> None:
    start = _start(ORDER.frame)
    distances = [
        np.abs(_picture(replace(ORDER, style=style, start=start, denoise=denoise)) - start).mean()
        for denoise in (0.15, 0.5, 1.0)
    ]
    assert distances == sorted(distances)
    assert distances[0] > 0


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(sorted(STYLE_OF)), st.floats(0, 1), st.sampled_from(["", "a cat", "forest at night"]))
def test_the_black_area_of_a_mask_stays_as_it_is(style: str, denoise: float, prompt: str) -> None:
    start, mask = _start(ORDER.frame), _mask(ORDER.frame)
    order = replace(ORDER, style=style, prompt=prompt, start=start, mask=mask, denoise=denoise, steps=3)
    for stage in paint(order):
        assert np.array_equal(stage.picture[mask == 0], start[mask == 0])


def test_the_white_area_of_a_mask_is_repainted() -> None:
    start, mask = _start(ORDER.frame), _mask(ORDER.frame)
    result = _picture(replace(ORDER, prompt="a cat", start=start, mask=mask, denoise=1.0))
    assert np.abs(result - start)[mask == 1].mean() > 0.02


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_a_mask_of_one_colour_is_no_trap(level: float) -> None:
    start = _start(ORDER.frame)
    mask = np.full(start.shape[:2], level, np.float32)
    assert np.isfinite(_picture(replace(ORDER, start=start, mask=mask))).all()


@pytest.mark.parametrize("is_smooth", [True, False])
def test_the_second_pass_keeps_the_composition(is_smooth: bool) -> None:
    first = _picture(ORDER)
    order = second_pass(ORDER, first, Frame(192, 128), steps=3, denoise=0.5, is_smooth=is_smooth)
    result = _picture(order)
    small = result.reshape(64, 2, 96, 2, 3).mean(axis=(1, 3))
    assert result.shape == (128, 192, 3)
    assert np.abs(small - first).mean() < 0.05
