"""Descriptions of assets as rows."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from sqlalchemy import Connection, Row, delete, exists, func, insert, select, tuple_, update

from imagegen_server.jobs import Asset, AssetOrigin
from imagegen_server.stores.model import AssetFilter, KeptAsset
from imagegen_server.stores.schema import assets, job_assets

_COLUMNS = [field.name for field in fields(Asset)]
_is_input = exists().where(job_assets.c.digest == assets.c.digest)


def put_asset(connection: Connection, asset: Asset) -> Asset:
    known = get_asset(connection, asset.digest)
    if known is not None:
        # Whoever stores bytes again wants them kept as long as new ones.
        fresh = update(assets).where(assets.c.digest == asset.digest)
        connection.execute(fresh.values(kept_since=asset.create_time))
        return known
    row = {name: getattr(asset, name) for name in _COLUMNS}
    row |= {"origin": asset.origin.value, "kept_since": asset.create_time}
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
    return connection.execute(delete(assets).where(assets.c.digest == digest, ~_is_input)).rowcount > 0


def is_in_use(connection: Connection, digest: str) -> bool:
    return connection.execute(select(exists().where(job_assets.c.digest == digest))).scalar_one()


def total_bytes(connection: Connection) -> int:
    return connection.execute(select(func.sum(assets.c.size_bytes))).scalar_one() or 0


def oldest_assets(connection: Connection, limit: int, after: KeptAsset | None) -> list[KeptAsset]:
    """Those that are no job's input, in the order in which their bytes were stored last."""
    columns = (assets.c.number, assets.c.digest, assets.c.size_bytes, assets.c.kept_since)
    query = select(*columns).where(~_is_input).order_by(assets.c.kept_since, assets.c.number).limit(limit)
    if after is not None:
        query = query.where(tuple_(assets.c.kept_since, assets.c.number) > (after.kept_since, after.number))
    return [KeptAsset(**row) for row in connection.execute(query).mappings()]


def retire_assets(connection: Connection, going: Sequence[KeptAsset]) -> list[str]:
    """Removes those that are still no job's input and were not stored again. Gives the digests of the removed."""
    known = {asset.digest: asset.kept_since for asset in going}
    query = select(assets.c.digest, assets.c.kept_since).where(assets.c.digest.in_(known), ~_is_input)
    gone = [digest for digest, kept_since in connection.execute(query) if kept_since == known[digest]]
    connection.execute(delete(assets).where(assets.c.digest.in_(gone)))
    return gone


def unknown_digests(connection: Connection, digests: Sequence[str]) -> set[str]:
    """Those that describe nothing."""
    return set(digests) - set(connection.execute(select(assets.c.digest).where(assets.c.digest.in_(digests))).scalars())


def _asset(row: Row[Any]) -> Asset:
    columns = {name: getattr(row, name) for name in _COLUMNS}
    return Asset(**columns | {"origin": AssetOrigin(row.origin)})
