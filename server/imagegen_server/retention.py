"""What goes when there is too much, or it is too old.

The rules:

1. Of what goes, the oldest goes first, and never more than the policy asks for.
2. A job that has not ended never goes, nor do its events, its inputs and what it has made so far.
3. Jobs grow old by their end, assets by when their bytes were stored last. Whoever stores a picture again keeps it.
4. An asset stays for a while, whatever the policy says: an upload waits for its job, and a result for the write that
   adds it to its job. Unless somebody has deleted it.
5. Favorites never go. What was deleted goes when its time is over, and before all else when room is short.
6. Where a clock was wrong, things stay longer rather than shorter: what ended behind a job does not go before it.

Pure. Times are seconds since the Unix epoch.
"""

from collections.abc import Container, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Final

from imagegen_server.stores.model import EndedJob, KeptAsset

GRACE_S: Final = 600.0
"""Every asset stays for so long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How long, and how much. 0: without limit, but for `keep_deleted_s`."""

    keep_jobs: int = 0
    """How many ended jobs."""
    keep_jobs_s: float = 0.0
    keep_events_s: float = 0.0
    """The events of ended jobs, but the last."""
    keep_assets_s: float = 0.0
    keep_assets_bytes: int = 0
    keep_deleted_s: float = 86_400.0
    """How long what was deleted can be brought back; 0: not at all."""


def jobs_to_delete(policy: Policy, now: float, oldest: Sequence[EndedJob], *, count: int) -> Sequence[EndedJob]:
    """Those that go of the oldest ended jobs, in the order of their ends; `count`: how many have ended in all."""
    too_many = max(0, count - policy.keep_jobs) if policy.keep_jobs else 0
    too_old = _aged(oldest, now, policy.keep_jobs_s)
    return oldest[: max(too_many, too_old)]


def jobs_to_compact(policy: Policy, now: float, oldest: Sequence[EndedJob]) -> Sequence[EndedJob]:
    """Those that lose their events of the oldest that have them, in the order of their ends."""
    return oldest[: _aged(oldest, now, policy.keep_events_s)]


def assets_to_delete(
    policy: Policy, now: float, oldest: Sequence[KeptAsset], *, total_bytes: int, needed: Container[str]
) -> list[KeptAsset]:
    """Those that go of the oldest assets, or of the first deleted, in order.

    `total_bytes`: of all that are stored; `needed`: digests.
    """
    going = []
    for asset in oldest:
        if not is_surplus(policy, now, asset, total_bytes=total_bytes):
            break
        if asset.digest not in needed:
            going.append(asset)
            total_bytes -= asset.size_bytes
    return going


def is_surplus(policy: Policy, now: float, oldest: KeptAsset, *, total_bytes: int) -> bool:
    """Whether the oldest asset, or the first deleted, is too old, or there are too many bytes."""
    is_too_much = 0 < policy.keep_assets_bytes < total_bytes
    if oldest.delete_time is not None:
        return is_too_much or oldest.delete_time <= now - policy.keep_deleted_s
    if oldest.kept_since >= now - GRACE_S:
        return False
    is_too_old = bool(policy.keep_assets_s) and oldest.kept_since < now - policy.keep_assets_s
    return is_too_old or is_too_much


def _aged(oldest: Sequence[EndedJob], now: float, keep_s: float) -> int:
    """How many at the beginning ended longer ago than that."""
    if not keep_s:
        return 0
    return sum(1 for _ in takewhile(lambda job: job.end_time < now - keep_s, oldest))
