"""Polls that were recorded from a real server, as the adapter sees them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from imagegen_adapters.a1111.attribution import DOUBT_S, Attribution, Standing
from imagegen_adapters.a1111.progress import UNKNOWN_POLLS, Ask, Pace, Tracker
from imagegen_adapters.a1111.protocol import (
    GlobalProgress,
    Picture,
    TaskProgress,
    decode_global_progress,
    decode_task_progress,
)
from imagegen_adapters.a1111.reporting import Reporter
from imagegen_adapters.a1111.requests import Post
from imagegen_adapters.contract import (
    ModelLoading,
    Phase,
    PhaseChanged,
    PreviewFrame,
    PreviewWish,
    Progressed,
    Update,
)

RECORDINGS = Path(__file__).parents[2] / "recordings" / "a1111"
PACE = Pace(min_s=0.1, max_s=1.0, growth=2.0)


def life(name: str) -> dict[str, Any]:
    recorded: dict[str, Any] = json.loads((RECORDINGS / f"life_{name}.json").read_text())
    return recorded


def post_of(*passes: int, first: int = 0, total: int = 1) -> Post:
    return Post(task_id="task(x)", first_image=first, images=1, total_images=total, passes=passes)


def tracker_for(
    post: Post,
    *,
    has_task_ids: bool | None = False,
    job: str = "scripts_txt2img",
    encodes_image: bool = False,
    attribution: Attribution | None = None,
    preview: PreviewWish = PreviewWish(enabled=False),  # noqa: B008  # frozen
) -> Tracker:
    return Tracker(
        post,
        Reporter(model="tiny", preview=preview),
        attribution or Attribution(job=job),
        has_task_ids=has_task_ids,
        encodes_image=encodes_image,
        now=0.0,
        pace=PACE,
    )


def global_polls(name: str) -> Iterator[tuple[float, float, GlobalProgress]]:
    for row in life(name)["progress"]:
        yield row["sent_ms"] / 1000, row["recv_ms"] / 1000, decode_global_progress(orjson.dumps(row["doc"]))


def replay_global(name: str, tracker: Tracker) -> list[Update]:
    updates: list[Update] = []
    for sent, received, document in global_polls(name):
        if sent >= 0:
            updates += tracker.see_global(document, received, asked_at=sent)
    return updates


def replay_task(name: str, tracker: Tracker) -> list[Update]:
    updates: list[Update] = []
    for row in life(name)["task"]:
        document = decode_task_progress(orjson.dumps(row["doc"]))
        updates += tracker.see_task(document, row["recv_ms"] / 1000, with_preview=True)
    return updates


def phases(updates: list[Update]) -> list[Phase]:
    return [update.phase for update in updates if isinstance(update, PhaseChanged)]


def steps(updates: list[Update]) -> list[tuple[int, int]]:
    return [(update.step, update.steps) for update in updates if isinstance(update, Progressed)]


def assert_monotone(updates: list[Update]) -> None:
    fractions = [update.fraction for update in updates if isinstance(update, Progressed)]
    assert fractions == sorted(fractions)
    assert all(0 <= fraction <= 1 for fraction in fractions)


# --- a job's life ---------------------------------------------------------------------------------------------------


def test_a_plain_job_by_the_global_document() -> None:
    updates = replay_global("plain", tracker_for(post_of(20)))
    assert phases(updates) == [Phase.SAMPLING, Phase.SAVING]
    assert steps(updates) == [(step, 20) for step in range(1, 20)]
    assert_monotone(updates)


def test_a_plain_job_by_its_task() -> None:
    updates = replay_task("plain", tracker_for(post_of(20), has_task_ids=True))
    assert phases(updates) == [Phase.SAMPLING, Phase.SAVING]
    assert steps(updates) == [(step, 20) for step in range(1, 20)]
    assert_monotone(updates)


def test_both_documents_give_the_same_steps_of_hires() -> None:
    by_task = replay_task("hires", tracker_for(post_of(8, 5), has_task_ids=True))
    by_global = replay_global("hires", tracker_for(post_of(8, 5)))
    # The two were polled by different clients, so each missed another step.
    assert set(steps(by_task)) | {(6, 8), (0, 8)} == set(steps(by_global)) | {(7, 8), (0, 5)}
    for updates in (by_task, by_global):
        assert phases(updates) == [Phase.SAMPLING, Phase.SAVING]
        assert_monotone(updates)


@pytest.mark.parametrize(("encodes_image", "first"), [(True, Phase.ENCODING), (False, Phase.LOADING_MODEL)])
def test_image_to_image_encodes_where_no_model_can_be_loading(encodes_image: bool, first: Phase) -> None:
    tracker = tracker_for(post_of(7), job="scripts_img2img", encodes_image=encodes_image)
    updates = replay_global("img2img", tracker)
    assert list(dict.fromkeys(phases(updates))) == list(
        dict.fromkeys([first, Phase.ENCODING, Phase.SAMPLING, Phase.SAVING])
    )
    assert steps(updates) == [(step, 7) for step in range(1, 7)]


def test_a_model_swap_is_seen() -> None:
    updates = replay_global("model_load", tracker_for(post_of(6)))
    assert phases(updates) == [Phase.LOADING_MODEL, Phase.ENCODING, Phase.SAMPLING, Phase.SAVING]
    assert ModelLoading(model="tiny") in updates


def test_the_first_model_load_looks_idle() -> None:
    tracker = tracker_for(post_of(4))
    idle = next(document for _, _, document in global_polls("first_load"))
    assert tracker.see_global(idle, 1.0, asked_at=0.9) == [PhaseChanged(phase=Phase.WAITING)]
    assert tracker.standing is Standing.UNSEEN
    updates = replay_global("first_load", tracker)
    assert phases(updates) == [Phase.LOADING_MODEL, Phase.ENCODING, Phase.SAMPLING, Phase.SAVING]


def test_a_sampler_that_overruns_its_steps() -> None:
    updates = replay_global("dpm_adaptive", tracker_for(post_of(6)))
    assert max(step for step, _ in steps(updates)) == 6
    assert_monotone(updates)


def test_a_strangers_interrupt_is_noticed_on_the_way() -> None:
    tracker = tracker_for(post_of(10, 10))
    replay_global("interrupted", tracker)
    assert tracker.was_stopped


def test_a_failed_task_is_gone_when_another_one_starts() -> None:
    tracker = tracker_for(post_of(4), has_task_ids=True)
    updates = replay_task("failing", tracker)
    assert phases(updates) == [Phase.WAITING, Phase.SAVING]
    assert tracker.standing is Standing.GONE


def test_images_share_the_attempt() -> None:
    post = post_of(20, first=1, total=2)
    tracker = tracker_for(post)
    updates = [*replay_global("plain", tracker), *Reporter(model="", preview=PreviewWish()).finish(post)]
    fractions = [update.fraction for update in updates if isinstance(update, Progressed)]
    assert fractions[0] == pytest.approx(0.525)
    assert fractions[-1] == 1.0


# --- whose job ------------------------------------------------------------------------------------------------------


def test_two_jobs_back_to_back_the_first_ours() -> None:
    tracker = tracker_for(post_of(12))
    updates = replay_global("two_jobs", tracker)
    assert steps(updates) == [(step, 12) for step in range(1, 12)]
    assert phases(updates) == [Phase.SAMPLING, Phase.SAVING]


def test_two_jobs_back_to_back_the_first_a_strangers() -> None:
    sent, received, before = next(poll for poll in global_polls("two_jobs") if not poll[2].is_idle)
    attribution = Attribution(job="scripts_txt2img")
    attribution.note_before(before, asked_at=sent, now=received)
    tracker = tracker_for(post_of(12), attribution=attribution)
    updates = replay_global("two_jobs", tracker)
    assert phases(updates)[0] is Phase.WAITING
    assert steps(updates) == [(step, 12) for step in range(1, 12)]


def test_two_jobs_within_one_second_are_told_apart_by_their_begin() -> None:
    """A job fails at once, and the next one has the same timestamp."""
    standings = []
    attribution = Attribution(job="scripts_txt2img")
    for sent, received, document in global_polls("failing"):
        if document.timestamp == "20261122113012":
            standings.append(attribution.judge(document, asked_at=sent, now=received))
    assert Standing.ACTIVE in standings
    assert Standing.GONE in standings[: len(standings) - 1], "the second job is not taken for the first"


@pytest.mark.parametrize(
    "name", ["plain", "hires", "img2img", "model_load", "first_load", "dpm_adaptive", "interrupted", "previews"]
)
def test_one_job_is_never_taken_for_two(name: str) -> None:
    attribution = Attribution(job="scripts_img2img" if name == "img2img" else "scripts_txt2img")
    for sent, received, document in global_polls(name):
        standing = attribution.judge(document, asked_at=sent, now=received)
        assert document.is_idle or standing is Standing.ACTIVE


def document(
    job: str = "scripts_txt2img", *, count: int = 1, step: int = 3, stamp: str = "20260101000000"
) -> GlobalProgress:
    return GlobalProgress(
        job=job, job_count=count, job_no=0, step=step, steps=20, timestamp=stamp, elapsed_s=None, is_stopped=False,
        preview=None,
    )  # fmt: skip


@pytest.mark.parametrize("job", ["scripts_img2img", "Batch 1 out of 3", "extras", "Upscale"])
def test_another_kind_of_job_is_a_strangers(job: str) -> None:
    attribution = Attribution(job="scripts_txt2img")
    assert attribution.judge(document(job), asked_at=0.0, now=0.1) is Standing.QUEUED


def test_a_job_whose_name_comes_late() -> None:
    attribution = Attribution(job="scripts_txt2img")
    assert attribution.judge(document(step=0), asked_at=0.0, now=0.1) is Standing.ACTIVE
    assert attribution.judge(document("Batch 1 out of 2"), asked_at=0.1, now=0.2) is Standing.QUEUED
    assert attribution.judge(document(stamp="20260101000005"), asked_at=5.0, now=5.1) is Standing.ACTIVE


def test_a_step_back_is_another_job() -> None:
    attribution = Attribution(job="scripts_txt2img")
    attribution.note_before(document(step=9), asked_at=0.0, now=0.1)
    assert attribution.judge(document(step=10), asked_at=0.1, now=0.2) is Standing.QUEUED
    assert attribution.judge(document(step=1), asked_at=0.2, now=0.3) is Standing.ACTIVE
    assert attribution.judge(document(count=-1, step=1), asked_at=0.3, now=0.4) is Standing.GONE


def test_a_doubtful_job_becomes_ours_when_no_answer_can_still_be_on_its_way() -> None:
    attribution = Attribution(job="scripts_txt2img")
    attribution.judge(document(), asked_at=0.0, now=0.1)
    later = document(stamp="20260101000005")
    assert attribution.judge(later, asked_at=5.0, now=5.1) is Standing.GONE
    assert attribution.judge(later, asked_at=5.0, now=5.2 + DOUBT_S) is Standing.ACTIVE


# --- what to ask ----------------------------------------------------------------------------------------------------


def task(fraction: float = 0.0, *, active: bool = False, queued: bool = False, preview: bytes = b"") -> TaskProgress:
    picture = Picture(data=preview, media_type="image/png") if preview else None
    return TaskProgress(
        is_active=active, is_queued=queued, is_completed=False, fraction=fraction, preview=picture, preview_id=5
    )


def test_ids_are_tried_beside_the_global_document_until_they_are_known() -> None:
    tracker = tracker_for(post_of(20), has_task_ids=None)
    assert tracker.next_ask(0.0) is Ask.TASK
    tracker.see_task(task(), 0.1)
    assert tracker.next_ask(0.1) is Ask.GLOBAL
    tracker.see_global(document(count=0), 0.2, asked_at=0.1)
    tracker.see_task(task(queued=True), 0.3)
    assert tracker.has_task_ids is True
    assert tracker.standing is Standing.QUEUED
    assert tracker.next_ask(0.3) is Ask.TASK


def test_ids_are_given_up_where_the_server_does_not_know_them() -> None:
    tracker = tracker_for(post_of(20), has_task_ids=None)
    for now in range(UNKNOWN_POLLS):
        assert tracker.has_task_ids is None
        tracker.see_task(task(), now)
        tracker.see_global(document(step=now), now, asked_at=now)
    assert tracker.has_task_ids is False
    assert tracker.standing is Standing.ACTIVE


def test_the_phase_before_the_first_step_is_asked_of_the_global_document() -> None:
    tracker = tracker_for(post_of(20), has_task_ids=True)
    tracker.see_task(task(active=True), 0.1)
    assert tracker.next_ask(0.1, is_cancelling=True) is Ask.TASK
    assert tracker.next_ask(0.1) is Ask.GLOBAL
    updates = tracker.see_global(document(count=-1, step=0), 0.2, asked_at=0.1)
    assert phases(updates) == [Phase.LOADING_MODEL]
    assert tracker.next_ask(0.2) is Ask.TASK
    tracker.see_task(task(0.05, active=True), 0.3)
    assert tracker.next_ask(0.3) is Ask.TASK


@pytest.mark.parametrize("has_task_ids", [True, False])
def test_a_preview_is_asked_for_when_the_step_has_moved_and_not_too_often(has_task_ids: bool) -> None:
    tracker = tracker_for(post_of(20), has_task_ids=has_task_ids, preview=PreviewWish(max_rate_hz=2.0))
    plain, with_preview = (Ask.TASK, Ask.TASK_WITH_PREVIEW) if has_task_ids else (Ask.GLOBAL, Ask.GLOBAL_WITH_PREVIEW)

    def see(step: int, now: float, preview: bytes = b"") -> list[Update]:
        if has_task_ids:
            return tracker.see_task(task(step / 20, active=True, preview=preview), now, with_preview=bool(preview))
        picture = Picture(data=preview, media_type="image/png") if preview else None
        shown = GlobalProgress(
            job="scripts_txt2img", job_count=1, job_no=0, step=step, steps=20, timestamp="1", elapsed_s=None,
            is_stopped=False, preview=picture,
        )  # fmt: skip
        return tracker.see_global(shown, now, asked_at=now, with_preview=bool(preview))

    assert tracker.next_ask(0.0) is plain
    see(1, 1.0)
    assert tracker.next_ask(1.0) is with_preview
    assert tracker.delay_s(1.0) == 0
    [frame] = [update for update in see(1, 1.1, b"one") if isinstance(update, PreviewFrame)]
    assert (frame.data, frame.step) == (b"one", 1)
    assert tracker.next_ask(1.2) is plain, "the step has not moved"
    see(2, 1.3)
    assert tracker.next_ask(1.3) is plain, "too early"
    assert tracker.delay_s(1.5) <= 0.1
    assert tracker.next_ask(1.6) is with_preview
    assert not [update for update in see(2, 1.6, b"one") if isinstance(update, PreviewFrame)], "the same as before"


def test_the_pace_slows_down_while_nothing_changes_and_recovers() -> None:
    tracker = tracker_for(post_of(20), has_task_ids=True)
    tracker.see_task(task(queued=True), 1.0)
    for now in (2.0, 3.0, 4.0, 5.0, 6.0):
        tracker.see_task(task(queued=True), now)
    assert tracker.delay_s(6.0) == PACE.max_s
    tracker.miss(Ask.TASK, 7.0)
    assert tracker.delay_s(7.0) == PACE.max_s
    tracker.see_task(task(active=True), 8.0)
    assert tracker.delay_s(8.0) == PACE.min_s


def test_a_preview_that_cannot_be_had_stops_neither_numbers_nor_pauses() -> None:
    tracker = tracker_for(post_of(20), has_task_ids=True, preview=PreviewWish(max_rate_hz=2.0))
    tracker.see_task(task(0.05, active=True), 1.0)
    assert tracker.next_ask(1.0) is Ask.TASK_WITH_PREVIEW
    tracker.miss(Ask.TASK_WITH_PREVIEW, 1.0)
    assert tracker.next_ask(1.0) is Ask.TASK
    assert tracker.delay_s(1.0) > 0
    tracker.see_task(task(0.1, active=True), 2.0)
    assert tracker.next_ask(2.0) is Ask.TASK_WITH_PREVIEW


def test_recorded_previews_are_shown_once_each() -> None:
    tracker = tracker_for(post_of(8), has_task_ids=True, preview=PreviewWish(max_rate_hz=1000))
    frames = [update for update in replay_task("previews", tracker) if isinstance(update, PreviewFrame)]
    assert len(frames) == len({frame.data for frame in frames}) > 4
    assert tracker.preview_id == -1, "the last document was no longer active"
