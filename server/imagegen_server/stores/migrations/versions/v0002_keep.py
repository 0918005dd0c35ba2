"""What decides how long something is kept, and values that parts of the server keep under a name."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.drop_index("ix_jobs_end_time", "jobs")
    op.create_index("ix_jobs_end_position", "jobs", ["end_position"])
    op.add_column("assets", sa.Column("kept_since", sa.Double, nullable=False, server_default="0"))
    op.execute("UPDATE assets SET kept_since = create_time")
    op.create_index("ix_assets_kept_since_number", "assets", ["kept_since", "number"])
    op.create_table(
        "named_values",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("value", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_named_values"),
    )
