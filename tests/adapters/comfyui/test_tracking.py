"""Recorded prompts, replayed: what their frames come to."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagegen_adapters.comfyui.answers import HistoryEntry, read_history
from imagegen_adapters.comfyui.built_in.drawing import Pass
from imagegen_adapters.comfyui.protocol import FeatureFlags, Frame, ServerStatus
from imagegen_adapters.comfyui.tracking import PromptEnded, ResultsShown, Step, Tracker
from imagegen_adapters.comfyui.workflow import Workflow
from imagegen_adapters.contract import ImageReady, ModelLoading, Phase, PhaseChanged, Planned, PreviewFrame, Progressed
from imagegen_adapters.errors import Cancelled, Interrupted, Lost, NodeFailed, NoOutput, OutOfMemory
from imagegen_adapters.graphs.graph import Graph
from tests.adapters.comfyui.recordings import SCENARIOS, Recording, load, recorded_classes

CLASSES = recorded_classes()
PROMPTS = [(scenario, position) for scenario in SCENARIOS for position in range(len(load(scenario).graphs))]


def track(recording: Recording, position: int = 0, *, wants_previews: bool = True) -> tuple[Tracker, list[Step]]:
    prompt_id = recording.prompt(position)
    workflow = Workflow(graph=Graph(recording.graphs[prompt_id]))
    tracker = Tracker(workflow, CLASSES, wants_previews=wants_previews)
    return tracker, list(feed(tracker, recording.frames(), prompt_id))


def feed(tracker: Tracker, frames: Iterable[Frame], prompt_id: str) -> Iterable[Step]:
    for frame in frames:
        if not isinstance(frame, ServerStatus | FeatureFlags) and frame.prompt_id == prompt_id:
            yield from tracker.feed(frame)


def history(recording: Recording, position: int) -> HistoryEntry:
    prompt_id = recording.prompt(position)
    (entry,) = read_history({prompt_id: recording.histories[prompt_id]})
    return entry


def files(steps: Iterable[Step]) -> list[str]:
    shown = [step for step in steps if isinstance(step, ResultsShown)]
    return [result.file.filename for step in shown for result in step.results]


@pytest.mark.parametrize(("scenario", "position"), PROMPTS)
def test_every_recorded_prompt_ends_and_never_falls_back(scenario: str, position: int) -> None:
    tracker, steps = track(load(scenario), position)

    fractions = [step.fraction for step in steps if isinstance(step, Progressed)]

    assert fractions == sorted(fractions)
    assert all(0 <= fraction <= 1 for fraction in fractions)
    assert tracker.has_ended
    assert steps[-1] == PromptEnded()
    assert sum(isinstance(step, PromptEnded) for step in steps) == 1
    assert sum(isinstance(step, Planned) for step in steps) == 1


@pytest.mark.parametrize("scenario", ["text_to_image_metadata", "text_to_image_legacy", "version_0_3_44"])
def test_text_to_image_shows_steps_previews_and_the_file(scenario: str) -> None:
    _, steps = track(load(scenario))

    sampling = [step for step in steps if isinstance(step, Progressed) and step.phase is Phase.SAMPLING and step.step]
    previews = [step for step in steps if isinstance(step, PreviewFrame)]

    total = sampling[0].steps
    assert [step.step for step in sampling] == list(range(1, total + 1))
    assert [preview.step for preview in previews] == list(range(1, total + 1))
    assert {preview.media_type for preview in previews} == {"image/jpeg"}
    assert len(files(steps)) == 1


def test_phases_follow_the_node_at_work() -> None:
    _, steps = track(load("rerun_cached"))

    phases = [(step.phase, step.node_id) for step in steps if isinstance(step, PhaseChanged)]

    assert phases == [
        (Phase.LOADING_MODEL, "4"),
        (Phase.PROCESSING, "5"),
        (Phase.ENCODING, "7"),
        (Phase.ENCODING, "6"),
        (Phase.SAMPLING, "3"),
        (Phase.DECODING, "8"),
        (Phase.SAVING, "9"),
    ]
    assert ModelLoading(model="tiny_random.safetensors") in steps


def test_cached_nodes_are_planned_as_such_and_weigh_nothing() -> None:
    """Only the seed changed: sampler (4 steps), decoder and saver are left, six parts in all."""
    _, steps = track(load("rerun_cached"), 3)

    (plan,) = [step for step in steps if isinstance(step, Planned)]
    fractions = [step.fraction for step in steps if isinstance(step, Progressed)]

    assert {node.node_id for node in plan.nodes if node.cached} == {"4", "5", "6", "7"}
    assert [node.node_id for node in plan.nodes].index("3") > [node.node_id for node in plan.nodes].index("4")
    assert fractions[:5] == pytest.approx([0, 1 / 6, 2 / 6, 3 / 6, 4 / 6])
    assert fractions[-1] == 1.0


def test_a_rerun_from_the_cache_gives_the_old_files() -> None:
    recording = load("rerun_cached")

    assert files(track(recording, 1)[1]) == files(track(recording, 0)[1])


def test_2024_gives_the_old_files_only_in_history() -> None:
    recording = load("version_2024_07_20")
    tracker, steps = track(recording, 1)

    assert files(steps) == []
    assert len(tracker.take_files(history(recording, 1).files)) == 1


def test_files_of_history_that_were_shown_are_not_taken_twice() -> None:
    recording = load("rerun_cached")
    tracker, steps = track(recording, 0)

    assert len(files(steps)) == 1
    assert tracker.take_files(history(recording, 0).files) == ()


@pytest.mark.parametrize(
    ("scenario", "position"),
    [
        ("save_image_websocket_legacy", 0),
        ("save_image_websocket_legacy", 1),
        ("save_image_websocket_metadata", 0),
        ("save_image_websocket_metadata", 1),
    ],
)
def test_images_sent_over_the_websocket_are_results(scenario: str, position: int) -> None:
    tracker, steps = track(load(scenario), position)

    images = [step for step in steps if isinstance(step, ImageReady)]

    assert [image.image_index for image in images] == [0, 1]
    assert {(image.media_type, image.node_id) for image in images} == {("image/png", "9")}
    assert not tracker.lacks_sent_images
    assert not any(step.media_type == "image/png" for step in steps if isinstance(step, PreviewFrame))


def test_lost_images_of_the_websocket_are_missed() -> None:
    recording = load("save_image_websocket_metadata")
    (*_, last) = [index for index, message in enumerate(recording.messages) if isinstance(message, bytes)]
    del recording.messages[last]

    tracker, _ = track(recording, 1)

    assert tracker.lacks_sent_images


def test_2024_sends_images_over_the_websocket_too() -> None:
    tracker, steps = track(load("version_2024_07_20"), -1)

    assert not tracker.lacks_sent_images
    assert sum(isinstance(step, ImageReady) for step in steps) == 1


def test_expanded_nodes_stand_for_the_one_in_the_graph() -> None:
    _, steps = track(load("expand_and_async"), 1)

    progress = [step for step in steps if isinstance(step, Progressed)]

    assert {step.node_id for step in progress} == {"1", "2"}
    assert max(step.steps for step in progress) == 2
    assert [step.node_id for step in steps if isinstance(step, PhaseChanged)] == ["1", "2"]


def test_asynchronous_nodes_add_up() -> None:
    _, steps = track(load("expand_and_async"), 2)

    fractions = [step.fraction for step in steps if isinstance(step, Progressed)]

    assert fractions[-1] == 1.0
    assert len(set(fractions)) > 8
    assert [step.node_id for step in steps if isinstance(step, PhaseChanged)] == ["2", "1", "3", "4"]


def test_unwanted_previews_are_left_out() -> None:
    _, steps = track(load("text_to_image_metadata"), wants_previews=False)

    assert not any(isinstance(step, PreviewFrame) for step in steps)


@pytest.mark.parametrize(("scenario", "position"), PROMPTS)
def test_repeated_frames_change_nothing_that_lasts(scenario: str, position: int) -> None:
    recording = load(scenario)
    prompt_id = recording.prompt(position)
    once = Tracker(Workflow(graph=Graph(recording.graphs[prompt_id])), CLASSES, wants_previews=False)
    twice = Tracker(Workflow(graph=Graph(recording.graphs[prompt_id])), CLASSES, wants_previews=False)
    doubled = [frame for frame in recording.frames() for _ in range(2)]

    assert list(feed(twice, doubled, prompt_id)) == list(feed(once, recording.frames(), prompt_id))


@given(st.data())
def test_lost_frames_never_make_progress_fall(data: st.DataObject) -> None:
    """A socket that drops in the middle: what is left must still make sense."""
    scenario, position = data.draw(st.sampled_from(PROMPTS))
    recording = load(scenario)
    prompt_id = recording.prompt(position)
    frames = list(recording.frames())
    kept = data.draw(st.lists(st.booleans(), min_size=len(frames), max_size=len(frames)))
    tracker = Tracker(Workflow(graph=Graph(recording.graphs[prompt_id])), CLASSES, wants_previews=True)

    steps = list(feed(tracker, [frame for frame, keep in zip(frames, kept, strict=True) if keep], prompt_id))

    fractions = [step.fraction for step in steps if isinstance(step, Progressed)]
    assert fractions == sorted(fractions)


# --- how prompts end ---


def test_a_failed_node_is_the_verdict() -> None:
    recording = load("runtime_errors")
    tracker, _ = track(recording, 0)

    by_frames = tracker.verdict(None, is_cancelled=False)
    by_history = tracker.verdict(history(recording, 0), is_cancelled=False)

    assert isinstance(by_frames, NodeFailed)
    assert str(by_frames) == str(by_history) == "node 2 (LabFail) failed: lab: something went wrong in the node"
    assert (by_frames.node_id, by_frames.node_type) == ("2", "LabFail")


def test_out_of_memory_is_the_verdict() -> None:
    tracker, _ = track(load("runtime_errors"), 1)

    error = tracker.verdict(None, is_cancelled=False)

    assert isinstance(error, OutOfMemory)
    assert "TIPS" not in str(error)


def test_an_error_without_a_message_is_named_by_its_kind() -> None:
    tracker, _ = track(load("runtime_errors"), 2)

    assert str(tracker.verdict(None, is_cancelled=False)).endswith("failed: AssertionError")


def test_a_blocked_output_is_no_failure_while_there_are_others() -> None:
    recording = load("runtime_errors")
    tracker, _ = track(recording, 3)

    assert tracker.verdict(history(recording, 3), is_cancelled=False) is None
    assert tracker.shortfall(1) is None
    assert tracker.blocked_reason == "Execution Blocked: lab: blocked on purpose"
    assert isinstance(tracker.shortfall(0), NodeFailed)


def test_a_silently_blocked_output_leaves_nothing() -> None:
    recording = load("runtime_errors")
    tracker, _ = track(recording, 4)

    assert tracker.verdict(history(recording, 4), is_cancelled=False) is None
    assert isinstance(tracker.shortfall(0), NoOutput)


@pytest.mark.parametrize(("is_cancelled", "kind"), [(True, Cancelled), (False, Interrupted)])
def test_an_interrupt_is_a_cancel_only_if_we_asked(*, is_cancelled: bool, kind: type[Exception]) -> None:
    recording = load("interrupted")
    tracker, _ = track(recording, 0)

    assert type(tracker.verdict(None, is_cancelled=is_cancelled)) is kind
    assert type(tracker.verdict(history(recording, 0), is_cancelled=is_cancelled)) is kind


def test_a_prompt_that_nobody_knows_is_lost() -> None:
    recording = load("interrupted")
    workflow = Workflow(graph=Graph(recording.graphs[recording.prompt(0)]))

    error = Tracker(workflow, CLASSES, wants_previews=True).verdict(None, is_cancelled=False)

    assert isinstance(error, Lost)


def test_an_error_that_history_does_not_explain_is_one() -> None:
    recording = load("interrupted")
    tracker, _ = track(recording, 0)
    (entry,) = read_history({"p": {"prompt": [0, "p", {}, {}, []], "outputs": {}, "status": {"status_str": "error"}}})

    assert isinstance(tracker.verdict(entry, is_cancelled=False), NodeFailed)


def test_missing_images_of_a_request_are_an_error() -> None:
    graph = Graph({"save": {"class_type": "SaveImage", "inputs": {}}})
    workflow = Workflow(graph=graph, images=3, passes={"save": Pass(image_index=0, images=3, seed=1)})
    tracker = Tracker(workflow, CLASSES, wants_previews=True)

    assert tracker.shortfall(3) is None
    assert isinstance(tracker.shortfall(2), NoOutput)


def test_frames_after_the_end_mean_nothing() -> None:
    recording = load("interrupted")
    tracker, _ = track(recording, 0)

    assert list(feed(tracker, recording.frames(), recording.prompt(0))) == []
