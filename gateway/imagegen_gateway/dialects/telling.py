"""How a job stands, in a line for a person. Pure."""

from imagegen.v1 import event_pb2, job_pb2
from imagegen_client.specs import count_of
from imagegen_gateway.dialects.rendering import Moment
from imagegen_gateway.errors import from_status

REASONS: dict[int, str] = {
    job_pb2.WAIT_REASON_NO_BACKEND: "no backend is there for it",
    job_pb2.WAIT_REASON_PAUSED: "paused",
    job_pb2.WAIT_REASON_QUEUE_PAUSED: "the queue is paused",
    job_pb2.WAIT_REASON_RETRY_DELAY: "trying again in a moment",
    job_pb2.WAIT_REASON_OWNER_LIMIT: "waiting for another of your pictures",
}
PHASES: dict[int, str] = {
    job_pb2.PHASE_PREPARING: "Preparing",
    job_pb2.PHASE_WAITING: "Waiting for the backend",
    job_pb2.PHASE_LOADING_MODEL: "Loading the model",
    job_pb2.PHASE_ENCODING: "Reading the prompt",
    job_pb2.PHASE_SAMPLING: "Sampling",
    job_pb2.PHASE_DECODING: "Decoding",
    job_pb2.PHASE_PROCESSING: "Working",
    job_pb2.PHASE_SAVING: "Saving",
}
TROUBLES: dict[str, str] = {
    "BACKEND_UNREACHABLE": "went away",
    "ATTEMPT_LOST": "was restarted",
    "ATTEMPT_UNCERTAIN": "went away",
    "BACKEND_OUT_OF_MEMORY": "ran out of memory",
    "BACKEND_GPU_FAULT": "has a broken GPU",
}
"""What happened to a backend, by the reason of an attempt's error; others: it failed."""
ENDS: dict[int, str] = {
    job_pb2.JOB_STATE_SUCCEEDED: "Done",
    job_pb2.JOB_STATE_FAILED: "Failed",
    job_pb2.JOB_STATE_CANCELLED: "Cancelled",
    job_pb2.JOB_STATE_EXPIRED: "Expired",
}


def tell(moment: Moment) -> str:
    """As "Queued, 3rd, about 40 s" or "Sampling 7/20, 35 %"."""
    if moment.state in ENDS:
        return ENDS[moment.state]
    if moment.state == job_pb2.JOB_STATE_CANCELLING:
        return "Cancelling"
    if moment.state == job_pb2.JOB_STATE_QUEUED:
        return tell_queue(moment.queue)
    if moment.progress is not None:
        return tell_progress(moment.progress, count=max(1, count_of(moment.job.spec)))
    return "Loading the model" if moment.is_loading_model else "Starting"


def tell_trouble(failed: event_pb2.AttemptFailed) -> str:
    """As "Backend b1 went away, trying again"; empty for what ends the job."""
    if not failed.will_retry:
        return ""
    trouble = TROUBLES.get(from_status(failed.attempt.error).reason, "failed")
    return f"Backend {failed.attempt.backend} {trouble}, trying again"


def tell_end(job: job_pb2.Job) -> str:
    """As "Done, 12 s": how a job ended, and how long its work took."""
    seconds = (job.end_time.ToDatetime() - job.start_time.ToDatetime()).total_seconds()
    if job.state != job_pb2.JOB_STATE_SUCCEEDED or not job.HasField("start_time"):
        return ENDS[job.state]
    return f"Done, {lasted(seconds)}"


def tell_queue(queue: job_pb2.QueueInfo | None) -> str:
    """Place, reason and expected time, as far as they are known."""
    parts = ["Queued"]
    if queue is None:
        return parts[0]
    if queue.reason in REASONS:
        parts.append(REASONS[queue.reason])
    elif queue.ahead:
        parts.append(ordinal(queue.ahead + 1))
    else:
        parts.append("next")
    if queue.HasField("finish_eta"):
        parts.append(about(queue.finish_eta.ToTimedelta().total_seconds()))
    return ", ".join(parts)


def tell_progress(progress: job_pb2.Progress, *, count: int) -> str:
    """Phase, step and share; which image when there are several."""
    phase = PHASES.get(progress.phase, "Working")
    step = f" {progress.step}/{progress.steps}" if progress.steps else ""
    parts = [phase + step]
    if count > 1:
        parts.append(f"image {progress.image_index + 1} of {count}")
    if progress.fraction > 0:
        parts.append(f"{int(progress.fraction * 100)} %")
    return ", ".join(parts)


def ordinal(number: int) -> str:
    """1st, 2nd, 3rd, 11th."""
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th") if number % 100 not in {11, 12, 13} else "th"
    return f"{number}{ending}"


def about(seconds: float) -> str:
    """A time no finer than it is known."""
    if seconds < 10:
        return f"about {max(1, round(seconds))} s"
    if seconds < 90:
        return f"about {round(seconds / 5) * 5} s"
    if seconds < 90 * 60:
        return f"about {round(seconds / 60)} min"
    return f"about {round(seconds / 3600)} h"


def lasted(seconds: float) -> str:
    """A time that was measured."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min"
