"""From an attempt's updates to what it took."""

import pytest

from imagegen_adapters.contract import (
    Accepted,
    Handle,
    ImageReady,
    ModelLoading,
    Phase,
    PhaseChanged,
    Planned,
    PlanNode,
    PreviewFrame,
    Progressed,
    Update,
)
from imagegen_server.scheduling.estimates import Estimator, Sample
from imagegen_server.scheduling.measuring import RunMeter
from imagegen_server.scheduling.work import Work

WORK = Work(model="m", pixels=512 * 512, steps=20, images=1)
IMAGE = ImageReady(data=b"", media_type="image/png")


def phase(which: Phase) -> PhaseChanged:
    return PhaseChanged(phase=which)


def step(number: int, fraction: float = 0.5) -> Progressed:
    return Progressed(fraction=fraction, phase=Phase.SAMPLING, step=number, steps=20)


def plan(**cached: bool) -> Planned:
    nodes = (PlanNode(node_id=name, class_type=name, title="", cached=is_cached) for name, is_cached in cached.items())
    return Planned(images=1, nodes=tuple(nodes))


def meter(*updates: tuple[float, Update], **fields: bool) -> RunMeter:
    made = RunMeter("a", WORK, 0.0, **fields)
    for time, update in updates:
        made.note(update, time)
    return made


COMFYUI = (
    (0.5, Accepted(handle=Handle(remote_id="x"))),
    (0.5, phase(Phase.WAITING)),
    (20.5, phase(Phase.LOADING_MODEL)),
    (20.5, ModelLoading(model="m")),
    (28.5, phase(Phase.ENCODING)),
    (29.0, phase(Phase.SAMPLING)),
    (30.0, step(1)),
    (35.0, phase(Phase.DECODING)),
    (36.0, IMAGE),
)


def sample(run_s: float, load_s: float | None = None) -> Sample:
    return Sample(backend="a", work=WORK, run_s=run_s, load_s=load_s)


def test_waiting_and_loading_are_not_running() -> None:
    assert meter(*COMFYUI).sample(36.5) == sample(0.5 + 8.0, 8.0)


def test_loading_ends_with_the_first_step_too() -> None:
    """A1111 without task ids says nothing between the two."""
    run = meter((1.0, phase(Phase.LOADING_MODEL)), (1.0, ModelLoading(model="m")), (6.0, step(1)), (10.0, IMAGE))
    assert run.sample(10.0) == sample(5.0, 5.0)


def test_a_model_that_was_there_was_not_loaded() -> None:
    run = meter((1.0, phase(Phase.LOADING_MODEL)), (1.0, ModelLoading(model="m")), (1.2, step(1)), (10.0, IMAGE))
    assert run.sample(10.0) == sample(10.0)


def test_a_model_that_was_not_there_was_loaded_however_quickly() -> None:
    run = meter(
        (1.0, phase(Phase.LOADING_MODEL)),
        (1.0, ModelLoading(model="m")),
        (1.25, step(1)),
        (10.0, IMAGE),
        needs_load=True,
    )
    assert run.sample(10.0) == sample(9.75, 0.25)


def test_other_loaders_are_part_of_the_run() -> None:
    run = meter((1.0, phase(Phase.LOADING_MODEL)), (1.0, ModelLoading(model="lora")), (4.0, step(1)), (10.0, IMAGE))
    assert run.sample(10.0) == sample(10.0)


@pytest.mark.parametrize(
    "run",
    [
        pytest.param(meter((1.0, step(1)), (5.0, step(20))), id="no output"),
        pytest.param(
            meter((5.0, ImageReady(data=b"", media_type="image/png", intermediate=True))), id="a by-product only"
        ),
        pytest.param(meter(*COMFYUI, is_adopted=True), id="begun by another process"),
        pytest.param(meter((1.0, plan(KSampler=True, Save=True)), (2.0, IMAGE)), id="all of it cached"),
        pytest.param(meter((1.0, plan(KSampler=True, Save=False)), (2.0, IMAGE)), id="the sampler cached"),
    ],
)
def test_some_runs_tell_nothing(run: RunMeter) -> None:
    assert run.sample(60.0) is None


@pytest.mark.parametrize(
    "updates",
    [
        pytest.param([(1.0, plan(Loader=True, Upscale=False)), (2.0, IMAGE)], id="a graph that does not sample"),
        pytest.param(
            [(1.0, plan(KSampler=True, KSampler2=False)), (2.0, step(1)), (3.0, IMAGE)], id="a second sampler"
        ),
        pytest.param([(1.0, plan(Loader=False)), (2.0, IMAGE)], id="nothing cached"),
    ],
)
def test_others_tell_something(updates: list[tuple[float, Update]]) -> None:
    assert meter(*updates).sample(3.0) == sample(3.0)


def test_tells_how_long_it_has_been_running() -> None:
    run = RunMeter("a", WORK, 0.0)
    times = (1.0, 20.0, 25.0, 36.0)
    expected = (1.0, 0.5, 0.5, 8.0)
    for now, elapsed_s in zip(times, expected, strict=True):
        run = meter(*((time, update) for time, update in COMFYUI if time <= now))
        assert run.elapsed_s(now) == pytest.approx(elapsed_s if now != 1.0 else 0.5)


def test_the_fraction_never_falls() -> None:
    assert meter((1.0, step(5, 0.5)), (2.0, step(6, 0.4)), (3.0, PreviewFrame(data=b"", media_type=""))).fraction == 0.5


def test_a_clock_that_goes_back_counts_nothing() -> None:
    assert meter((5.0, step(1)), (4.0, IMAGE)).sample(3.0) == sample(5.0)


def test_what_is_left_has_loading_in_it() -> None:
    estimator = Estimator()
    estimator.learn(Sample(backend="a", work=WORK, run_s=10.0, load_s=8.0))
    assert meter(needs_load=True).remaining_s(estimator, 0.0) == pytest.approx(18)
    assert meter().remaining_s(estimator, 0.0) == pytest.approx(10)
    loading = meter((1.0, ModelLoading(model="m")))
    assert loading.remaining_s(estimator, 4.0) == pytest.approx(9 + 5)
    assert loading.remaining_s(estimator, 60.0) == pytest.approx(9)
    assert meter((1.0, step(1, 0.0)), needs_load=True).remaining_s(estimator, 1.0) == pytest.approx(9)


def test_nobody_knows_what_is_left_of_unmeasured_work() -> None:
    estimator = Estimator()
    assert meter().remaining_s(estimator, 5.0) is None
    estimator.learn(Sample(backend="a", work=WORK, run_s=10.0, load_s=None))
    assert meter(needs_load=True).remaining_s(estimator, 5.0) is None
    assert meter().remaining_s(estimator, 5.0) is not None
