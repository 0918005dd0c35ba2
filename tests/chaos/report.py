"""A run in one line."""

import statistics
from collections import Counter
from collections.abc import Iterator

from imagegen.v1.job_pb2 import JobState
from tests.chaos.evidence import Evidence
from tests.chaos.plan import SERVER, Owner, Way, WishKind
from tests.chaos.reading import reason_of, unix


def summary(evidence: Evidence) -> str:
    jobs = list(evidence.jobs.values())
    states = Counter(JobState.Name(job.state).removeprefix("JOB_STATE_").lower() for job in jobs)
    incidents = Counter(f"{each.kind} {each.target}" for each in evidence.incidents)
    failed = Counter(reason_of(each.error) for job in jobs for each in job.attempts if each.HasField("error"))
    spread = sum(len({attempt.first_image for attempt in job.attempts}) > 1 for job in jobs)
    told = evidence.lines.get(SERVER, [])
    adopted = sum("attempt adopted" in line for line in told)
    forsaken = sum("forsaken attempt stopped" in line for line in told)
    over_http = [each for each in evidence.watched if each.way is Way.HTTP]
    parts = (
        f"{len(jobs)} jobs ({_listed(states)})",
        f"{len(evidence.incidents)} disturbances ({_listed(incidents)})",
        f"wishes granted: {_listed(evidence.granted)}; too late: {_listed(evidence.too_late)}",
        f"{sum(len(job.attempts) for job in jobs)} attempts; failed: {_listed(failed)}",
        f"{spread} jobs in several slices, {adopted} attempts adopted, {forsaken} forsaken and stopped",
        f"{len(evidence.watched)} watchers, {sum(each.resumed for each in over_http)} streams resumed over HTTP",
        f"mean wait: {', '.join(_waits(evidence))}",
    )
    return "; ".join(parts)


def _waits(evidence: Evidence) -> Iterator[str]:
    for owner in Owner:
        waits = [
            unix(job.start_time) - unix(job.create_time)
            for job in evidence.jobs.values()
            if job.owner == owner and job.HasField("start_time")
        ]
        if waits:
            yield f"{owner} {statistics.mean(waits):.1f} s"


def _listed(counts: Counter[str] | Counter[WishKind]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "none"
