"""What the tests of the server's core are made from."""

import pickle
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

from imagegen_adapters.contract import Handle, ImageParameters
from imagegen_server.happenings import AttemptBegan, DurableEvent
from imagegen_server.history import Record
from imagegen_server.jobs import Asset, AssetOrigin, Failure, Job, JobSpec, JobState

FAILURE = Failure(reason="NODE_FAILED", message="a node failed")
DIGEST = "ab" * 32


def a_job(job_id: str = "job-1", *, prompt: str = "a red fox", create_time: float = 1000.0, **fields: Any) -> Job:
    """A job that was just asked for."""
    spec = fields.pop("spec", None) or JobSpec(source=ImageParameters(prompt=prompt), labels=fields.pop("labels", {}))
    return Job(job_id=job_id, spec=spec, state=JobState.QUEUED, create_time=create_time, **fields)


def began(job: Job, attempt_id: str = "attempt") -> AttemptBegan:
    handle = Handle(remote_id=attempt_id)
    return AttemptBegan(attempt_id=attempt_id, backend="demo", handle=handle, slice=job.spec.everything)


def an_asset(digest: str = DIGEST, **fields: Any) -> Asset:
    known: dict[str, Any] = {
        "digest": digest,
        "size_bytes": 3,
        "media_type": "image/png",
        "width": 8,
        "height": 8,
        "create_time": 1000.0,
        "origin": AssetOrigin.OUTPUT,
    }
    return Asset(**known | fields)


def a_record(position: int, job_id: str = "job-1", **fields: Any) -> Record:
    known: dict[str, Any] = {
        "position": position,
        "job_id": job_id,
        "owner": "",
        "sequence": position,
        "kind": "plan",
        "data": b"",
    }
    return Record(**known | fields)


class PickleCodec:
    """Stands for the translation of jobs to protobuf."""

    def encode(self, job: Job) -> bytes:
        return pickle.dumps(job)

    def decode(self, data: bytes) -> Job:
        job: Job = pickle.loads(data)
        return job


def encode_event(event: DurableEvent, token: str) -> bytes:
    """Stands for the translation of events to protobuf."""
    return pickle.dumps((event, token))


def decode_event(data: bytes) -> tuple[DurableEvent, str]:
    decoded: tuple[DurableEvent, str] = pickle.loads(data)
    return decoded


@dataclass(frozen=True)
class Said:
    """An ephemeral payload."""

    what: object

    def encode(self, *, sequence: int, token: str, variant: Hashable) -> bytes:
        return pickle.dumps((self.what, sequence, token, variant))
