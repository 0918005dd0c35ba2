"""Backends that are added at run time."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_Number = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "backends",
        sa.Column("number", _Number, nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("labels", sa.LargeBinary, nullable=False),
        sa.Column("max_concurrent_jobs", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_backends"),
        sa.UniqueConstraint("name", name="uq_backends_name"),
    )
