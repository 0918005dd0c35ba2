"""The tables. Changing them takes a migration; a test compares both."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite numbers rows by itself only in a column that is called exactly INTEGER; there it holds 64 bits too.
_Number = BigInteger().with_variant(Integer, "sqlite")

jobs = Table(
    "jobs",
    metadata,
    Column("job_id", String(64), primary_key=True),
    Column("owner", String(256), nullable=False),
    # NULL where the caller gave none: NULLs do not collide.
    Column("request_id", String(128)),
    Column("request_digest", LargeBinary, nullable=False),
    Column("state", String(16), nullable=False),
    Column("create_time", Double, nullable=False),
    Column("end_time", Double),
    # Casefolded, for searching only.
    Column("prompt", Text, nullable=False),
    Column("first_position", _Number, nullable=False, unique=True),
    Column("end_position", _Number),
    Column("record", LargeBinary, nullable=False),
    # The stored workflow that it runs; empty: none.
    Column("workflow_id", String(64), nullable=False, server_default="", index=True),
    # Of what it makes, seeds included; NULL: it cannot be told, or nothing can be made alike.
    Column("spec_digest", LargeBinary, index=True),
    UniqueConstraint("owner", "request_id"),
    Index(None, "state", "first_position"),
    # In the order of their ends; NULL: not ended.
    Index(None, "end_position"),
)

job_labels = Table(
    "job_labels",
    metadata,
    Column("job_id", ForeignKey("jobs.job_id", ondelete="CASCADE"), primary_key=True),
    Column("key", String(64), primary_key=True),
    Column("value", String(256), nullable=False),
    Index(None, "key", "value"),
)

events = Table(
    "events",
    metadata,
    Column("position", _Number, primary_key=True, autoincrement=False),
    Column("job_id", ForeignKey("jobs.job_id", ondelete="CASCADE"), nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("data", LargeBinary, nullable=False),
    UniqueConstraint("job_id", "sequence"),
)

assets = Table(
    "assets",
    metadata,
    Column("number", _Number, primary_key=True),
    Column("digest", String(64), nullable=False, unique=True),
    Column("size_bytes", BigInteger, nullable=False),
    Column("media_type", String(128), nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("create_time", Double, nullable=False),
    Column("origin", String(16), nullable=False),
    Column("job_id", String(64), nullable=False, index=True),
    # When its bytes were stored last: by this its age is counted.
    Column("kept_since", Double, nullable=False, server_default="0"),
    # What the job was asked for; all empty where none made it.
    Column("owner", String(256), nullable=False, server_default=""),
    Column("prompt", Text, nullable=False, server_default=""),
    Column("model", String(512), nullable=False, server_default=""),
    Column("workflow_id", String(64), nullable=False, server_default=""),
    Column("image_index", Integer, nullable=False, server_default="0"),
    Column("seed", BigInteger),
    Column("intermediate", Boolean, nullable=False, server_default=false()),
    # The prompt, casefolded, for searching only.
    Column("searched", Text, nullable=False, server_default=""),
    Column("is_picture", Boolean, nullable=False, server_default=false()),
    Column("favorite", Boolean, nullable=False, server_default=false()),
    # In the order of deletions; NULL: it is there.
    Column("deletion", _Number),
    Column("delete_time", Double),
    Index(None, "kept_since", "number"),
    # Each filter comes with what else a gallery asks for, so that counting looks at nothing but the index.
    Index(None, "origin", "is_picture", "deletion", "number"),
    Index(None, "model", "number", "is_picture", "deletion", "origin"),
    Index(None, "workflow_id", "number", "is_picture", "deletion", "origin"),
    Index(None, "owner", "number", "is_picture", "deletion", "origin"),
    Index(None, "create_time"),
    # SQLite takes an index for selective unless it is told that it holds a few rows only.
    Index("ix_assets_favorite", "number", sqlite_where=text("favorite = 1"), postgresql_where=text("favorite")),
    Index(
        "ix_assets_deletion",
        "deletion",
        sqlite_where=text("deletion IS NOT NULL"),
        postgresql_where=text("deletion IS NOT NULL"),
    ),
    # Numbers are never given twice, so that pages stay in order of creation.
    sqlite_autoincrement=True,
)

# What jobs that have not ended need; their rows go when they end.
job_assets = Table(
    "job_assets",
    metadata,
    Column("job_id", ForeignKey("jobs.job_id", ondelete="CASCADE"), primary_key=True),
    Column("digest", String(64), primary_key=True, index=True),
)

# epoch, token_key; floor: positions up to it were given out; compacted: of jobs that ended up to it only the last event
# is kept; deleted: jobs that ended up to it may be gone.
meta = Table(
    "meta",
    metadata,
    Column("key", String(32), primary_key=True),
    Column("value", LargeBinary, nullable=False),
)

# What parts of the server keep, each under a name of its own.
named_values = Table(
    "named_values",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", LargeBinary, nullable=False),
)

workflows = Table(
    "workflows",
    metadata,
    Column("workflow_id", String(64), primary_key=True),
    # The newest; it goes on counting when the id is used again.
    Column("revision", Integer, nullable=False),
    # The revisions of a deleted one stay: jobs ran them.
    Column("is_deleted", Boolean, nullable=False),
)

# Never changed.
workflow_revisions = Table(
    "workflow_revisions",
    metadata,
    Column("workflow_id", ForeignKey("workflows.workflow_id"), primary_key=True),
    Column("revision", Integer, primary_key=True, autoincrement=False),
    Column("time", Double, nullable=False),
    Column("owner", String(256), nullable=False),
    Column("document", LargeBinary, nullable=False),
)

# Who set what to what.
settings_changes = Table(
    "settings_changes",
    metadata,
    Column("version", _Number, primary_key=True, autoincrement=False),
    Column("time", Double, nullable=False),
    Column("owner", String(256), nullable=False),
    Column("record", LargeBinary, nullable=False),
)

# Those that were added at run time, in that order; the address may hold user and password.
backends = Table(
    "backends",
    metadata,
    Column("number", _Number, primary_key=True),
    Column("name", String(64), nullable=False, unique=True),
    Column("kind", String(64), nullable=False),
    Column("url", Text, nullable=False),
    # JSON.
    Column("labels", LargeBinary, nullable=False),
    Column("max_concurrent_jobs", Integer, nullable=False),
)

# Made at run time; of the secret only what it is known by.
keys = Table(
    "keys",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("owner", String(256), nullable=False),
    Column("is_admin", Boolean, nullable=False),
    Column("acts_for_users", Boolean, nullable=False),
    Column("create_time", Double, nullable=False),
    Column("sha256", LargeBinary, nullable=False),
)
