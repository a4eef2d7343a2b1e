"""The one database: unified tables made from the model, and what the hub needs to run.

One schema for SQLite and PostgreSQL. Amounts, quantities and times are BIGINT (mappings/model.py says the
units), so that both databases compute exactly and both drivers take the values raw.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from mappings import model

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

STORAGE: dict[model.Type, type] = {
    model.Type.MONEY: BigInteger,
    model.Type.QUANTITY: BigInteger,
    model.Type.TIME: BigInteger,
    model.Type.INTEGER: BigInteger,
    model.Type.FLAG: Integer,
    model.Type.DIGEST: LargeBinary,
}
"""Column type of each model type; everything else is TEXT."""

UNIFIED_INDEXES: dict[str, tuple[tuple[str, ...], ...]] = {
    "customer_record": (("record_no",), ("customer_id",), ("component_id",)),
    "product": (("code",),),
    "order": (("buyer_record_no",), ("platform_no",)),
    "order_line": (("connector", "order_source_id"), ("connector", "sku")),
    "refund": (("connector", "order_source_id"),),
    "ticket": (("buyer_record_no",),),
    "interaction": (("buyer_record_no",),),
    "lead": (("buyer_record_no",),),
    "rating": (("buyer_record_no",),),
    "stock": (),
    "campaign_response": (("buyer_record_no",),),
}
"""Secondary indexes, each for a question the hub asks by key."""


def _column(field: model.Field) -> Column[Any]:
    return Column(field.name, STORAGE.get(field.type, Text), nullable=not field.required)


def _unified(entity: model.Entity) -> Table:
    table = Table(
        entity.name,
        metadata,
        Column("connector", Text, nullable=False),
        *(_column(f) for f in (*model.KEY_FIELDS, *entity.fields)),
        Column("deleted", Integer, nullable=False, server_default=text("0")),
        Column("extra", Text),
        *(_column(f) for f in model.HUB_FIELDS),
        # Versions of single fields, JSON; only on rows that a partial stream has touched.
        Column("field_versions", Text),
        PrimaryKeyConstraint("connector", "source_id"),
        sqlite_with_rowid=False,
    )
    for columns in UNIFIED_INDEXES[entity.name]:
        Index(None, *(table.c[c] for c in columns))
    return table


unified: dict[str, Table] = {entity.name: _unified(entity) for entity in model.ENTITIES.values()}
"""The unified table of each entity."""

_lines = unified["order_line"]
Index(
    "ix_order_line_held",
    _lines.c.connector,
    sqlite_where=_lines.c.status == "held",
    postgresql_where=_lines.c.status == "held",
)
# Every `status` counts the held lines; there are few among many.

record_registry = Table(
    "record_registry",
    metadata,
    Column("record_no", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("connector", Text, nullable=False),
    Column("source_id", Text, nullable=False),
    UniqueConstraint("connector", "source_id"),
    sqlite_autoincrement=True,
)
"""Permanent number of every source record of a customer, given when it is first named; never reused."""

identifier = Table(
    "identifier",
    metadata,
    Column("connector", Text, nullable=False),
    Column("source_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("scope", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("record_no", BigInteger, nullable=False),
    Column("mask", Text),
    Column("value_enc", LargeBinary),
    Column("class", Text, nullable=False),
    Column("reason", Text),
    Column("first_seen_at", BigInteger, nullable=False),
    Column("last_seen_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("connector", "source_id", "kind", "scope", "digest"),
    sqlite_with_rowid=False,
)
# Covers "who carries this identifier" and "how many do".
Index(None, identifier.c.digest, identifier.c["class"], identifier.c.record_no)
Index(None, identifier.c.record_no)

resolve_queue = Table(
    "resolve_queue",
    metadata,
    Column("record_no", BigInteger, primary_key=True, autoincrement=False),
)
"""Records whose name or identifiers changed since the last resolution; filled by the load that changed them."""

resolve_lost = Table(
    "resolve_lost",
    metadata,
    Column("kind", Text, nullable=False),
    Column("scope", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("name_key", Text, nullable=False),
    PrimaryKeyConstraint("kind", "scope", "digest", "name_key"),
    sqlite_with_rowid=False,
)
"""What queued records carried before they changed: identifier, and the name beside it ('' for none)."""

touched_record = Table(
    "touched_record",
    metadata,
    Column("record_no", BigInteger, primary_key=True, autoincrement=False),
    Column("since", BigInteger, nullable=False),
    Column("taken_by", Text),
)
"""Customer records whose orders or set changed since scores and wanted values were last made from them."""

identity_shared = Table(
    "identity_shared",
    metadata,
    Column("kind", Text, nullable=False),
    Column("scope", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("records", BigInteger, nullable=False),
    Column("cap", BigInteger, nullable=False),
    PrimaryKeyConstraint("kind", "scope", "digest"),
)
"""Identifiers that more records carry than their kind allows: they join nobody by themselves."""

sku_link = Table(
    "sku_link",
    metadata,
    Column("connector", Text, nullable=False),
    Column("sku", Text, nullable=False),
    Column("product_code", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("factor", Text),
    Column("share", Text),
    Column("valid_from", BigInteger),
    Column("valid_to", BigInteger),
    Column("status", Text, nullable=False),
    Column("decided_by", Text),
    Column("decided_at", BigInteger),
    Column("reason", Text),
    PrimaryKeyConstraint("connector", "sku", "product_code"),
)

identity_decision = Table(
    "identity_decision",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("kind", Text, nullable=False),
    Column("record_a", BigInteger, nullable=False),
    Column("record_b", BigInteger, nullable=False),
    Column("decided_by", Text, nullable=False),
    Column("decided_at", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("withdrawn_at", BigInteger),
    Column("withdrawn_by", Text),
    sqlite_autoincrement=True,
)
"""must_link and cannot_link pairs; a withdrawn one stays for the audit."""

identity_conflict = Table(
    "identity_conflict",
    metadata,
    Column("component_id", BigInteger, nullable=False),
    Column("record_a", BigInteger, nullable=False),
    Column("record_b", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("scope", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("code", Text, nullable=False),
    Column("evidence", Text, nullable=False),
    Column("opened_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("component_id", "record_a", "record_b", "kind", "scope", "digest"),
)
"""Unions that were refused and wait for a person; rows live as long as the refusal does."""

# --- running -------------------------------------------------------------------------------------------

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

# --- scores and write-back -----------------------------------------------------------------------------

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

# --- judging -------------------------------------------------------------------------------------------

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
