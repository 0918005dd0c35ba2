"""Opens a database: connection settings, file, migrations."""

import sqlite3
from pathlib import Path
from typing import Any

import alembic.command
import alembic.config
import alembic.util
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from imagegen_server.errors import CannotStart

MIGRATIONS = Path(__file__).parent / "migrations"
_BUSY_TIMEOUT_MS = 5000


def open_database(url: str) -> Engine:
    """An engine whose database has the newest tables. Raises CannotStart."""
    try:
        engine = create_engine(url)
    except ArgumentError as exc:
        raise CannotStart("the store's address is no database URL") from exc
    try:
        if engine.dialect.name == "sqlite":
            _prepare_sqlite(engine)
        _migrate(engine)
    except (SQLAlchemyError, OSError, alembic.util.CommandError) as exc:
        engine.dispose()
        address = make_url(url).render_as_string(hide_password=True)
        raise CannotStart(f"cannot open the database {address}: {_first_line(exc)}") from exc
    return engine


def _prepare_sqlite(engine: Engine) -> None:
    if engine.url.database:
        # It holds the key that signs tokens; SQLite gives its side files the same mode.
        Path(engine.url.database).touch(mode=0o600)
    event.listen(engine, "connect", _configure_sqlite)
    event.listen(engine, "begin", _begin_sqlite)


def _configure_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    # The driver would begin transactions late, and none for DDL; with this, SQLAlchemy begins them (_begin_sqlite).
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout={_BUSY_TIMEOUT_MS}")
    connection.execute("PRAGMA journal_mode=WAL")
    # NORMAL loses the last commits when the power fails, and an accepted job is never lost.
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")


def _begin_sqlite(connection: Connection) -> None:
    # Past SQLAlchemy, which would take longer over this word than over a whole query.
    driver: sqlite3.Connection | None = connection.connection.driver_connection
    assert driver is not None
    driver.execute("BEGIN")


def _migrate(engine: Engine) -> None:
    config = alembic.config.Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        alembic.command.upgrade(config, "head")


def _first_line(exc: Exception) -> str:
    cause = getattr(exc, "orig", None) or exc
    return str(cause).splitlines()[0] if str(cause) else type(cause).__name__
