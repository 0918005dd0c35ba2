"""The settings that were stored, and the changes that made them."""

from sqlalchemy import Connection, delete, insert, select

from imagegen_server.stores import named_values
from imagegen_server.stores.model import StoredChange
from imagegen_server.stores.schema import settings_changes

NAME = "settings"


def change_settings(connection: Connection, document: bytes, change: StoredChange, keep: int) -> None:
    """Puts a document in place of the one before, and keeps the newest changes that led to it."""
    named_values.set_value(connection, NAME, document)
    row = {"version": change.version, "time": change.time, "owner": change.owner, "record": change.record}
    connection.execute(insert(settings_changes).values(row))
    connection.execute(delete(settings_changes).where(settings_changes.c.version <= change.version - keep))


def newest_changes(connection: Connection, limit: int) -> list[StoredChange]:
    query = select(settings_changes).order_by(settings_changes.c.version.desc()).limit(limit)
    return [StoredChange(**row) for row in connection.execute(query).mappings()]
