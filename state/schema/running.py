"""What the hub needs to run: leases, bookmarks, runs, landing files, quarantine, latency, meters."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from state.schema.entities import metadata

lease = Table(
    "lease",
    metadata,
    Column("connector", Text, primary_key=True),
    Column("owner", Text),
    Column("until", BigInteger, nullable=False, server_default=text("0")),
    Column("fence", BigInteger, nullable=False, server_default=text("0")),
)

bookmark = Table(
    "bookmark",
    metadata,
    Column("name", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("fence", BigInteger, nullable=False),
    Column("seal_no", BigInteger, nullable=False),
    Column("saved_at", BigInteger, nullable=False),
)

run = Table(
    "run",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("connector", Text, nullable=False),
    Column("command", Text, nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("finished_at", BigInteger),
    Column("outcome", Text, nullable=False),
    Column("backfill", Integer, nullable=False, server_default=text("0")),
    Column("error_code", Text),
    Column("error", Text),
    Column("counts", Text, nullable=False, server_default=text("'{}'")),
)
Index(None, run.c.connector, run.c.started_at)

stream_run = Table(
    "stream_run",
    metadata,
    Column("run_id", Text, nullable=False),
    Column("connector", Text, nullable=False),
    Column("stream", Text, nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("finished_at", BigInteger),
    Column("outcome", Text, nullable=False),
    Column("read", BigInteger, nullable=False, server_default=text("0")),
    Column("rejected", BigInteger, nullable=False, server_default=text("0")),
    PrimaryKeyConstraint("run_id", "stream"),
)
Index(None, stream_run.c.connector, stream_run.c.stream, stream_run.c.finished_at)

landing_file = Table(
    "landing_file",
    metadata,
    Column("connector", Text, nullable=False),
    Column("stream", Text, nullable=False),
    Column("landing_no", BigInteger, nullable=False),
    Column("path", Text, nullable=False),
    Column("lines", BigInteger, nullable=False),
    Column("rejected", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("checksum", Text, nullable=False),
    Column("backfill", Integer, nullable=False, server_default=text("0")),
    Column("run_id", Text, nullable=False),
    Column("first_extracted_at", BigInteger),
    Column("sealed_at", BigInteger, nullable=False),
    Column("status", Text, nullable=False),
    Column("loaded_at", BigInteger),
    Column("problem", Text),
    Column("visible", BigInteger),
    Column("quarantined", BigInteger),
    PrimaryKeyConstraint("connector", "stream", "landing_no"),
)
Index(None, landing_file.c.status)
"""status: sealed (owed), loaded, frozen (owed; a tool error stopped the load of this file)."""

quarantine = Table(
    "quarantine",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("connector", Text, nullable=False),
    Column("stream", Text, nullable=False),
    Column("entity", Text, nullable=False),
    Column("record_key", Text, nullable=False),
    Column("landing_no", BigInteger, nullable=False),
    Column("line_no", BigInteger, nullable=False),
    Column("source_updated_at", BigInteger),
    Column("extracted_at", BigInteger, nullable=False),
    Column("code", Text, nullable=False),
    Column("reasons", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("opened_at", BigInteger, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("closed_at", BigInteger),
    Column("run_id", Text, nullable=False),
    UniqueConstraint("connector", "entity", "record_key"),
    sqlite_autoincrement=True,
)
Index(None, quarantine.c.status, quarantine.c.code)
"""The newest bad version of a source record; open while no newer good version is visible."""

waiver = Table(
    "waiver",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("debt", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("waived_by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("waived_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    sqlite_autoincrement=True,
)
Index(None, waiver.c.debt, waiver.c.key)
"""A debt somebody has taken on himself, with a name, a reason and an end of at most 30 days."""

latency = Table(
    "latency",
    metadata,
    Column("connector", Text, nullable=False),
    Column("stream", Text, nullable=False),
    Column("day", Text, nullable=False),
    Column("hop", Text, nullable=False),
    Column("backfill", Integer, nullable=False),
    Column("bucket", BigInteger, nullable=False),
    Column("n", BigInteger, nullable=False),
    PrimaryKeyConstraint("connector", "stream", "day", "hop", "backfill", "bucket"),
)
"""Mergeable histogram: n records of that Shanghai day whose hop took at most `bucket` seconds."""

late_record = Table(
    "late_record",
    metadata,
    Column("connector", Text, nullable=False),
    Column("stream", Text, nullable=False),
    Column("record_key", Text, nullable=False),
    Column("source_updated_at", BigInteger, nullable=False),
    Column("extracted_at", BigInteger, nullable=False),
    Column("committed_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("connector", "stream", "record_key", "source_updated_at"),
)
"""Records that took more than 300 s from their source to the hub, with their slow hop."""

call_meter = Table(
    "call_meter",
    metadata,
    Column("connector", Text, nullable=False),
    Column("endpoint", Text, nullable=False),
    Column("minute", BigInteger, nullable=False),
    Column("level", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("n", BigInteger, nullable=False),
    Column("ms", BigInteger, nullable=False, server_default=text("0")),
    PrimaryKeyConstraint("connector", "endpoint", "minute", "level", "outcome"),
)
"""Calls by minute; level is attempt (each try) or call (the final result)."""
