"""When a job has taken too long. Pure."""

from imagegen_server.jobs import Failure, Job, JobState


def next_deadline(job: Job) -> tuple[float, Failure] | None:
    """The time at which the job is to end if nothing happens, and why; None: it has no such time."""
    spec = job.spec
    limit_s = spec.start_deadline_s if job.start_time is None else spec.execution_deadline_s
    if limit_s is None or job.state not in {JobState.QUEUED, JobState.RUNNING}:
        return None
    if job.start_time is None:
        message = f"no backend began with the job within {limit_s:g} s of its creation"
        return job.create_time + limit_s, Failure(reason="START_DEADLINE_PASSED", message=message)
    message = f"the job did not end within {limit_s:g} s of its first attempt"
    return job.start_time + limit_s, Failure(reason="EXECUTION_DEADLINE_PASSED", message=message)
