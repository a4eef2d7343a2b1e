"""The fields the hub writes back, and how their values look in the outbox and at a target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import polars as pl

from connectors.writer import Absent, Field, FieldType, Value
from mappings.problems import Text


@dataclass(frozen=True)
class HubField:
    """One field: its title, and the kind of its value (score, text, time, count, money)."""

    name: str
    title: Text
    kind: str


FIELDS: Mapping[str, HubField] = {
    field.name: field
    for field in (
        HubField("score", Text("评分", "score"), "score"),
        HubField("tier", Text("分层", "tier"), "text"),
        HubField("last_purchase_at", Text("最近消费时间", "last purchase"), "time"),
        HubField("purchase_count", Text("消费次数", "number of purchases"), "count"),
        HubField("purchase_amount", Text("消费金额", "amount of purchases"), "money"),
    )
}
"""What can be written back, by name."""

FACTS = ("last_purchase_at", "purchase_count", "purchase_amount")
"""Made of orders alone, with no definition that somebody has to approve."""

_SHANGHAI = timedelta(hours=8)


def time_text(at: pl.Expr) -> pl.Expr:
    """A stored time as the outbox keeps it: whole seconds UTC, because few targets keep more."""
    return at.cast(pl.Datetime("us")).dt.strftime("%Y-%m-%dT%H:%M:%SZ")


def value_for(field: Field, text: str | None) -> Value:
    """The outbox's text as the type that the target's field takes."""
    if text is None:
        return None
    if field.type is FieldType.INTEGER:
        number = Decimal(text)
        # A field of whole numbers refuses a broken amount (write.wrong-type) rather than lose its fen.
        return int(number) if number == number.to_integral_value() else text
    if field.type is FieldType.DECIMAL:
        return Decimal(text)
    if field.type is FieldType.TIME:
        return datetime.fromisoformat(text)
    if field.type is FieldType.DAY:
        return (datetime.fromisoformat(text) + _SHANGHAI).date()
    if field.type is FieldType.FLAG:
        return text == "1"
    return text


def text_of(value: Value | Absent) -> str | None:
    """What a target holds, as the outbox keeps it; a record that is not there holds nothing."""
    if value is None or isinstance(value, Absent):
        return None
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, (int, Decimal)):
        return format(Decimal(value), "f")
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, date):
        return value.isoformat()
    return value


def shown(name: str, text: str | None) -> str:
    """A value as plans and lists show it; "—" for nothing."""
    if text is None:
        return "—"
    kind = FIELDS[name].kind if name in FIELDS else "text"
    if kind == "time":
        return (datetime.fromisoformat(text) + _SHANGHAI).strftime("%Y-%m-%d %H:%M")
    if kind == "money":
        return f"{Decimal(text):,.2f}"
    return text
