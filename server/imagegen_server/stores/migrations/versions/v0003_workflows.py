"""Workflows in revisions, what jobs ran and made, and the changes of the settings."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_Number = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "workflows",
        sa.Column("workflow_id", sa.String(64), nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("is_deleted", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("workflow_id", name="pk_workflows"),
    )
    op.create_table(
        "workflow_revisions",
        sa.Column("workflow_id", sa.String(64), nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("time", sa.Double, nullable=False),
        sa.Column("owner", sa.String(256), nullable=False),
        sa.Column("document", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("workflow_id", "revision", name="pk_workflow_revisions"),
        sa.ForeignKeyConstraint(["workflow_id"], ["workflows.workflow_id"], name="fk_workflow_revisions_workflow_id"),
    )
    op.create_table(
        "settings_changes",
        sa.Column("version", _Number, autoincrement=False, nullable=False),
        sa.Column("time", sa.Double, nullable=False),
        sa.Column("owner", sa.String(256), nullable=False),
        sa.Column("record", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("version", name="pk_settings_changes"),
    )
    op.add_column("jobs", sa.Column("workflow_id", sa.String(64), nullable=False, server_default=""))
    op.create_index("ix_jobs_workflow_id", "jobs", ["workflow_id"])
    op.add_column("jobs", sa.Column("spec_digest", sa.LargeBinary))
    op.create_index("ix_jobs_spec_digest", "jobs", ["spec_digest"])
