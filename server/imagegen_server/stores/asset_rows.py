"""Descriptions of assets as rows: what is kept beside each file, and which of them go."""

from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any

from sqlalchemy import Connection, Row, delete, exists, func, insert, select, tuple_, update

from imagegen_server.gallery import AssetSource, GalleryEntry, is_picture
from imagegen_server.jobs import Asset, AssetOrigin
from imagegen_server.stores.model import KeptAsset
from imagegen_server.stores.schema import assets, job_assets

_ASSET = [field.name for field in fields(Asset)]
_SOURCE = [field.name for field in fields(AssetSource)]
_KEPT = [assets.c[field.name] for field in fields(KeptAsset)]
_is_input = exists().where(job_assets.c.digest == assets.c.digest)
_is_there = assets.c.deletion.is_(None)


def put_asset(connection: Connection, asset: Asset, source: AssetSource | None) -> Asset:
    known = connection.execute(select(assets).where(assets.c.digest == asset.digest)).one_or_none()
    if known is None:
        _insert(connection, asset, source, favorite=False)
        return asset
    if known.deletion is not None and source is not None:
        # Somebody wants it after all: it is as new as what else that job makes, and stands beside it.
        connection.execute(delete(assets).where(assets.c.digest == asset.digest))
        _insert(connection, asset, source, favorite=known.favorite)
        return asset
    # Whoever stores bytes again wants them kept as long as new ones.
    _restore(connection, asset.digest, asset.create_time)
    return _asset(known)


def get_entry(connection: Connection, digest: str, *, include_deleted: bool = False) -> GalleryEntry | None:
    query = select(assets).where(assets.c.digest == digest)
    row = connection.execute(query if include_deleted else query.where(_is_there)).one_or_none()
    return None if row is None else entry_of(row)


def set_favorite(connection: Connection, digest: str, *, favorite: bool) -> GalleryEntry | None:
    """None: there is no such asset."""
    connection.execute(update(assets).where(assets.c.digest == digest, _is_there).values(favorite=favorite))
    return get_entry(connection, digest)


def mark_deleted(connection: Connection, digest: str, time: float) -> GalleryEntry | None:
    """None: it is not there, or a job's input."""
    newest = connection.execute(select(func.max(assets.c.deletion))).scalar_one() or 0
    found = update(assets).where(assets.c.digest == digest, _is_there, ~_is_input)
    if not connection.execute(found.values(deletion=newest + 1, delete_time=time)).rowcount:
        return None
    return get_entry(connection, digest, include_deleted=True)


def undelete(connection: Connection, digest: str, time: float) -> GalleryEntry | None:
    """None: there is nothing to bring back. One that is there stays as it is."""
    entry = get_entry(connection, digest, include_deleted=True)
    if entry is None or entry.delete_time is None:
        return entry
    _restore(connection, digest, time)
    return get_entry(connection, digest)


def delete_asset(connection: Connection, digest: str) -> bool:
    """For good, also one that was deleted already."""
    return connection.execute(delete(assets).where(assets.c.digest == digest, ~_is_input)).rowcount > 0


def is_in_use(connection: Connection, digest: str) -> bool:
    return connection.execute(select(exists().where(job_assets.c.digest == digest))).scalar_one()


def is_described(connection: Connection, digest: str) -> bool:
    return connection.execute(select(exists().where(assets.c.digest == digest))).scalar_one()


def total_bytes(connection: Connection) -> int:
    return connection.execute(select(func.sum(assets.c.size_bytes))).scalar_one() or 0


def oldest_assets(connection: Connection, limit: int, after: KeptAsset | None) -> list[KeptAsset]:
    """Those that are there, no favorite and no job's input, in the order in which their bytes were stored last."""
    query = select(*_KEPT).where(_is_there, ~assets.c.favorite, ~_is_input)
    query = query.order_by(assets.c.kept_since, assets.c.number).limit(limit)
    if after is not None:
        query = query.where(tuple_(assets.c.kept_since, assets.c.number) > (after.kept_since, after.number))
    return [KeptAsset(**row) for row in connection.execute(query).mappings()]


def deleted_assets(connection: Connection, limit: int, after: KeptAsset | None) -> list[KeptAsset]:
    """In the order of deletions."""
    query = select(*_KEPT).where(assets.c.deletion.is_not(None)).order_by(assets.c.deletion).limit(limit)
    if after is not None:
        query = query.where(assets.c.deletion > after.deletion)
    return [KeptAsset(**row) for row in connection.execute(query).mappings()]


def retire_assets(connection: Connection, going: Sequence[KeptAsset]) -> list[str]:
    """Removes those with which nothing has happened since they were looked at. Gives the digests of the removed."""
    known = {asset.digest: asset for asset in going}
    may_go = assets.c.deletion.is_not(None) | ~assets.c.favorite
    query = select(*_KEPT).where(assets.c.digest.in_(known), may_go, ~_is_input)
    rows = [KeptAsset(**row) for row in connection.execute(query).mappings()]
    gone = [row.digest for row in rows if row == known[row.digest]]
    connection.execute(delete(assets).where(assets.c.digest.in_(gone)))
    return gone


def unknown_digests(connection: Connection, digests: Sequence[str]) -> set[str]:
    """Those that describe nothing."""
    return set(digests) - set(connection.execute(select(assets.c.digest).where(assets.c.digest.in_(digests))).scalars())


def entry_of(row: Row[Any]) -> GalleryEntry:
    asset = _asset(row)
    is_made = asset.origin is AssetOrigin.OUTPUT
    return GalleryEntry(
        asset=asset,
        source=AssetSource(**{name: getattr(row, name) for name in _SOURCE}) if is_made else None,
        favorite=row.favorite,
        delete_time=row.delete_time,
    )


def _insert(connection: Connection, asset: Asset, source: AssetSource | None, *, favorite: bool) -> None:
    row = {name: getattr(asset, name) for name in _ASSET} | asdict(source or AssetSource())
    row |= {
        "origin": asset.origin.value,
        "kept_since": asset.create_time,
        "searched": source.prompt.casefold() if source is not None else "",
        "is_picture": is_picture(asset, source),
        "favorite": favorite,
    }
    connection.execute(insert(assets).values(row))


def _restore(connection: Connection, digest: str, time: float) -> None:
    values = {"kept_since": time, "deletion": None, "delete_time": None}
    connection.execute(update(assets).where(assets.c.digest == digest).values(values))


def _asset(row: Row[Any]) -> Asset:
    columns = {name: getattr(row, name) for name in _ASSET}
    return Asset(**columns | {"origin": AssetOrigin(row.origin)})
