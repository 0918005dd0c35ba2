"""What a gallery tells of files: what their jobs were asked for, favorites, and what was deleted."""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

from imagegen_server.gallery import SourceFinder, is_picture
from imagegen_server.jobs import Job
from imagegen_server.wire.jobs import JobCodec

revision = "0004"
down_revision = "0003"

_Number = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_SOURCE = ("owner", "prompt", "model", "workflow_id", "image_index", "seed", "intermediate")

_jobs = sa.table("jobs", sa.column("job_id"), sa.column("record", sa.LargeBinary))
_assets = sa.table("assets", *map(sa.column, ("digest", "job_id", "searched", "is_picture", *_SOURCE)))


def upgrade() -> None:
    for column in (
        sa.Column("owner", sa.String(256), nullable=False, server_default=""),
        sa.Column("prompt", sa.Text, nullable=False, server_default=""),
        sa.Column("model", sa.String(512), nullable=False, server_default=""),
        sa.Column("workflow_id", sa.String(64), nullable=False, server_default=""),
        sa.Column("image_index", sa.Integer, nullable=False, server_default="0"),
        sa.Column("seed", sa.BigInteger),
        sa.Column("intermediate", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("searched", sa.Text, nullable=False, server_default=""),
        sa.Column("is_picture", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("favorite", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("deletion", _Number),
        sa.Column("delete_time", sa.Double),
    ):
        op.add_column("assets", column)
    _fill()
    _index()


def _fill() -> None:
    """From the jobs that are still known."""
    connection = op.get_bind()
    media_type = sa.column("media_type", sa.String)
    connection.execute(sa.update(_assets).values(is_picture=media_type.startswith("image/")))
    makers = sa.select(_assets.c.job_id).distinct()
    # One at a time: together they may be more than fits into memory.
    for job_id in connection.execute(sa.select(_jobs.c.job_id).where(_jobs.c.job_id.in_(makers))).scalars().all():
        record = connection.execute(sa.select(_jobs.c.record).where(_jobs.c.job_id == job_id)).scalar_one()
        for digest, values in _changes(JobCodec().decode(record)):
            of_it = (_assets.c.digest == digest, _assets.c.job_id == job_id)
            connection.execute(sa.update(_assets).where(*of_it).values(values))


def _changes(job: Job) -> Iterator[tuple[str, dict[str, Any]]]:
    finder = SourceFinder(job)
    for output in job.outputs:
        source = finder.source(image_index=output.image_index, seed=output.seed, intermediate=output.intermediate)
        yield (
            output.asset.digest,
            {
                **{name: getattr(source, name) for name in _SOURCE},
                "searched": source.prompt.casefold(),
                "is_picture": is_picture(output.asset, source),
            },
        )


def _index() -> None:
    for columns in (
        ["origin", "is_picture", "deletion", "number"],
        ["model", "number", "is_picture", "deletion", "origin"],
        ["workflow_id", "number", "is_picture", "deletion", "origin"],
        ["owner", "number", "is_picture", "deletion", "origin"],
        ["create_time"],
    ):
        op.create_index(f"ix_assets_{'_'.join(columns)}", "assets", columns)
    for name, column, sqlite, postgresql in (
        ("ix_assets_favorite", "number", "favorite = 1", "favorite"),
        ("ix_assets_deletion", "deletion", "deletion IS NOT NULL", "deletion IS NOT NULL"),
    ):
        op.create_index(name, "assets", [column], sqlite_where=sa.text(sqlite), postgresql_where=sa.text(postgresql))
