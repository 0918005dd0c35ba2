"""The gallery: rows of assets by what people look for."""

from collections import Counter
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Select, and_, case, func, select

from imagegen_server.gallery import Facets, GalleryEntry
from imagegen_server.jobs import AssetOrigin
from imagegen_server.stores.asset_rows import entry_of
from imagegen_server.stores.model import AssetFilter
from imagegen_server.stores.schema import assets

MAX_VALUES = 200
"""Of a facet."""

_is_there = assets.c.deletion.is_(None)
_is_made_picture = and_(assets.c.origin == AssetOrigin.OUTPUT.value, assets.c.is_picture, _is_there)


def list_entries(
    connection: Connection, wanted: AssetFilter, limit: int, before: int | None
) -> tuple[list[GalleryEntry], int | None]:
    rows = connection.execute(page_query(wanted, limit + 1, before)).all()
    page = rows[:limit]
    return [entry_of(row) for row in page], getattr(page[-1], _order(wanted).name) if len(rows) > limit else None


def page_query(wanted: AssetFilter, limit: int, before: int | None) -> Select[Any]:
    query = select(assets).where(*_conditions(wanted)).order_by(_order(wanted).desc()).limit(limit)
    return query if before is None else query.where(_order(wanted) < before)


def count_entries(connection: Connection, wanted: AssetFilter) -> int:
    """How many are on all pages."""
    return _count(connection, *_conditions(wanted))


def facets(connection: Connection) -> Facets:
    """Pictures are gone through once: three times, once for each facet, would take three times as long."""
    values = (assets.c.model, assets.c.workflow_id, assets.c.owner)
    favorites = func.sum(case((assets.c.favorite, 1), else_=0))
    query = select(*values, func.count().label("pictures"), favorites.label("favorites"))
    groups = connection.execute(query.where(_is_made_picture).group_by(*values)).all()
    counts: list[Counter[str]] = [Counter() for _ in values]
    for group in groups:
        for column, count in zip(values, counts, strict=True):
            count[getattr(group, column.name)] += group.pictures
    models, workflows, owners = [_largest(count) for count in counts]
    return Facets(
        pictures=sum(group.pictures for group in groups),
        favorites=sum(group.favorites for group in groups),
        deleted=_count(connection, assets.c.deletion.is_not(None)),
        models=models,
        workflows=workflows,
        owners=owners,
    )


def _order(wanted: AssetFilter) -> Column[int]:
    return assets.c.deletion if wanted.deleted else assets.c.number


def _conditions(wanted: AssetFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [assets.c.deletion.is_not(None) if wanted.deleted else _is_there]
    if wanted.origin is not None:
        conditions.append(assets.c.origin == wanted.origin.value)
    for column in (assets.c.job_id, assets.c.model, assets.c.workflow_id):
        value = getattr(wanted, column.name)
        if value:
            conditions.append(column == value)
    if wanted.owner is not None:
        # An upload is of nobody, too, but nobody has asked for it.
        conditions += [assets.c.owner == wanted.owner, assets.c.origin == AssetOrigin.OUTPUT.value]
    conditions += [assets.c.searched.contains(word, autoescape=True) for word in wanted.words]
    if wanted.created_after is not None:
        conditions.append(assets.c.create_time >= wanted.created_after)
    if wanted.created_before is not None:
        conditions.append(assets.c.create_time < wanted.created_before)
    if wanted.favorites:
        conditions.append(assets.c.favorite)
    if wanted.pictures:
        conditions.append(assets.c.is_picture)
    return conditions


def _count(connection: Connection, *conditions: ColumnElement[bool]) -> int:
    return connection.execute(select(func.count()).select_from(assets).where(*conditions)).scalar_one()


def _largest(counts: Counter[str]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:MAX_VALUES]
