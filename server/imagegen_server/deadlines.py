"""When a job has taken too long. Pure."""

from imagegen_server.jobs import Failure, Job, JobState


def next_deadline(job: Job) -> tuple[float, Failure] | None:
    """The time at which the job is to end if nothing happens, and why; None: it has no such time."""
    if job.state not in {JobState.QUEUED, JobState.RUNNING}:
        return None
    spec = job.spec
    if job.start_time is None:
        if spec.start_deadline_s is None:
            return None
        message = f"no backend began with the job within {_seconds(spec.start_deadline_s)} of its creation"
        return job.create_time + spec.start_deadline_s, Failure(reason="START_DEADLINE_PASSED", message=message)
    if spec.execution_deadline_s is None:
        return None
    message = f"the job did not end within {_seconds(spec.execution_deadline_s)} of its first attempt"
    return job.start_time + spec.execution_deadline_s, Failure(reason="EXECUTION_DEADLINE_PASSED", message=message)


def _seconds(seconds: float) -> str:
    return f"{seconds:g} s"
