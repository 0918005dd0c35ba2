"""What parts of the server keep, each under a name of its own."""

from sqlalchemy import Connection, insert, select, update

from imagegen_server.stores.schema import named_values

MAX_VALUE_BYTES = 1024 * 1024


def get_value(connection: Connection, name: str) -> bytes | None:
    query = select(named_values.c.value).where(named_values.c.name == name)
    return connection.execute(query).scalar_one_or_none()


def set_value(connection: Connection, name: str, value: bytes) -> None:
    done = connection.execute(update(named_values).where(named_values.c.name == name).values(value=value))
    if done.rowcount == 0:
        connection.execute(insert(named_values).values(name=name, value=value))
