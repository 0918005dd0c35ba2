"""The queue in numbers and in its order, and where a job is to be moved."""

from collections import Counter
from collections.abc import Iterable, Sequence

from imagegen.v1 import queue_pb2
from imagegen_server.jobs import Job, JobState, Move, MoveKind
from imagegen_server.quotas import Quotas
from imagegen_server.scheduling import Place
from imagegen_server.wire.events import encode_place
from imagegen_server.wire.scalars import to_timestamp


def encode_queue(
    jobs: Sequence[Job], quotas: Quotas, *, is_paused: bool, paused_owners: Iterable[str]
) -> queue_pb2.Queue:
    """`jobs`: those that have not ended."""
    queued = [job for job in jobs if job.state is JobState.QUEUED]
    others = [job for job in jobs if job.state is not JobState.QUEUED]
    cancelling = sum(job.state is JobState.CANCELLING for job in others)
    return queue_pb2.Queue(
        paused=is_paused,
        paused_owners=paused_owners,
        queued=len(queued),
        running=len(others) - cancelling,
        cancelling=cancelling,
        max_queued=quotas.max_queued_jobs,
        owners=_owner_counts(queued, others, quotas),
        models=_model_counts(queued, others),
        oldest_create_time=to_timestamp(min(job.create_time for job in queued)) if queued else None,
    )


def encode_entry(job: Job, place: Place | None) -> queue_pb2.QueueEntry:
    return queue_pb2.QueueEntry(
        job_id=job.job_id,
        owner=job.owner,
        priority=job.spec.priority,
        model=job.spec.model,
        create_time=to_timestamp(job.create_time),
        paused=job.is_paused,
        queue=encode_place(place),
    )


def decode_move(request: queue_pb2.MoveJobRequest, time: float) -> Move | None:
    """Where the job is to go; None: it lines up anew."""
    match request.WhichOneof("to"):
        case "before_job_id":
            return Move(kind=MoveKind.BEFORE, time=time, anchor=request.before_job_id)
        case "after_job_id":
            return Move(kind=MoveKind.AFTER, time=time, anchor=request.after_job_id)
        case _:
            is_first = request.end == queue_pb2.QUEUE_END_FIRST
            return Move(kind=MoveKind.FIRST, time=time) if is_first else None


def _owner_counts(queued: Iterable[Job], others: Iterable[Job], quotas: Quotas) -> list[queue_pb2.OwnerCount]:
    waiting, running = Counter(job.owner for job in queued), Counter(job.owner for job in others)
    return [
        queue_pb2.OwnerCount(
            owner=owner,
            queued=waiting[owner],
            running=running[owner],
            max_queued=quotas.of(owner).max_queued_jobs,
            max_running=quotas.of(owner).max_running_jobs,
            weight=quotas.of(owner).weight,
        )
        for owner in sorted(waiting | running)
    ]


def _model_counts(queued: Iterable[Job], others: Iterable[Job]) -> list[queue_pb2.ModelCount]:
    waiting, running = Counter(job.spec.model for job in queued), Counter(job.spec.model for job in others)
    return [
        queue_pb2.ModelCount(model=model, queued=waiting[model], running=running[model])
        for model in sorted(waiting | running)
    ]
