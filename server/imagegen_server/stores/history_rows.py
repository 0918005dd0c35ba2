"""How history gets shorter: ended jobs lose their events but the last, and go in the end.

Both happen in the order in which jobs ended, and leave a mark by which watchers know that they cannot be told all.
"""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, Select, delete, func, select

from imagegen_server.history import Scope
from imagegen_server.stores import meta_rows
from imagegen_server.stores.job_rows import newest_position
from imagegen_server.stores.model import EndedJob
from imagegen_server.stores.schema import events, jobs

_COMPACTED, _DELETED = "compacted", "deleted"


def count_ended(connection: Connection) -> int:
    return connection.execute(select(func.count()).where(jobs.c.end_position.is_not(None))).scalar_one()


def oldest_ended(connection: Connection, limit: int) -> list[EndedJob]:
    """In the order of their ends."""
    return _ended(connection, jobs.c.end_position.is_not(None), limit)


def oldest_uncompacted(connection: Connection, limit: int) -> list[EndedJob]:
    """Those that have all of their events, in the order of their ends."""
    return _ended(connection, jobs.c.end_position > meta_rows.get_number(connection, _COMPACTED), limit)


def compact(connection: Connection, going: Sequence[EndedJob]) -> int:
    """Removes the events, but the last, of jobs that are the oldest uncompacted ones. Gives how many."""
    meta_rows.raise_number(connection, _COMPACTED, max(job.end_position for job in going))
    of_them = events.c.job_id.in_([job.job_id for job in going])
    return connection.execute(delete(events).where(of_them, events.c.kind != "completed")).rowcount


def delete_ended(connection: Connection, job_ids: Sequence[str]) -> int:
    """Removes jobs with their events. Gives how many there were that had ended."""
    found = (jobs.c.job_id.in_(job_ids), jobs.c.end_position.is_not(None))
    last = connection.execute(select(func.max(jobs.c.end_position)).where(*found)).scalar_one()
    if last is None:
        return 0
    meta_rows.raise_number(connection, _DELETED, last)
    # The newest position must not be given out again, although its record may go now.
    meta_rows.raise_number(connection, "floor", newest_position(connection))
    return connection.execute(delete(jobs).where(*found)).rowcount


def horizon(connection: Connection, scope: Scope) -> int:
    """Records of the scope up to this position may be gone; 0: none is.

    Of named jobs those count that are still there: nothing can be told about others.
    """
    compacted = meta_rows.get_number(connection, _COMPACTED)
    if scope.job_ids is None:
        return max(compacted - 1, meta_rows.get_number(connection, _DELETED))
    named = select(func.max(jobs.c.end_position)).where(
        jobs.c.job_id.in_(scope.job_ids), jobs.c.end_position <= compacted
    )
    return (connection.execute(named).scalar_one() or 1) - 1


def _ended(connection: Connection, which: ColumnElement[bool], limit: int) -> list[EndedJob]:
    query: Select[tuple[str, float, int]] = (
        select(jobs.c.job_id, jobs.c.end_time, jobs.c.end_position)
        .where(which)
        .order_by(jobs.c.end_position)
        .limit(limit)
    )
    return [EndedJob(**row) for row in connection.execute(query).mappings()]
