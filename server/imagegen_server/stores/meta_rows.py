"""Single values: what makes this data folder itself."""

import secrets

from sqlalchemy import Connection, insert, select, update

from imagegen_server.stores.schema import meta
from imagegen_server.tokens import MAX_EPOCH

_KEY_BYTES = 32
_NUMBER_BYTES = 8


def get_identity(connection: Connection) -> tuple[int, bytes]:
    """The epoch and the token key; made at the first time."""
    if _get(connection, "epoch") is None:
        _put(connection, "epoch", (secrets.randbelow(MAX_EPOCH) + 1).to_bytes(_NUMBER_BYTES))
        _put(connection, "token_key", secrets.token_bytes(_KEY_BYTES))
    epoch, key = _get(connection, "epoch"), _get(connection, "token_key")
    assert epoch is not None
    assert key is not None
    return int.from_bytes(epoch), key


def get_number(connection: Connection, key: str) -> int:
    """0 where there is none."""
    return int.from_bytes(_get(connection, key) or b"")


def raise_number(connection: Connection, key: str, value: int) -> None:
    """Sets a number, unless it is that high already."""
    if value > get_number(connection, key):
        _put(connection, key, value.to_bytes(_NUMBER_BYTES))


def _get(connection: Connection, key: str) -> bytes | None:
    return connection.execute(select(meta.c.value).where(meta.c.key == key)).scalar_one_or_none()


def _put(connection: Connection, key: str, value: bytes) -> None:
    done = connection.execute(update(meta).where(meta.c.key == key).values(value=value))
    if done.rowcount == 0:
        connection.execute(insert(meta).values(key=key, value=value))
