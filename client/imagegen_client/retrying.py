"""When a failed call is tried again. Pure: time and chance are arguments."""

from dataclasses import dataclass

import grpc

from imagegen_client.errors import ImagegenError

MAX_RESETS = 5
"""How often in a row a stream reset without a reason is taken for a mishap of the transport."""

_RESET_CODES = frozenset({grpc.StatusCode.INTERNAL, grpc.StatusCode.CANCELLED, grpc.StatusCode.UNKNOWN})


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Exponential pauses between tries. Jitter takes away up to half, so that many clients do not come at once."""

    first_s: float = 0.1
    """Longest first pause."""
    longest_s: float = 5.0
    """No pause is longer, except where the server asks for it."""

    def delay_s(self, failures: int, *, jitter: float, retry_after_s: float | None = None) -> float:
        """The pause after so many failures in a row, from 1; `jitter` is a random number from 0 to 1."""
        grown = min(self.longest_s, self.first_s * 2.0 ** min(failures - 1, 30))
        return (retry_after_s or 0.0) + grown * (1 - jitter / 2)


class Retry:
    """Counts the failures of one call or stream, and decides after each of them.

    Tried again are: a server that is not there (UNAVAILABLE, unless it says so of a backend); a refusal of a stream
    with a time to come back (RESOURCE_EXHAUSTED with RetryInfo); a reset by the transport (INTERNAL, CANCELLED or
    UNKNOWN without a reason of ours), at most MAX_RESETS times in a row. Everything else is an answer.
    """

    def __init__(self, backoff: Backoff, *, give_up_after_s: float | None, is_stream: bool = False) -> None:
        self._backoff = backoff
        self._give_up_after_s = give_up_after_s
        self._is_stream = is_stream
        self._failures = 0
        self._failing_since = 0.0

    def succeeded(self) -> None:
        """Something came through: patience begins anew."""
        self._failures = 0

    def delay_s(self, error: ImagegenError, *, now: float, jitter: float) -> float | None:
        """The pause before the next try; None: give up."""
        if self._failures == 0:
            self._failing_since = now
        self._failures += 1
        if not self._may_pass(error):
            return None
        delay = self._backoff.delay_s(self._failures, jitter=jitter, retry_after_s=error.retry_after_s)
        if self._give_up_after_s is not None and now + delay - self._failing_since > self._give_up_after_s:
            return None
        return delay

    def _may_pass(self, error: ImagegenError) -> bool:
        if error.code is grpc.StatusCode.RESOURCE_EXHAUSTED:
            return self._is_stream and error.retry_after_s is not None
        if error.code in _RESET_CODES:
            return not error.reason and self._failures <= MAX_RESETS
        return error.code is grpc.StatusCode.UNAVAILABLE and error.reason != "BACKEND_UNREACHABLE"
