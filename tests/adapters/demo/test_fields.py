"""Numbers over the picture's area."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagegen_adapters.demo.fields import (
    Dice,
    Frame,
    blurred,
    clamp,
    closed,
    fractal,
    hashed,
    key_of,
    ramp,
    resized,
    sample,
    shrunk,
    wave,
)

FRAME = Frame(96, 64)


def _axis(count: int) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return np.linspace(-2, 2, count, dtype=np.float32)


def test_the_stream_of_dice_is_frozen() -> None:
    """A seed must give the same picture in every release of numpy."""
    values = (Dice("frozen", 1).many(4) * 2**24).astype(np.int64)
    assert values.tolist() == [16694144, 8965182, 12178718, 3920452]


def test_hashed_lattices_are_frozen() -> None:
    values = (hashed(key_of("frozen"), np.arange(4), np.arange(4)) * 2**24).astype(np.int64)
    assert values.tolist() == [6359298, 856131, 943359, 16044651]


def test_different_keys_give_different_noise() -> None:
    first, second = (fractal(key_of(name), FRAME.x, FRAME.y, octaves=2) for name in ("a", "b"))
    assert not np.array_equal(first, second)


def test_noise_is_smooth_and_bounded() -> None:
    values = fractal(key_of("n"), FRAME.x * 8, FRAME.y * 8, octaves=5)
    assert values.dtype == np.float32
    assert values.shape == (64, 96)
    assert np.abs(values).max() < 3
    assert 0.2 < values.std() < 1


def test_noise_does_not_depend_on_the_size() -> None:
    small = fractal(key_of("n"), Frame(64, 64).x, Frame(64, 64).y, octaves=2)
    large = fractal(key_of("n"), Frame(128, 128).x, Frame(128, 128).y, octaves=2)
    assert np.abs(shrunk(large, 64) - small).max() < 0.02


@pytest.mark.parametrize(("turns", "expected"), [(0, 0), (0.25, 1), (0.5, 0), (0.75, -1), (1.25, 1), (-0.25, -1)])
def test_wave_is_a_sine(turns: float, expected: float) -> None:
    assert wave(np.array([turns], np.float32))[0] == pytest.approx(expected, abs=1e-5)


def test_ramp_rises_or_falls() -> None:
    x = _axis(9)
    assert ramp(x, -1, 1)[0] == 0
    assert ramp(x, -1, 1)[-1] == 1
    assert ramp(x, 1, -1)[0] == 1
    assert (np.diff(ramp(x, -1, 1)) >= 0).all()


def test_sampling_at_pixels_gives_them() -> None:
    image = hashed(1, np.arange(20)[None, :], np.arange(12)[:, None])
    rows, columns = np.arange(11, dtype=np.float32)[:, None], np.arange(19, dtype=np.float32)[None, :]
    assert np.allclose(sample(image, columns, rows), image[:11, :19], atol=1e-4)


def test_sampling_outside_is_clamped() -> None:
    image = np.full((8, 8, 3), 0.5, np.float32)
    far = np.array([[-100.0, 100.0]], np.float32)
    assert np.allclose(sample(image, far, far), 0.5)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 40), st.integers(1, 40))
def test_resizing_keeps_flat_areas_and_gives_the_size(width: int, height: int, new_width: int, new_height: int) -> None:
    image = np.full((height, width, 3), 0.25, np.float32)
    result = resized(image, new_width, new_height)
    assert result.shape == (new_height, new_width, 3)
    assert (result == 0.25).all()


@given(st.integers(1, 300), st.integers(1, 300))
def test_shrinking_stays_below_the_limit(width: int, height: int) -> None:
    result = shrunk(np.ones((height, width, 3), np.float32), 64)
    assert max(result.shape[:2]) <= 64
    assert np.allclose(result, 1)


@given(st.integers(0, 9))
def test_blurring_keeps_flat_areas(radius: int) -> None:
    assert np.allclose(blurred(np.full((7, 5), 0.5, np.float32), radius), 0.5)


def test_closing_fills_a_hole_from_around_it_and_keeps_the_rest() -> None:
    image = np.full((64, 64, 3), 0.8, np.float32)
    image[20:40, 20:40] = 0
    known = np.ones((64, 64), np.float32)
    known[20:40, 20:40] = 0
    result = closed(image, known)
    assert np.abs(result - 0.8).max() < 0.01
    assert np.array_equal(result[:16], image[:16])


def test_closing_a_picture_of_which_nothing_is_known_ends() -> None:
    result = closed(np.zeros((64, 64, 3), np.float32), np.zeros((64, 64), np.float32))
    assert np.isfinite(result).all()


def test_clamp() -> None:
    assert clamp(_axis(5)).tolist() == [0, 0, 0, 1, 1]
