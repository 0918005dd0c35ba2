"""Whose job the global progress document is about, where the server has no task ids."""

from dataclasses import dataclass
from enum import Enum, auto

from imagegen_adapters.a1111.protocol import GlobalProgress

DOUBT_S = 15.0
"""How long a response may take to be encoded at most, while the next job already runs."""
SLACK_S = 0.02
"""Between reading the server's clock and sending the answer."""


class Standing(Enum):
    """Where the newest poll found our POST."""

    UNSEEN = auto()
    """Not arrived, or waiting for the server's first model load, which looks idle."""
    QUEUED = auto()
    """Behind another job."""
    ACTIVE = auto()
    """Runs; an interrupt now would hit it."""
    GONE = auto()
    """Was active and is no longer: its response is being encoded."""


class _Owner(Enum):
    OURS = auto()
    STRANGER = auto()
    DOUBTFUL = auto()
    """Began while our answer was still out: either ours has ended and is being encoded, or what we took for ours was
    somebody else's. An interrupt could hit a stranger, so it does not count as ours yet.
    """


@dataclass(frozen=True, slots=True)
class _Span:
    """Between when and when, by our clock, the job began. No other job begins within both."""

    earliest: float
    latest: float

    def meets(self, other: "_Span") -> bool:
        return self.earliest <= other.latest and other.earliest <= self.latest


class Attribution:
    """Judges the documents polled between one POST and its answer. `job` is the server's word for our kind of POST.

    A poll was sent at `asked_at` and answered at `now`.
    """

    def __init__(self, *, job: str) -> None:
        self._job = job
        self._last: GlobalProgress | None = None
        self._begun: _Span | None = None
        self._owner = _Owner.STRANGER
        self._was_ours = False
        self._changed_at = 0.0

    def note_before(self, document: GlobalProgress, *, asked_at: float, now: float) -> None:
        """What was polled just before our POST: a job that runs already is a stranger's."""
        if not document.is_idle:
            self._remember(document, _span(document, asked_at, now))

    def judge(self, document: GlobalProgress, *, asked_at: float, now: float) -> Standing:
        if document.is_idle:
            self._last = None
            return self._away(Standing.UNSEEN)
        span = _span(document, asked_at, now)
        if self._is_another_job(document, span):
            self._owner = _Owner.DOUBTFUL if self._was_ours else _Owner.OURS
            self._changed_at = now
            self._begun = None
        elif self._owner is _Owner.DOUBTFUL and now - self._changed_at >= DOUBT_S:
            self._owner = _Owner.OURS
        if not self._looks_ours(document):
            # Its name may come late: what was taken for ours never was.
            self._was_ours = self._was_ours and self._owner is not _Owner.OURS
            self._owner = _Owner.STRANGER
        self._remember(document, span)
        if self._owner is not _Owner.OURS:
            return self._away(Standing.QUEUED)
        self._was_ours = True
        return Standing.ACTIVE

    def _remember(self, document: GlobalProgress, span: _Span | None) -> None:
        self._last = document
        self._begun = span or self._begun

    def _away(self, standing: Standing) -> Standing:
        return Standing.GONE if self._was_ours else standing

    def _is_another_job(self, document: GlobalProgress, span: _Span | None) -> bool:
        last = self._last
        if last is None or last.timestamp != document.timestamp:
            return True
        # Timestamps are in whole seconds, and several short jobs fit into one.
        if span is not None and self._begun is not None and not span.meets(self._begun):
            return True
        has_begun_again = document.job_count < 0 < last.job_count
        return has_begun_again or (document.job_no, document.step) < (last.job_no, last.step)

    def _looks_ours(self, document: GlobalProgress) -> bool:
        if document.job.startswith("Batch "):
            return False  # n_iter above 1, which we never use
        if document.job.startswith("scripts_"):
            return document.job == self._job
        # SD.Next has other names, and for a moment at its begin a job has none.
        return document.job not in ("extras", "Upscale")


def _span(document: GlobalProgress, asked_at: float, now: float) -> _Span | None:
    """None where the document does not tell. Measured over 2000 polls: those of one job always meet."""
    if document.elapsed_s is None:
        return None
    return _Span(asked_at - document.elapsed_s - SLACK_S, now - document.elapsed_s + SLACK_S)
