"""Scores and write-back: definitions, wanted values, plans, guards, decisions that wait."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)

from state.schema.entities import metadata

score = Table(
    "score",
    metadata,
    Column("customer_id", BigInteger, nullable=False),
    Column("name", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("value", Text),
    Column("number", BigInteger),
    Column("explanation", Text),
    Column("run_id", Text, nullable=False),
    Column("scored_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("customer_id", "name"),
    sqlite_with_rowid=False,
)

score_definition = Table(
    "score_definition",
    metadata,
    Column("name", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("definition", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("registered_at", BigInteger, nullable=False),
    Column("reviewed_by", Text),
    Column("reviewed_at", BigInteger),
    Column("published_by", Text),
    Column("published_at", BigInteger),
    PrimaryKeyConstraint("name", "version"),
)
"""status: draft, reviewed, published, retired (a newer version is published)."""

outbox = Table(
    "outbox",
    metadata,
    Column("target", Text, nullable=False),
    Column("source_id", Text, nullable=False),
    Column("field", Text, nullable=False),
    Column("value", Text),
    # What the target held when it was last read back, at confirmed_at; what we sent last, at sent_at.
    Column("confirmed_value", Text),
    Column("sent_value", Text),
    Column("status", Text, nullable=False),
    Column("attempts", BigInteger, nullable=False, server_default=text("0")),
    Column("snoozes", BigInteger, nullable=False, server_default=text("0")),
    Column("desired_at", BigInteger, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("next_at", BigInteger, nullable=False, server_default=text("0")),
    Column("sent_at", BigInteger),
    Column("confirmed_at", BigInteger),
    Column("plan", Text),
    Column("code", Text),
    Column("receipt", Text),
    # The newest order behind the value; cause_at is empty where the change came from no new order.
    Column("cause_at", BigInteger),
    Column("cause_connector", Text),
    Column("cause_id", Text),
    Column("cause_committed_at", BigInteger),
    Column("cause_backfill", Integer),
    PrimaryKeyConstraint("target", "source_id", "field"),
    sqlite_with_rowid=False,
)
Index(None, outbox.c.target, outbox.c.status)
"""The newest wanted value per (system, record, field) and how far it has come."""

write_plan = Table(
    "write_plan",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("target", Text, nullable=False),
    Column("made_at", BigInteger, nullable=False),
    Column("changes", BigInteger, nullable=False),
    Column("summary", Text, nullable=False),
    Column("approved_by", Text),
    Column("approved_at", BigInteger),
    Column("applied_at", BigInteger),
)

write_plan_item = Table(
    "write_plan_item",
    metadata,
    Column("digest", Text, nullable=False),
    Column("source_id", Text, nullable=False),
    Column("field", Text, nullable=False),
    Column("old", Text),
    Column("new", Text),
    PrimaryKeyConstraint("digest", "source_id", "field"),
    sqlite_with_rowid=False,
)
"""Exactly the changes of a plan; kept until the plan is applied or forgotten."""

write_guard = Table(
    "write_guard",
    metadata,
    Column("target", Text, nullable=False),
    Column("day", Text, nullable=False),
    Column("source_id", Text, nullable=False),
    Column("tier", Text),
    PrimaryKeyConstraint("target", "day", "source_id"),
    sqlite_with_rowid=False,
)
"""Whom the scheduled writes of a Shanghai day have changed, and the tier each of them has left."""

waiting_decision = Table(
    "waiting_decision",
    metadata,
    Column("kind", Text, nullable=False),
    Column("object", Text, nullable=False),
    Column("opened_at", BigInteger, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("zh", Text, nullable=False),
    Column("en", Text, nullable=False),
    Column("detail", Text, nullable=False),
    PrimaryKeyConstraint("kind", "object"),
)
"""What waits for a person, told in words; the row goes when it is decided, the audit stays."""

write_receipt = Table(
    "write_receipt",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("target", Text, nullable=False),
    Column("source_id", Text, nullable=False),
    Column("field", Text, nullable=False),
    Column("value", Text),
    Column("outcome", Text, nullable=False),
    Column("code", Text),
    Column("at", BigInteger, nullable=False),
    Column("run_id", Text, nullable=False),
    sqlite_autoincrement=True,
)
Index(None, write_receipt.c.target, write_receipt.c.source_id)
