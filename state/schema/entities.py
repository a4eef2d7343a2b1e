"""The unified tables made from the model, and what stands beside them: numbers, identifiers, links, decisions."""

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
