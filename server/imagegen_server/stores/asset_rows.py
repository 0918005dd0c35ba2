"""Descriptions of assets as rows."""

from dataclasses import fields
from typing import Any

from sqlalchemy import Connection, Row, delete, exists, insert, select

from imagegen_server.jobs import Asset, AssetOrigin
from imagegen_server.stores.model import AssetFilter
from imagegen_server.stores.schema import assets, job_assets

_COLUMNS = [field.name for field in fields(Asset)]


def put_asset(connection: Connection, asset: Asset) -> Asset:
    known = get_asset(connection, asset.digest)
    if known is not None:
        return known
    row = {name: getattr(asset, name) for name in _COLUMNS} | {"origin": asset.origin.value}
    connection.execute(insert(assets).values(row))
    return asset


def get_asset(connection: Connection, digest: str) -> Asset | None:
    row = connection.execute(select(assets).where(assets.c.digest == digest)).one_or_none()
    return None if row is None else _asset(row)


def list_assets(
    connection: Connection, wanted: AssetFilter, limit: int, before: int | None
) -> tuple[list[Asset], int | None]:
    query = select(assets).order_by(assets.c.number.desc()).limit(limit + 1)
    if before is not None:
        query = query.where(assets.c.number < before)
    if wanted.origin is not None:
        query = query.where(assets.c.origin == wanted.origin.value)
    if wanted.job_id:
        query = query.where(assets.c.job_id == wanted.job_id)
    rows = connection.execute(query).all()
    page = rows[:limit]
    return [_asset(row) for row in page], page[-1].number if len(rows) > limit else None


def delete_asset(connection: Connection, digest: str) -> bool:
    needed = exists().where(job_assets.c.digest == assets.c.digest)
    return connection.execute(delete(assets).where(assets.c.digest == digest, ~needed)).rowcount > 0


def is_in_use(connection: Connection, digest: str) -> bool:
    return connection.execute(select(exists().where(job_assets.c.digest == digest))).scalar_one()


def _asset(row: Row[Any]) -> Asset:
    columns = {name: getattr(row, name) for name in _COLUMNS}
    return Asset(**columns | {"origin": AssetOrigin(row.origin)})
