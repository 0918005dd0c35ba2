"""The backends that were added at run time."""

from dataclasses import asdict

import orjson
from sqlalchemy import Connection, delete, insert, select

from imagegen_server.stores.model import StoredBackend
from imagegen_server.stores.schema import backends


def list_backends(connection: Connection) -> list[StoredBackend]:
    """In the order of adding."""
    query = select(backends).order_by(backends.c.number)
    return [
        StoredBackend(
            name=row["name"],
            kind=row["kind"],
            url=row["url"],
            labels=orjson.loads(row["labels"]),
            max_concurrent_jobs=row["max_concurrent_jobs"],
        )
        for row in connection.execute(query).mappings()
    ]


def put_backend(connection: Connection, backend: StoredBackend) -> None:
    """Adds it, in place of one of that name that could not be restored."""
    delete_backend(connection, backend.name)
    connection.execute(insert(backends).values({**asdict(backend), "labels": orjson.dumps(dict(backend.labels))}))


def delete_backend(connection: Connection, name: str) -> None:
    connection.execute(delete(backends).where(backends.c.name == name))
