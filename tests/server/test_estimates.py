"""Learning how long runs take."""

import json

import pytest

from imagegen_adapters.contract import HiresParameters, ImageParameters, RawGraph
from imagegen_server.scheduling.estimates import MAX_KEYS, MAX_SIZES, Estimator, Sample
from imagegen_server.scheduling.work import Work, work_of


def work(units: float = 10.0, **fields: object) -> Work:
    return Work(**{"model": "m", "pixels": int(units * 1e5), "steps": 10, "images": 1, **fields})  # type: ignore[arg-type]


def taught(*runs: tuple[str, Work, float], load_s: float | None = None) -> Estimator:
    estimator = Estimator()
    for backend, each, run_s in runs:
        estimator.learn(Sample(backend=backend, work=each, run_s=run_s, load_s=load_s))
    return estimator


def graph(**inputs: object) -> RawGraph:
    return RawGraph(
        json=json.dumps(
            {
                "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "m"}},
                "2": {"class_type": "CLIPTextEncode", "inputs": {"text": inputs.pop("text", ""), "clip": ["1", 1]}},
                "3": {"class_type": "KSampler", "inputs": {"steps": 20, "seed": 1, "positive": ["2", 0]} | inputs},
            }
        )
    )


def test_knows_nothing_at_first() -> None:
    estimator = Estimator()
    assert estimator.run_s("a", work()) is None
    assert estimator.load_s("a", "m") is None
    assert estimator.remaining_s("a", work(), elapsed_s=3, fraction=0) is None
    assert estimator.guess_s("a", work()) > 0
    assert estimator.guess_load_s("a", "m") > 0


def test_predicts_what_it_has_measured() -> None:
    estimator = taught(("a", work(), 9.0), ("a", work(), 11.0), load_s=4.0)
    assert estimator.run_s("a", work()) == pytest.approx(10)
    assert estimator.guess_s("a", work()) == pytest.approx(10)
    assert estimator.load_s("a", "m") == pytest.approx(4)


def test_a_machine_that_slept_once_changes_nothing() -> None:
    estimator = taught(*(("a", work(), each) for each in (10.0, 10.0, 3600.0, 10.0)))
    assert estimator.run_s("a", work()) == pytest.approx(10)


def test_a_machine_that_became_slower_is_believed() -> None:
    estimator = taught(*(("a", work(), each) for each in [10.0] * 8 + [20.0] * 6))
    assert estimator.run_s("a", work()) == pytest.approx(20)


@pytest.mark.parametrize("run_s", [0.0, -1.0, float("nan"), float("inf")])
def test_impossible_durations_are_not_learned(run_s: float) -> None:
    assert taught(("a", work(), run_s)).run_s("a", work()) is None


def test_scales_from_the_nearest_size() -> None:
    estimator = taught(("a", work(10), 10.0))
    assert estimator.run_s("a", work(40)) == pytest.approx(40)
    assert estimator.run_s("a", work(10, images=3)) == pytest.approx(30)


def test_the_nearest_size_is_the_one_with_most_nearly_as_many_pixels() -> None:
    small, large = work(pixels=250_000, steps=10), work(pixels=1_000_000, steps=10)
    estimator = taught(("a", small, 10.0), ("a", large, 10.0))
    many = work(pixels=250_000, steps=10, images=4)
    assert many.units == large.units
    assert estimator.run_s("a", many) == pytest.approx(5 + 4 * 5)


@pytest.mark.parametrize(("measured", "asked"), [(64, 1024), (1024, 64)])
def test_a_tiny_picture_says_nothing_about_a_large_one(measured: int, asked: int) -> None:
    estimator = taught(("a", work(pixels=measured**2), 1.0))
    assert estimator.run_s("a", work(pixels=asked**2)) is None
    assert estimator.guess_s("a", work(pixels=asked**2)) > 0
    assert estimator.run_s("a", work(pixels=measured**2, steps=400)) == pytest.approx(40)


def test_learns_what_does_not_grow_with_the_size() -> None:
    """Two seconds, and half a second for each unit."""
    estimator = taught(("a", work(10), 7.0), ("a", work(20), 12.0))
    assert estimator.run_s("a", work(40)) == pytest.approx(22)
    assert estimator.run_s("a", work(5)) == pytest.approx(4.5)


def test_noise_makes_small_work_not_free() -> None:
    estimator = taught(("a", work(10), 10.0), ("a", work(20), 10.0))
    assert estimator.run_s("a", work(2.5)) == pytest.approx(6.25)


def test_a_backend_and_a_model_are_measured_by_themselves() -> None:
    estimator = taught(("a", work(), 10.0))
    assert estimator.run_s("b", work()) is None
    assert estimator.run_s("a", work(model="other")) is None


def test_work_without_a_model_gets_what_was_used_last() -> None:
    estimator = taught(("a", work(model="m"), 10.0), ("a", work(model="n"), 20.0), ("b", work(model="m"), 1.0))
    assert estimator.run_s("a", work(model="")) == pytest.approx(20)


def test_a_graph_is_measured_by_what_it_does() -> None:
    estimator = taught(("a", work_of(graph(text="a cat"), 1), 10.0))
    assert estimator.run_s("a", work_of(graph(text="a dog", seed=7), 1)) == pytest.approx(10)
    assert estimator.run_s("a", work_of(graph(steps=40), 1)) is None
    assert work_of(graph(), 1).model == "m"


@pytest.mark.parametrize(
    "text", ["[]", '{"1": 2}', '{"1": {"inputs": []}}', '{"1": {"inputs": {"ckpt_name": ["2", 0]}}}']
)
def test_a_strange_graph_is_work_too(text: str) -> None:
    assert work_of(RawGraph(json=text), 2).images == 2


def test_the_second_pass_counts_by_its_pixels() -> None:
    plain = ImageParameters(prompt="", model="m", width=512, height=512, steps=20)
    hires = ImageParameters(
        prompt="", width=512, height=512, steps=20, hires=HiresParameters(scale=2, denoise=0.5, steps=10)
    )
    assert work_of(plain, 3) == Work(model="m", pixels=512 * 512, steps=20, images=3)
    assert work_of(hires, 1).steps == 40


def test_what_stays_of_an_image_is_not_work() -> None:
    source = ImageParameters(prompt="", steps=20, init_image="a" * 64, denoise=0.25)
    assert work_of(source, 1).steps == 5


def test_guesses_from_another_backend_by_relative_speed() -> None:
    estimator = taught(("a", work(model="x"), 10.0), ("b", work(model="x"), 30.0), ("a", work(), 20.0))
    assert estimator.guess_s("b", work()) == pytest.approx(60)
    assert estimator.guess_s("c", work()) == pytest.approx(20)


def test_guesses_from_other_models_here_and_then_elsewhere() -> None:
    estimator = taught(("a", work(10, model="x"), 30.0), ("b", work(10, model="y"), 10.0))
    assert estimator.guess_s("a", work(20)) == pytest.approx(60)
    assert estimator.guess_s("c", work(20)) == pytest.approx(40)


def test_guesses_loading_from_here_before_elsewhere() -> None:
    estimator = Estimator()
    estimator.learn(Sample(backend="a", work=work(model="x"), run_s=1.0, load_s=3.0))
    estimator.learn(Sample(backend="b", work=work(model="y"), run_s=1.0, load_s=9.0))
    assert estimator.guess_load_s("a", "y") == pytest.approx(3)
    assert estimator.guess_load_s("c", "y") == pytest.approx(9)


def test_a_guess_changes_with_what_is_learned() -> None:
    estimator = Estimator()
    before = estimator.guess_s("a", work())
    estimator.learn(Sample(backend="a", work=work(), run_s=before + 5, load_s=None))
    assert estimator.guess_s("a", work()) == pytest.approx(before + 5)


@pytest.mark.parametrize(
    ("elapsed_s", "fraction", "expected"),
    [
        pytest.param(0, 0.0, 10, id="all of it"),
        pytest.param(4, 0.0, 6, id="no progress yet"),
        pytest.param(60, 0.0, 1, id="overdue"),
        pytest.param(5, 0.5, 5, id="as predicted"),
        pytest.param(10, 0.5, 7.5, id="half as fast as predicted"),
        pytest.param(20, 1.0, 0, id="done"),
    ],
)
def test_what_is_left_goes_by_prediction_then_by_progress(elapsed_s: float, fraction: float, expected: float) -> None:
    estimator = taught(("a", work(), 10.0))
    assert estimator.remaining_s("a", work(), elapsed_s=elapsed_s, fraction=fraction) == pytest.approx(expected)


def test_what_is_left_of_unmeasured_work_goes_by_progress_alone() -> None:
    assert Estimator().remaining_s("a", work(), elapsed_s=10, fraction=0.25) == pytest.approx(30)
    assert Estimator().remaining_s("a", work(), elapsed_s=10, fraction=0.01) is None


def test_tells_speed_over_all_that_was_measured() -> None:
    big = work(pixels=2**20, steps=20)
    small = work(pixels=2**18, steps=20, images=2)
    estimator = taught(("a", big, 8.0), ("a", small, 4.0), ("b", big, 1.0), ("c", work_of(graph(), 1), 5.0))
    assert estimator.megapixel_steps_per_second("a") == (20 + 10) / (8 + 4)
    assert estimator.megapixel_steps_per_second("c") is None, "a graph tells no size"
    assert estimator.megapixel_steps_per_second("nobody") is None


def test_forgets_a_backend_and_no_other() -> None:
    estimator = taught(("a", work(), 9.0), ("b", work(), 5.0), load_s=4.0)
    estimator.forget("a")
    assert (estimator.run_s("a", work()), estimator.load_s("a", "m")) == (None, None)
    assert (estimator.run_s("b", work()), estimator.load_s("b", "m")) == (5.0, 4.0)
    assert estimator.guess_s("a", work()) == 5.0


def test_is_the_same_after_a_restart() -> None:
    estimator = taught(("a", work(10), 7.0), ("a", work(20), 12.0), ("b", work_of(graph(), 1), 3.0), load_s=4.0)
    again = Estimator.from_json(estimator.to_json())
    assert again.run_s("a", work(40)) == pytest.approx(22)
    assert again.run_s("b", work_of(graph(), 1)) == pytest.approx(3)
    assert again.load_s("a", "m") == pytest.approx(4)
    assert again.to_json() == estimator.to_json()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "null",
        "[1]",
        "{}",
        '{"runs": 1, "loads": []}',
        '{"runs": [["a", "m", ""]], "loads": []}',
        '{"runs": [["a", "m", "", [[1, 1, 1, ["x"]]]]], "loads": []}',
        '{"runs": [["a", "m", "", []]], "loads": []}',
        '{"runs": [["a", "m", "", [[Infinity, 1, 1, [1]]]]], "loads": []}',
        "[" * 100_000,
    ],
)
def test_starts_empty_from_garbage(text: str) -> None:
    estimator = Estimator.from_json(text)
    assert estimator.run_s("a", work()) is None
    assert estimator.guess_s("a", work()) > 0


def test_is_bounded() -> None:
    estimator = Estimator()
    for number in range(MAX_KEYS + 10):
        estimator.learn(Sample(backend=f"b{number}", work=work(), run_s=1.0, load_s=1.0))
    for number in range(MAX_SIZES + 10):
        estimator.learn(Sample(backend="last", work=work(number + 1), run_s=1.0, load_s=1.0))
    document = json.loads(estimator.to_json())
    assert len(document["runs"]) == len(document["loads"]) == MAX_KEYS
    assert len(document["runs"][-1][-1]) == MAX_SIZES
    assert estimator.run_s("b0", work()) is None
    for number in range(17 * MAX_KEYS):
        estimator.guess_s("last", work(number + 1))
    assert len(estimator._guesses) <= 16 * MAX_KEYS + 1
