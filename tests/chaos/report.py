"""A run in one line."""

from collections import Counter

from imagegen.v1.job_pb2 import JobState
from tests.chaos.checks import reason_of
from tests.chaos.evidence import Evidence
from tests.chaos.plan import SERVER, Way


def summary(evidence: Evidence) -> str:
    jobs = list(evidence.jobs.values())
    states = Counter(JobState.Name(job.state).removeprefix("JOB_STATE_").lower() for job in jobs)
    incidents = Counter(f"{each.kind} {each.target}" for each in evidence.incidents)
    failed = Counter(reason_of(each.error) for job in jobs for each in job.attempts if each.HasField("error"))
    adopted = sum("attempt adopted" in line for line in evidence.lines.get(SERVER, []))
    over_http = [each for each in evidence.watched if each.way is Way.HTTP]
    parts = (
        f"{len(jobs)} jobs ({_listed(states)})",
        f"{len(evidence.incidents)} disturbances ({_listed(incidents)})",
        f"{sum(max(0, len(job.attempts) - 1) for job in jobs)} retries; failed attempts: {_listed(failed) or 'none'}",
        f"{adopted} adopted attempts",
        f"{len(evidence.watched)} watchers, {sum(each.resumed for each in over_http)} streams resumed over HTTP",
    )
    return "; ".join(parts)


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
