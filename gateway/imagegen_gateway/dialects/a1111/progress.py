"""How a request stands, in the two documents of A1111. Pure.

Numbers are those of the job as the server tells them. `job_count` counts pictures, because here each is a pass of its
own. The estimate is A1111's, elapsed time over progress: programs compute the elapsed time back from it.
"""

import base64
from dataclasses import dataclass
from typing import Any, Final

from imagegen.v1 import event_pb2, job_pb2
from imagegen_gateway.dialects.a1111.desk import AT_WORK, Work
from imagegen_gateway.dialects.rendering import Moment
from imagegen_gateway.dialects.telling import tell, tell_progress

BEGUN: Final = 0.01
"""What A1111 shows as soon as a job has begun."""
WAITING: Final = "Waiting..."


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskQuestion:
    """What somebody asks about a task."""

    task_id: str
    preview_id: int
    """The newest preview that it has; -1: none."""
    with_preview: bool


def global_progress(shown: Work | None, last: Work | None, *, now_s: float, with_preview: bool) -> dict[str, Any]:
    """`GET progress`: the client's request at work, or what is left of its last one."""
    if shown is None or not shown.is_at_work:
        return _idle(shown, last)
    progress = max(BEGUN, share_of(shown))
    preview = shown.preview if with_preview else None
    return {
        "progress": progress,
        "eta_relative": _left_s(shown, progress, now_s) or 0.0,
        "state": _state(shown) | {"job": _job_name(shown), "job_count": _job_count(shown)},
        "current_image": _bare(preview) if preview is not None else None,
        "textinfo": _told(shown),
    }


def _idle(waiting: Work | None, last: Work | None) -> dict[str, Any]:
    moment = waiting.moment if waiting is not None else None
    return {
        "progress": 0.0,
        "eta_relative": _foreseen_s(moment),
        "state": _state(last) | {"job": "", "job_count": 0},
        "current_image": None,
        "textinfo": tell(moment) if moment is not None else None,
    }


def _state(work: Work | None) -> dict[str, Any]:
    progress = work.progress if work is not None else None
    return {
        "skipped": work is not None and work.is_skipped,
        "interrupted": work is not None and work.is_interrupted,
        "stopping_generation": False,
        "job": "",
        "job_count": 0,
        "job_timestamp": work.timestamp if work is not None else "0",
        "job_no": work.image_index if work is not None else 0,
        "sampling_step": progress.step if progress is not None else 0,
        "sampling_steps": progress.steps if progress is not None else 0,
    }


def _job_name(work: Work) -> str:
    return work.kind if work.count <= 1 else f"Batch {work.image_index + 1} out of {work.count}"


def _job_count(work: Work) -> int:
    """-1 while a model is loaded, or whatever comes before the first step."""
    return work.count if work.span.start or work.progress is not None else -1


def share_of(work: Work) -> float:
    """The share of a request that is done, over all its jobs."""
    fraction = work.progress.fraction if work.progress is not None else 0.0
    return min(1.0, (work.span.start + fraction * len(work.span)) / work.count)


def _told(work: Work) -> str | None:
    """How it stands in words, with the numbers of the whole request."""
    if work.moment is None:
        return None
    if work.moment.state != job_pb2.JOB_STATE_RUNNING or work.progress is None:
        return tell(work.moment)
    progress = job_pb2.Progress()
    progress.CopyFrom(work.progress)
    progress.image_index, progress.fraction = work.image_index, share_of(work)
    return tell_progress(progress, count=work.count)


def _left_s(work: Work, progress: float, now_s: float) -> float | None:
    if work.began_s is None or progress <= 0:
        return None
    elapsed_s = now_s - work.began_s
    return elapsed_s / progress - elapsed_s


def _foreseen_s(moment: Moment | None) -> float:
    if moment is None or moment.queue is None or not moment.queue.HasField("finish_eta"):
        return 0.0
    return moment.queue.finish_eta.ToTimedelta().total_seconds()


# --- one task ---


def unknown_task(*, is_completed: bool = False) -> dict[str, Any]:
    """`POST internal/progress` for a task that nobody has heard of, that has failed, or that is completed."""
    return {
        "active": False,
        "queued": False,
        "completed": is_completed,
        "progress": None,
        "eta": None,
        "live_preview": None,
        "id_live_preview": -1,
        "textinfo": WAITING,
    }


def task_progress(work: Work, question: TaskQuestion, *, now_s: float) -> dict[str, Any]:
    """The same for a task that waits or is at work."""
    moment = work.moment
    if not work.is_at_work:
        text = tell(moment) if moment is not None else WAITING
        return unknown_task() | {"queued": True, "textinfo": text}
    share = share_of(work)
    return unknown_task() | {
        "active": True,
        "progress": share,
        "eta": _left_s(work, share, now_s),
        "textinfo": _told(work),
        **_live_preview(work.preview, question),
    }


def stored_task(job: job_pb2.Job, moment: Moment | None, question: TaskQuestion, *, age_s: float) -> dict[str, Any]:
    """The same for a task that only the server remembers."""
    if moment is None or moment.is_last:
        return unknown_task(is_completed=job.state in {job_pb2.JOB_STATE_SUCCEEDED, job_pb2.JOB_STATE_CANCELLED})
    count = max(1, job.spec.image.count)
    work = Work("", count, job_id=job.job_id, span=range(count), moment=moment, progress=moment.progress)
    work.preview = moment.preview
    work.began_s = 0.0 if moment.state in AT_WORK else None
    return task_progress(work, question, now_s=age_s)


def _live_preview(preview: event_pb2.Preview | None, question: TaskQuestion) -> dict[str, Any]:
    if preview is None or not question.with_preview or preview.frame == question.preview_id:
        return {"id_live_preview": question.preview_id}
    return {
        "id_live_preview": preview.frame,
        "live_preview": f"data:{preview.media_type};base64,{_bare(preview)}",
    }


def _bare(preview: event_pb2.Preview) -> str:
    return base64.b64encode(preview.data).decode("ascii")
