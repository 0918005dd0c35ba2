"""Workflows and their revisions as rows."""

from sqlalchemy import Connection, func, insert, select, update

from imagegen_server.stores.model import StoredRevision
from imagegen_server.stores.schema import workflow_revisions as revisions
from imagegen_server.stores.schema import workflows


def newest_revisions(connection: Connection) -> dict[str, int]:
    """By the id of each workflow that was not deleted."""
    query = select(workflows.c.workflow_id, workflows.c.revision).where(~workflows.c.is_deleted)
    return {row.workflow_id: row.revision for row in connection.execute(query)}


def get_revision(connection: Connection, workflow_id: str, revision: int) -> StoredRevision | None:
    every = revisions.alias()
    first = select(func.min(every.c.time)).where(every.c.workflow_id == workflow_id).scalar_subquery()
    query = select(revisions, first.label("create_time"))
    query = query.where(revisions.c.workflow_id == workflow_id, revisions.c.revision == revision)
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else StoredRevision(**row)


def revision_numbers(connection: Connection, workflow_id: str) -> list[int]:
    """Newest first."""
    query = select(revisions.c.revision).where(revisions.c.workflow_id == workflow_id)
    return list(connection.execute(query.order_by(revisions.c.revision.desc())).scalars())


def add_revision(
    connection: Connection, workflow_id: str, expected: int, *, time: float, owner: str, document: bytes
) -> int | None:
    """The number of the new revision; None: `expected` is not the newest. 0 expects that there is no such workflow."""
    row = connection.execute(select(workflows).where(workflows.c.workflow_id == workflow_id)).one_or_none()
    newest = 0 if row is None or row.is_deleted else row.revision
    if newest != expected:
        return None
    revision: int = 1 if row is None else row.revision + 1
    if row is None:
        connection.execute(insert(workflows).values(workflow_id=workflow_id, revision=revision, is_deleted=False))
    else:
        changed = update(workflows).where(workflows.c.workflow_id == workflow_id)
        connection.execute(changed.values(revision=revision, is_deleted=False))
    values = {"workflow_id": workflow_id, "revision": revision, "time": time, "owner": owner, "document": document}
    connection.execute(insert(revisions).values(values))
    return revision


def delete_workflow(connection: Connection, workflow_id: str) -> bool:
    """Whether there was one. Its revisions stay, because jobs ran them."""
    found = update(workflows).where(workflows.c.workflow_id == workflow_id, ~workflows.c.is_deleted)
    return connection.execute(found.values(is_deleted=True)).rowcount > 0
