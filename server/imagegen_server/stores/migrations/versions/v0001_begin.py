"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_Number = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "jobs",
        sa.Column("job_id", sa.String(64), nullable=False),
        sa.Column("owner", sa.String(256), nullable=False),
        sa.Column("request_id", sa.String(128)),
        sa.Column("request_digest", sa.LargeBinary, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("create_time", sa.Double, nullable=False),
        sa.Column("end_time", sa.Double),
        sa.Column("prompt", sa.Text, nullable=False),
        sa.Column("first_position", _Number, nullable=False),
        sa.Column("end_position", _Number),
        sa.Column("record", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("job_id", name="pk_jobs"),
        sa.UniqueConstraint("owner", "request_id", name="uq_jobs_owner_request_id"),
        sa.UniqueConstraint("first_position", name="uq_jobs_first_position"),
    )
    op.create_index("ix_jobs_state_first_position", "jobs", ["state", "first_position"])
    op.create_index("ix_jobs_end_time", "jobs", ["end_time"])
    op.create_table(
        "job_labels",
        sa.Column("job_id", sa.String(64), nullable=False),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("value", sa.String(256), nullable=False),
        sa.PrimaryKeyConstraint("job_id", "key", name="pk_job_labels"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.job_id"], ondelete="CASCADE", name="fk_job_labels_job_id"),
    )
    op.create_index("ix_job_labels_key_value", "job_labels", ["key", "value"])
    op.create_table(
        "events",
        sa.Column("position", _Number, autoincrement=False, nullable=False),
        sa.Column("job_id", sa.String(64), nullable=False),
        sa.Column("sequence", sa.Integer, nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("position", name="pk_events"),
        sa.UniqueConstraint("job_id", "sequence", name="uq_events_job_id_sequence"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.job_id"], ondelete="CASCADE", name="fk_events_job_id"),
    )
    op.create_table(
        "assets",
        sa.Column("number", _Number, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("media_type", sa.String(128), nullable=False),
        sa.Column("width", sa.Integer, nullable=False),
        sa.Column("height", sa.Integer, nullable=False),
        sa.Column("create_time", sa.Double, nullable=False),
        sa.Column("origin", sa.String(16), nullable=False),
        sa.Column("job_id", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_assets"),
        sa.UniqueConstraint("digest", name="uq_assets_digest"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_assets_job_id", "assets", ["job_id"])
    op.create_table(
        "job_assets",
        sa.Column("job_id", sa.String(64), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("job_id", "digest", name="pk_job_assets"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.job_id"], ondelete="CASCADE", name="fk_job_assets_job_id"),
    )
    op.create_index("ix_job_assets_digest", "job_assets", ["digest"])
    op.create_table(
        "meta",
        sa.Column("key", sa.String(32), nullable=False),
        sa.Column("value", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_meta"),
    )
