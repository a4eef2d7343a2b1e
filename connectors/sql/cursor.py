"""Keeps the place in a table: which row was read last, and where the next statement has to begin.

A place is the modified value and the key of a row, as the driver gave them: written back into the statement
they compare exactly as the database itself sorts them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.sql.elements import ColumnElement

from connectors.bookmarks import Bookmark, as_time, bookmark

__all__ = ["Place", "after", "as_bookmark", "from_state", "key_text", "raw_like", "to_state"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Place:
    """Where a statement begins: at this modified value and key, both included. A key of () means any."""

    modified: Any
    key: tuple[Any, ...] = ()


def after(
    place: Place, modified: ColumnElement[Any], key: Sequence[ColumnElement[Any]], *, key_only: bool = False
) -> ColumnElement[bool]:
    """Rows at the place or behind it, in the order of (modified, key).

    Included, because a key need not be unique and a collation may call two keys equal: rows read twice are
    dropped by their content, rows never read would be lost.
    """
    if key_only:
        return _key_from(place.key, key)
    bound = _bind(place.modified)
    if not place.key:
        return cast("ColumnElement[bool]", modified >= bound)
    return sa.and_(modified >= bound, sa.or_(modified > bound, _key_from(place.key, key)))


def _key_from(values: Sequence[Any], columns: Sequence[ColumnElement[Any]]) -> ColumnElement[bool]:
    """(a, b) >= (1, 2) spelled out, since not every database compares rows."""
    value, column = _bind(values[0]), columns[0]
    if len(columns) == 1:
        return cast("ColumnElement[bool]", column >= value)
    return sa.or_(column > value, sa.and_(column == value, _key_from(values[1:], columns[1:])))


def _bind(value: Any) -> Any:
    # A bound value without a type of its own goes to the driver as it is.
    return sa.bindparam(None, value, type_=sa.types.NullType(), unique=True)


def as_bookmark(raw: Any, kind: str, zone: tzinfo) -> Bookmark | None:
    """What a modified value means as bookmark: UTC time, or a whole number; None if it means neither."""
    if kind == "rowversion" and isinstance(raw, (bytes, memoryview)):
        return int.from_bytes(bytes(raw), "big")
    if kind in {"rowversion", "sequence"}:
        return int(raw)
    if kind in {"unix_s", "unix_ms"}:
        return bookmark(_EPOCH + timedelta(seconds=float(raw)) / (1000 if kind == "unix_ms" else 1))
    if isinstance(raw, date) and not isinstance(raw, datetime):
        raw = datetime(raw.year, raw.month, raw.day, tzinfo=zone)
    at = as_time(raw, zone)
    return bookmark(at) if at is not None else None


def raw_like(sample: Any, at: datetime, kind: str, zone: tzinfo) -> Any:
    """A time in the form the column holds times in, rounded down; `sample` is a value of the column."""
    if kind == "unix_s":
        return int(at.timestamp())
    if kind == "unix_ms":
        return int(at.timestamp()) * 1000
    local = at.astimezone(zone)
    if isinstance(sample, datetime):
        return at if sample.tzinfo is not None else local.replace(tzinfo=None)
    if isinstance(sample, date):
        return local.date()
    # Text compares as text: the same separators, no fraction and no offset, is never after the same moment.
    text = str(sample)
    if text.endswith(("Z", "+00:00")):
        local = at.astimezone(UTC)
    separator = "T" if "T" in text else " "
    return local.strftime(f"%Y-%m-%d{separator}%H:%M:%S").replace("-", "/" if "/" in text else "-")


def key_text(key: Sequence[Any]) -> str:
    """A key as one text, to compare keys of one stream with each other."""
    return "\x1f".join(str(part) for part in key)


def to_state(place: Place) -> dict[str, Any]:
    """The place as JSON values that `from_state` reads back without loss."""
    return {"modified": _tagged(place.modified), "key": [_tagged(part) for part in place.key]}


def from_state(kept: Mapping[str, Any]) -> Place:
    """The place that `to_state` kept."""
    return Place(_untagged(kept["modified"]), tuple(_untagged(part) for part in kept["key"]))


def _tagged(value: Any) -> Any:
    if value is None or isinstance(value, (str, int, float)):
        return value
    if isinstance(value, datetime):
        return {"time": value.isoformat()}
    if isinstance(value, date):
        return {"day": value.isoformat()}
    if isinstance(value, Decimal):
        return {"decimal": str(value)}
    if isinstance(value, (bytes, bytearray, memoryview)):
        return {"bytes": bytes(value).hex()}
    if isinstance(value, UUID):
        return {"uuid": str(value)}
    return str(value)


def _untagged(kept: Any) -> Any:
    if not isinstance(kept, Mapping):
        return kept
    tag, text = next(iter(kept.items()))
    return _READ[tag](text)


_READ: Mapping[str, Callable[[str], Any]] = {
    "time": datetime.fromisoformat,
    "day": date.fromisoformat,
    "decimal": Decimal,
    "bytes": bytes.fromhex,
    "uuid": UUID,
}
