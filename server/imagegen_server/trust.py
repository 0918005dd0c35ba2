"""How far a backend that answers is trusted, by what became of it before. Pure: time is an argument.

A backend that failed is taken back as soon as it answers well, but for two reasons it may be held for a while:

* Its device failed, which an answer does not show. This hold ends early when the process has restarted.
* It died or broke a job again within a minute of being taken back. Each such relapse holds it twice as long as the one
  before, up to a minute; one that stays well for a minute begins anew.
"""

from dataclasses import dataclass, replace
from typing import Final

STABLE_S: Final = 60.0
"""Well for so long after it was taken back, a backend is as good as one that never failed."""
LONGEST_HOLD_S: Final = 60.0
"""For relapses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """What is remembered of a backend's failures."""

    device_hold_until: float = 0.0
    relapse_hold_until: float = 0.0
    relapses: int = 0
    """In a row."""
    taken_back_at: float | None = None
    """When it was last taken back after a failure; None while it has not been."""

    def hold_left_s(self, now: float) -> float:
        """How long it is not trusted yet, whatever it answers; 0: it is."""
        return max(0.0, self.device_hold_until - now, self.relapse_hold_until - now)

    def after_failure(self, now: float, *, first_hold_s: float) -> "Trust":
        """It was trusted and did harm. `first_hold_s` is what the first relapse costs."""
        if self.taken_back_at is None or now - self.taken_back_at >= STABLE_S:
            return replace(self, relapses=0, taken_back_at=None)
        hold_s = min(first_hold_s * 2.0**self.relapses, LONGEST_HOLD_S)
        return replace(self, relapses=self.relapses + 1, relapse_hold_until=now + hold_s, taken_back_at=None)

    def after_device_failure(self, now: float, hold_s: float) -> "Trust":
        return replace(self, device_hold_until=max(self.device_hold_until, now + hold_s))

    def after_restart(self) -> "Trust":
        """Its device was opened anew."""
        return replace(self, device_hold_until=0.0)

    def after_return(self, now: float) -> "Trust":
        """It failed, answers well, and is trusted again."""
        return replace(self, taken_back_at=now)
