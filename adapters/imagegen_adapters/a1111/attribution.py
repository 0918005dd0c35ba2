"""Whose job the global progress document is about, where the server has no task ids."""

from enum import Enum, auto

from imagegen_adapters.a1111.protocol import GlobalProgress

DOUBT_S = 15.0
"""How long a response may take to be encoded at most, while the next job already runs."""


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


class Attribution:
    """Judges the documents polled between one POST and its answer.

    `job` is the server's word for the kind of our POST; `baseline` was polled just before it.
    """

    def __init__(self, *, job: str, baseline: GlobalProgress | None) -> None:
        self._job = job
        self._foreign = {baseline.timestamp} if baseline is not None and not baseline.is_idle else set()
        self._ours: str | None = None
        self._doubt_since: float | None = None

    def judge(self, document: GlobalProgress, now: float) -> Standing:
        stamp = document.timestamp
        if document.is_idle:
            return self._away(Standing.UNSEEN)
        if stamp in self._foreign or not self._looks_ours(document):
            self._foreign.add(stamp)
            return self._away(Standing.QUEUED)
        if self._ours in (None, stamp) or self._is_doubt_over(now):
            self._ours, self._doubt_since = stamp, None
            return Standing.ACTIVE
        # Another job began while our answer is still out: either ours has ended and is being encoded, or what we took
        # for ours was somebody else's. An interrupt could hit a stranger, so this one does not count as ours yet.
        self._doubt_since = now if self._doubt_since is None else self._doubt_since
        return Standing.GONE

    def _away(self, standing: Standing) -> Standing:
        return standing if self._ours is None else Standing.GONE

    def _looks_ours(self, document: GlobalProgress) -> bool:
        if document.job.startswith("Batch "):
            return False  # n_iter above 1, which we never use
        if document.job.startswith("scripts_"):
            return document.job == self._job
        # SD.Next has other names, and for a moment at its begin a job has none.
        return document.job not in ("extras", "Upscale")

    def _is_doubt_over(self, now: float) -> bool:
        return self._doubt_since is not None and now - self._doubt_since >= DOUBT_S
