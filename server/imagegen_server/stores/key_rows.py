"""Keys as rows: never with their secrets."""

from sqlalchemy import Connection, delete, insert, select

from imagegen_server.stores.model import StoredKey
from imagegen_server.stores.schema import keys


def list_keys(connection: Connection) -> list[StoredKey]:
    """By name."""
    return [StoredKey(**row) for row in connection.execute(select(keys).order_by(keys.c.name)).mappings()]


def add_key(connection: Connection, key: StoredKey) -> bool:
    """Whether its name was free."""
    if connection.execute(select(keys.c.name).where(keys.c.name == key.name)).one_or_none() is not None:
        return False
    row = {
        "name": key.name,
        "owner": key.owner,
        "is_admin": key.is_admin,
        "acts_for_users": key.acts_for_users,
        "create_time": key.create_time,
        "sha256": key.sha256,
    }
    connection.execute(insert(keys).values(row))
    return True


def delete_key(connection: Connection, name: str) -> bool:
    """Whether there was one."""
    return connection.execute(delete(keys).where(keys.c.name == name)).rowcount > 0
