"""Follows one POST by polling: what to ask next, and what the answers mean. Time is an argument.

There are two documents. A task's own one exists in webui mode from 1.8.0 on, says whose progress it is, and is cheap
without a preview; it does not tell a model's loading from sampling. The global one is everywhere, tells about whichever
job runs, and makes the server render a preview at every poll. So a task's document is preferred, and the global one
asked only where there is none, and for the phase before the first step.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

from imagegen_adapters.a1111.attribution import Attribution, Standing
from imagegen_adapters.a1111.protocol import GlobalProgress, TaskProgress
from imagegen_adapters.a1111.reporting import Reporter
from imagegen_adapters.a1111.requests import Post
from imagegen_adapters.contract import Phase, Update

UNKNOWN_POLLS = 3
"""A server before 1.8.0 answers "unknown" for every id: after so many such answers while it works, ids are given up."""


class Ask(Enum):
    """The next poll."""

    TASK = auto()
    TASK_WITH_PREVIEW = auto()
    GLOBAL = auto()
    GLOBAL_WITH_PREVIEW = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How often to poll."""

    min_s: float = 0.1
    """While steps move."""
    max_s: float = 1.0
    """When nothing has changed for a while."""
    growth: float = 1.5


class Tracker:
    """Follows one POST from the moment when it goes out."""

    def __init__(
        self,
        post: Post,
        reporter: Reporter,
        attribution: Attribution,
        *,
        has_task_ids: bool | None,
        encodes_image: bool,
        now: float,
        pace: Pace,
    ) -> None:
        self.has_task_ids = has_task_ids
        """Whether the server tells about tasks by id; None: not known yet."""
        self.standing = Standing.UNSEEN
        self.changed_at = now
        """When our standing or progress last changed."""
        self.is_accepted = False
        """The server has the POST, as far as can be told before its answer."""
        self.was_at_work = False
        """A poll showed the server at work on our job."""
        self.was_stopped = False
        """A poll showed our job with the mark of an interrupt or skip."""
        self.preview_id = -1
        """The newest preview that we have, by the server's count."""
        self._post = post
        self._reporter = reporter
        self._attribution = attribution
        self._encodes_image = encodes_image
        self._pace = pace
        self._delay_s = pace.min_s
        self._position = (0.0, 0, 0)
        self._unknown_polls = 0
        self._was_global = True

    def next_ask(self, now: float, *, is_cancelling: bool = False) -> Ask:
        """What to poll. When cancelling, only what tells whether an interrupt would hit us."""
        is_preview_due = self._reporter.preview_due_in(now) == 0 and not is_cancelling
        if self.has_task_ids is False:
            return Ask.GLOBAL_WITH_PREVIEW if is_preview_due else Ask.GLOBAL
        if self.has_task_ids is None:
            return Ask.TASK if self._was_global else Ask.GLOBAL
        if is_preview_due:
            return Ask.TASK_WITH_PREVIEW
        is_phase_open = self.standing is Standing.ACTIVE and self._position[0] == 0
        return Ask.GLOBAL if is_phase_open and not self._was_global and not is_cancelling else Ask.TASK

    def delay_s(self, now: float) -> float:
        """How long to wait before the next poll."""
        due_in = self._reporter.preview_due_in(now)
        return self._delay_s if due_in is None else min(due_in, self._delay_s)

    def lose_task_ids(self) -> None:
        """The server has no route for a task's progress, or does not know ids."""
        self.has_task_ids = False

    def see_task(self, document: TaskProgress, now: float, *, with_preview: bool = False) -> list[Update]:
        """Updates from the task's document."""
        self._was_global = False
        if document.is_known:
            self.has_task_ids = self.is_accepted = True
        else:
            self._unknown_polls += 1
        self._stand(self._standing_by(document), now)
        updates = list(self._report_standing())
        if document.is_active and document.fraction > 0:
            updates += self._advance(*self._split(document.fraction), now=now)
        if with_preview:
            self.preview_id = document.preview_id
            updates += self._reporter.show(self._post, document.preview, now)
        self._slow_down(now)
        return updates

    def see_global(
        self, document: GlobalProgress, now: float, *, asked_at: float, with_preview: bool = False
    ) -> list[Update]:
        """Updates from the global document, as far as it is about us."""
        self._was_global = True
        if self.has_task_ids is None and self._unknown_polls >= UNKNOWN_POLLS and not document.is_idle:
            self.lose_task_ids()
        if self.has_task_ids is False:
            self.is_accepted = True
            self._stand(self._attribution.judge(document, asked_at=asked_at, now=now), now)
        updates = list(self._report_standing())
        if self.standing is Standing.ACTIVE and not document.is_idle:
            self.was_stopped = self.was_stopped or document.is_stopped
            updates += self._report_phase(document)
            if self.has_task_ids is False and document.job_count > 0:
                updates += self._report_steps(document, now)
        if with_preview:
            is_ours = self.standing is Standing.ACTIVE
            updates += self._reporter.show(self._post, document.preview if is_ours else None, now)
        self._slow_down(now)
        return updates

    def miss(self, ask: Ask, now: float) -> None:
        """The poll had no answer, or none that can be understood."""
        if ask in (Ask.TASK_WITH_PREVIEW, Ask.GLOBAL_WITH_PREVIEW):
            # With a bad "live_previews_image_format" only those fail: numbers are to go on, and polls to keep a pause.
            self._reporter.do_without_preview(now)
        self._slow_down(now)

    def _standing_by(self, document: TaskProgress) -> Standing:
        if document.is_active:
            return Standing.ACTIVE
        if document.is_queued:
            return Standing.QUEUED
        if document.is_completed or self.standing in (Standing.ACTIVE, Standing.GONE):
            return Standing.GONE
        return self.standing

    def _report_standing(self) -> Iterator[Update]:
        if self.standing is Standing.GONE:
            yield from self._reporter.enter(Phase.SAVING)
        elif self.standing is not Standing.ACTIVE and self.is_accepted:
            yield from self._reporter.enter(Phase.WAITING)

    def _report_phase(self, document: GlobalProgress) -> Iterator[Update]:
        """What our job does before its first step."""
        if self._position[0] > 0:
            return
        if document.job_count < 0:
            # A model is loaded, and for image-to-image the picture is encoded; the server does not say which.
            yield from self._reporter.enter(Phase.ENCODING if self._encodes_image else Phase.LOADING_MODEL)
        elif document.step == 0 and document.job_no == 0:
            # Until sampling begins, `steps` is the previous job's. Where both are equal the two cannot be told apart.
            is_sampling = document.steps == self._post.passes[0]
            yield from self._reporter.enter(Phase.SAMPLING if is_sampling else Phase.ENCODING)

    def _report_steps(self, document: GlobalProgress, now: float) -> Iterator[Update]:
        # Not the document's own `progress`: it has 0.01 added, and forks round it.
        share = min(1.0, document.step / document.steps) if document.steps > 0 else 0.0
        fraction = min(1.0, (document.job_no + share) / document.job_count)
        if fraction > 0:
            yield from self._advance(fraction, document.step, document.steps, now=now)

    def _split(self, fraction: float) -> tuple[float, int, int]:
        """Fraction, step and steps of the current pass, from the share of all passes."""
        passes = self._post.passes
        position = fraction * len(passes) + 1e-6
        index = min(int(position), len(passes) - 1)
        return fraction, min(passes[index], round((position - index) * passes[index])), passes[index]

    def _advance(self, fraction: float, step: int, steps: int, *, now: float) -> Iterator[Update]:
        if (fraction, step, steps) == self._position:
            return
        self._position = (fraction, step, steps)
        self._move(now)
        yield from self._reporter.advance(self._post, fraction, step, steps)

    def _stand(self, standing: Standing, now: float) -> None:
        self.was_at_work = self.was_at_work or standing is Standing.ACTIVE
        if standing is not self.standing:
            self.standing = standing
            self._move(now)

    def _move(self, now: float) -> None:
        self.changed_at = now
        self._delay_s = self._pace.min_s

    def _slow_down(self, now: float) -> None:
        if now > self.changed_at:
            self._delay_s = min(self._delay_s * self._pace.growth, self._pace.max_s)
