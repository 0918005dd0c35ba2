"""Which limit a job would exceed, and when to ask again."""

import pytest

from imagegen_server.config import OwnerSettings
from imagegen_server.quotas import Quotas, refusal, retry_after_s

QUOTAS = Quotas(
    max_queued_jobs=5,
    owners={
        "anna": OwnerSettings(max_queued_jobs=2, max_running_jobs=1, weight=2.0),
        "free": OwnerSettings(),
        "*": OwnerSettings(max_queued_jobs=1),
    },
)


@pytest.mark.parametrize(
    ("owner", "queued", "of_owner", "reason"),
    [
        ("anna", 1, 1, None),
        ("anna", 2, 2, "QUOTA_EXCEEDED"),
        ("anna", 5, 1, "QUEUE_FULL"),
        ("anna", 5, 2, "QUOTA_EXCEEDED"),
        ("free", 4, 4, None),
        ("free", 5, 4, "QUEUE_FULL"),
        ("somebody", 0, 0, None),
        ("somebody", 1, 1, "QUOTA_EXCEEDED"),
        ("", 1, 1, "QUOTA_EXCEEDED"),
    ],
)
def test_the_limit_that_one_more_job_would_exceed(owner: str, queued: int, of_owner: int, reason: str | None) -> None:
    excess = QUOTAS.excess(owner, queued=queued, queued_of_owner=of_owner)
    assert (excess.reason if excess is not None else None) == reason


def test_an_owner_without_an_entry_has_that_of_everyone() -> None:
    assert QUOTAS.of("anna").weight == 2.0
    assert QUOTAS.of("somebody").max_queued_jobs == 1
    assert Quotas(max_queued_jobs=1).of("anna") == OwnerSettings()


def test_a_refusal_says_whose_limit_it_is_and_what_is_taken() -> None:
    of_owner = QUOTAS.excess("anna", queued=2, queued_of_owner=2)
    assert of_owner is not None
    assert (of_owner.subject, of_owner.description) == (
        "owner:anna",
        "2 jobs of this owner wait already; at most 2 may",
    )
    of_all = Quotas(max_queued_jobs=1).excess("anna", queued=1, queued_of_owner=0)
    assert of_all is not None
    refused = refusal(of_all, [30.0])
    assert (refused.reason, str(refused), refused.excess, refused.retry_after_s) == (
        "QUEUE_FULL",
        "1 job waits already; at most 1 may; try again later",
        of_all,
        30.0,
    )


@pytest.mark.parametrize(
    ("starts", "expected"),
    [([], 10.0), ([None], 10.0), ([None, 7.5, 20.0], 7.5), ([0.0, 50.0], 1.0), ([1000.0], 60.0)],
)
def test_it_is_worth_asking_again_when_the_first_of_them_starts(starts: list[float | None], expected: float) -> None:
    assert retry_after_s(starts) == expected
