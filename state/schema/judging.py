"""What was judged and what was done: results of checks, the audit, settings."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
)

from state.schema.entities import metadata

check_result = Table(
    "check_result",
    metadata,
    Column("code", Text, nullable=False),
    Column("connector", Text, nullable=False),
    Column("entity", Text, nullable=False),
    Column("field", Text, nullable=False),
    Column("day", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("good", BigInteger, nullable=False),
    Column("total", BigInteger, nullable=False),
    Column("target", Text),
    Column("sample", Text),
    Column("judged_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("code", "connector", "entity", "field", "day"),
)
"""The last judgement of each check on each Shanghai day: good of total, and up to ten keys that failed."""

audit = Table(
    "audit",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("at", BigInteger, nullable=False),
    Column("actor", Text, nullable=False),
    Column("act", Text, nullable=False),
    Column("object", Text, nullable=False),
    Column("detail", Text, nullable=False),
    sqlite_autoincrement=True,
)
"""Append-only: who did what to what. Triggers refuse UPDATE and DELETE."""

setting = Table(
    "setting",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)
