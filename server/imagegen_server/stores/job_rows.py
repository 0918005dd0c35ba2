"""Jobs and their events as rows."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, delete, exists, func, insert, select, update

from imagegen_adapters.contract import ImageParameters
from imagegen_server.history import Record, Scope
from imagegen_server.jobs import Job, JobSpec
from imagegen_server.reuse import is_complete, key_of
from imagegen_server.stores import meta_rows
from imagegen_server.stores.model import JobCodec, JobFilter, JobWrite, StoredJob
from imagegen_server.stores.schema import events, job_assets, job_labels, jobs

# Statements that are needed all the time are built once: building takes longer than running.
_STORED: Select[Any] = select(jobs.c.record, jobs.c.request_digest, jobs.c.first_position, jobs.c.end_position)
_JOB = _STORED.where(jobs.c.job_id == bindparam("of_job"))
_REQUEST = _STORED.where(jobs.c.owner == bindparam("of_owner"), jobs.c.request_id == bindparam("of_request"))
_NEW_JOB, _NEW_EVENT, _LABEL, _HOLD_ASSET = insert(jobs), insert(events), insert(job_labels), insert(job_assets)
_UPDATE = (
    update(jobs)
    .where(jobs.c.job_id == bindparam("of_job"))
    .values({name: bindparam(name) for name in ("state", "end_time", "end_position", "spec_digest", "record")})
)
_UNLABEL = delete(job_labels).where(job_labels.c.job_id == bindparam("of_job"))
_RELEASE_ASSETS = delete(job_assets).where(job_assets.c.job_id == bindparam("of_job"))


def write_jobs(connection: Connection, codec: JobCodec, writes: Sequence[JobWrite]) -> None:
    """Of a job that is written more than once, only the newest version takes the trouble of being encoded."""
    if not writes:
        return
    created = {write.job.job_id: write for write in writes if write.is_new}
    newest = {write.job.job_id: write for write in writes}
    changed = [write for job_id, write in newest.items() if job_id not in created]
    unfinished = [newest[job_id].job for job_id in created if not newest[job_id].job.state.is_final]
    ended = [write.job for write in changed if write.job.state.is_final]
    # Whatever changes labels tells so.
    updated = {record.job_id for write in writes for record in write.records if record.kind == "updated"}
    relabelled = sorted(updated - created.keys())
    _execute(connection, _NEW_JOB, [_new_row(write, newest[job_id], codec) for job_id, write in created.items()])
    _execute(connection, _UPDATE, [{"of_job": w.job.job_id, **_changing_columns(w, codec)} for w in changed])
    _execute(connection, _UNLABEL, [{"of_job": job_id} for job_id in relabelled])
    labelled = [newest[job_id].job for job_id in (*created, *relabelled)]
    _execute(connection, _LABEL, [row for job in labelled for row in _label_rows(job)])
    _execute(
        connection,
        _HOLD_ASSET,
        [{"job_id": job.job_id, "digest": digest} for job in unfinished for digest in sorted(job.spec.digests)],
    )
    _execute(connection, _RELEASE_ASSETS, [{"of_job": job.job_id} for job in ended])
    _execute(connection, _NEW_EVENT, [_event_row(record) for write in writes for record in write.records])


def unfinished_jobs(connection: Connection, codec: JobCodec) -> list[StoredJob]:
    query = _STORED.where(jobs.c.end_position.is_(None)).order_by(jobs.c.first_position)
    return [_stored(row, codec) for row in connection.execute(query)]


def get_job(connection: Connection, codec: JobCodec, job_id: str) -> StoredJob | None:
    return _one(connection, codec, _JOB, {"of_job": job_id})


def find_request(connection: Connection, codec: JobCodec, owner: str, request_id: str) -> StoredJob | None:
    return _one(connection, codec, _REQUEST, {"of_owner": owner, "of_request": request_id})


def find_alike(connection: Connection, codec: JobCodec, keys: Sequence[bytes], limit: int) -> list[Job]:
    query = _STORED.where(jobs.c.spec_digest.in_(keys)).order_by(jobs.c.first_position.desc()).limit(limit)
    return [_stored(row, codec).job for row in connection.execute(query)]


def list_jobs(
    connection: Connection, codec: JobCodec, wanted: JobFilter, limit: int, before: int | None
) -> tuple[list[Job], int | None]:
    query = _STORED.order_by(jobs.c.first_position.desc()).limit(limit + 1)
    if before is not None:
        query = query.where(jobs.c.first_position < before)
    rows = connection.execute(_filtered(query, wanted)).all()
    page = rows[:limit]
    return [_stored(row, codec).job for row in page], page[-1].first_position if len(rows) > limit else None


def events_after(connection: Connection, position: int, scope: Scope, until: int | None, limit: int) -> list[Record]:
    query = (
        select(events, jobs.c.owner)
        .join(jobs, jobs.c.job_id == events.c.job_id)
        .where(events.c.position > position)
        .order_by(events.c.position)
        .limit(limit)
    )
    if until is not None:
        query = query.where(events.c.position <= until)
    if scope.job_ids is not None:
        query = query.where(events.c.job_id.in_(scope.job_ids))
    if scope.owner:
        query = query.where(jobs.c.owner == scope.owner)
    return [Record(**row) for row in connection.execute(query).mappings()]


def newest_position(connection: Connection) -> int:
    stored = connection.execute(select(func.max(events.c.position))).scalar_one() or 0
    return max(stored, meta_rows.get_number(connection, "floor"))


def _filtered(query: Select[Any], wanted: JobFilter) -> Select[Any]:
    if wanted.states:
        query = query.where(jobs.c.state.in_([state.value for state in wanted.states]))
    if wanted.owner:
        query = query.where(jobs.c.owner == wanted.owner)
    if wanted.text:
        query = query.where(jobs.c.prompt.contains(wanted.text.casefold(), autoescape=True))
    if wanted.workflow_id:
        query = query.where(jobs.c.workflow_id == wanted.workflow_id)
    if wanted.label:
        key, has_value, value = wanted.label.partition("=")
        matching = exists().where(job_labels.c.job_id == jobs.c.job_id, job_labels.c.key == key)
        query = query.where(matching.where(job_labels.c.value == value) if has_value else matching)
    return query


def _new_row(created: JobWrite, newest: JobWrite, codec: JobCodec) -> dict[str, Any]:
    job = created.job
    invocation = job.spec.invocation
    return {
        "job_id": job.job_id,
        "owner": job.owner,
        "request_id": job.request_id or None,
        "request_digest": created.request_digest,
        "create_time": job.create_time,
        "prompt": _prompt(job.spec).casefold(),
        "workflow_id": invocation.workflow_id if invocation is not None else "",
        "first_position": created.records[0].position,
        **_changing_columns(newest, codec),
    }


def _prompt(spec: JobSpec) -> str:
    """By which it is found; empty: none that is known as such."""
    if isinstance(spec.source, ImageParameters):
        return spec.source.prompt
    prompt = spec.invocation.inputs.get("prompt") if spec.invocation is not None else None
    return prompt if isinstance(prompt, str) else ""


def _changing_columns(write: JobWrite, codec: JobCodec) -> dict[str, Any]:
    return {
        "state": write.job.state.value,
        "end_time": write.job.end_time,
        "end_position": write.records[-1].position if write.job.state.is_final else None,
        "spec_digest": key_of(write.job.spec) if is_complete(write.job) else None,
        "record": codec.encode(write.job),
    }


def _label_rows(job: Job) -> list[dict[str, str]]:
    return [{"job_id": job.job_id, "key": key, "value": value} for key, value in job.spec.labels.items()]


def _event_row(record: Record) -> dict[str, Any]:
    return {
        "position": record.position,
        "job_id": record.job_id,
        "sequence": record.sequence,
        "kind": record.kind,
        "data": record.data,
    }


def _stored(row: Row[Any], codec: JobCodec) -> StoredJob:
    return StoredJob(
        job=codec.decode(row.record),
        request_digest=row.request_digest,
        first_position=row.first_position,
        end_position=row.end_position,
    )


def _one(connection: Connection, codec: JobCodec, query: Select[Any], values: dict[str, str]) -> StoredJob | None:
    row = connection.execute(query, values).one_or_none()
    return None if row is None else _stored(row, codec)


def _execute(connection: Connection, statement: Any, rows: list[dict[str, Any]]) -> None:
    # An empty list would mean: once, without values.
    if rows:
        connection.execute(statement, rows)
