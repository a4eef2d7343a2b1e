"""The checks one row can pass or fail by itself: a registry of named, vectorised comparisons.

A contract names a check and gives its arguments; it writes no expression. Each check returns an expression
that is true where the row is right. An empty cell is right everywhere but in `filled`: whether a field must be
filled is its own question.

To add a check, write a function below under `@row_check`, naming how each of its arguments is read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation
from enum import Enum, auto
from typing import Any

import polars as pl

from mappings import model

HOUR_US = 3_600_000_000
SHANGHAI = timezone(timedelta(hours=8))
DAY_US = 24 * HOUR_US


class Reads(Enum):
    """How a contract's argument becomes an argument of the check."""

    VALUE = auto()
    """A value of the checked field's own type: yuan for money, pieces for quantities, a day for times."""
    VALUES = auto()
    FIELD = auto()
    """Another field of the same entity."""
    FIELDS = auto()
    HOURS = auto()
    PATTERN = auto()
    """A regular expression that the whole text must match."""


class WrongArgument(ValueError):
    """A contract gives a check an argument that it cannot use."""


@dataclass(frozen=True)
class RowCheck:
    """One registered check: its name, how its arguments are read, which of them may be left out."""

    name: str
    build: Callable[..., pl.Expr]
    reads: Mapping[str, Reads]
    optional: Mapping[str, Any] = field(default_factory=dict)
    types: frozenset[model.Type] = frozenset(model.Type)
    uses_extracted_at: bool = False

    def read(self, checked: model.Field, entity: model.Entity, given: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments in storage units; WrongArgument says which one is missing, unknown or unreadable."""
        if checked.type not in self.types:
            raise WrongArgument(f"{self.name}: {checked.name} is of type {checked.type}")
        unknown = sorted(set(given) - set(self.reads))
        if unknown:
            raise WrongArgument(f"{', '.join(unknown)}: {self.name} takes {', '.join(self.reads) or 'nothing'}")
        arguments = dict(self.optional)
        for name, reads in self.reads.items():
            if name in given:
                try:
                    arguments[name] = _READERS[reads](given[name], checked, entity)
                except (InvalidOperation, TypeError, ValueError, KeyError, re.error) as error:
                    raise WrongArgument(f"{name}: {given[name]!r}") from error
            elif name not in self.optional:
                raise WrongArgument(f"{name}: missing")
        return arguments

    def columns(self, checked: str, arguments: Mapping[str, Any]) -> tuple[str, ...]:
        """Every column the check looks at, its own field first."""
        others: list[str] = []
        for name, reads in self.reads.items():
            if reads is Reads.FIELD:
                others.append(arguments[name])
            elif reads is Reads.FIELDS:
                others += arguments[name]
        hub = ["extracted_at"] if self.uses_extracted_at else []
        return tuple(dict.fromkeys([checked, *others, *hub]))


CHECKS: dict[str, RowCheck] = {}
"""Every row check by name."""

_NUMBERS = frozenset({model.Type.MONEY, model.Type.QUANTITY, model.Type.INTEGER, model.Type.FLAG})
_TIMES = frozenset({model.Type.TIME, model.Type.DAY})
_TEXTS = frozenset({model.Type.ID, model.Type.TEXT, model.Type.CHOICE, model.Type.DECIMAL, model.Type.DAY})


def row_check(
    *,
    types: frozenset[model.Type] = frozenset(model.Type),
    optional: Mapping[str, Any] | None = None,
    uses_extracted_at: bool = False,
    **reads: Reads,
) -> Callable[[Callable[..., pl.Expr]], Callable[..., pl.Expr]]:
    """Registers the function under its own name; `types` are the field types it can judge."""

    def register(build: Callable[..., pl.Expr]) -> Callable[..., pl.Expr]:
        CHECKS[build.__name__] = RowCheck(build.__name__, build, reads, optional or {}, types, uses_extracted_at)
        return build

    return register


# --- the checks ---------------------------------------------------------------------------------------


@row_check()
def filled(checked: model.Field) -> pl.Expr:
    """The field is not empty; text of spaces is empty."""
    column = pl.col(checked.name)
    if checked.type in _TEXTS:
        return column.str.strip_chars().fill_null("") != ""
    return column.is_not_null()


@row_check(types=_NUMBERS | _TIMES, value=Reads.VALUE)
def at_least(checked: model.Field, value: Any) -> pl.Expr:
    """Not below the value."""
    right: pl.Expr = pl.col(checked.name) >= value
    return right


@row_check(types=_NUMBERS | _TIMES, value=Reads.VALUE)
def at_most(checked: model.Field, value: Any) -> pl.Expr:
    """Not above the value."""
    right: pl.Expr = pl.col(checked.name) <= value
    return right


@row_check(types=_NUMBERS, value=Reads.VALUE)
def more_than(checked: model.Field, value: Any) -> pl.Expr:
    """Above the value."""
    right: pl.Expr = pl.col(checked.name) > value
    return right


@row_check(types=_NUMBERS | _TIMES, low=Reads.VALUE, high=Reads.VALUE)
def in_range(checked: model.Field, low: Any, high: Any) -> pl.Expr:
    """Between the two values, both included."""
    return pl.col(checked.name).is_between(low, high)


@row_check(value=Reads.VALUE)
def equals(checked: model.Field, value: Any) -> pl.Expr:
    """Exactly the value."""
    right: pl.Expr = pl.col(checked.name) == value
    return right


@row_check(values=Reads.VALUES)
def one_of(checked: model.Field, values: list[Any]) -> pl.Expr:
    """One of the values."""
    return pl.col(checked.name).is_in(values)


@row_check(types=_TEXTS, pattern=Reads.PATTERN)
def matches(checked: model.Field, pattern: str) -> pl.Expr:
    """The whole text matches the regular expression."""
    return pl.col(checked.name).str.contains(pattern)


@row_check(types=_TIMES, other=Reads.FIELD)
def not_before(checked: model.Field, other: str) -> pl.Expr:
    """Not earlier than the other time; right where either is unknown."""
    return pl.col(checked.name) >= pl.col(other)


@row_check(types=_TIMES, optional={"allowed_hours": 0}, uses_extracted_at=True, allowed_hours=Reads.HOURS)
def not_in_future(checked: model.Field, allowed_hours: int) -> pl.Expr:
    """Not later than the moment the record was pulled, plus the allowance for clocks that differ."""
    latest = pl.col("extracted_at") + allowed_hours * HOUR_US
    if checked.type is model.Type.DAY:
        return pl.col(checked.name) <= _shanghai_day(latest)
    return pl.col(checked.name) <= latest


@row_check(types=_TIMES, uses_extracted_at=True, since=Reads.VALUE)
def in_past(checked: model.Field, since: Any) -> pl.Expr:
    """From that day on, and not later than the moment the record was pulled."""
    right: pl.Expr = (pl.col(checked.name) >= since) & not_in_future(checked, 0)
    return right


@row_check(
    types=frozenset({model.Type.MONEY, model.Type.QUANTITY}),
    optional={"minus": [], "tolerance": 0},
    plus=Reads.FIELDS,
    minus=Reads.FIELDS,
    tolerance=Reads.VALUE,
)
def within_total(checked: model.Field, plus: list[str], minus: list[str], tolerance: int) -> pl.Expr:
    """Not above the sum of some fields less others, beyond the tolerance.

    Right where the first field of the sum is unknown; the others count as 0 when they are empty.
    """
    total = pl.col(plus[0])
    for name in plus[1:]:
        total = total + pl.col(name).fill_null(0)
    for name in minus:
        total = total - pl.col(name).fill_null(0)
    return pl.col(checked.name) <= total + tolerance


# --- reading arguments --------------------------------------------------------------------------------


def _value(given: Any, checked: model.Field, _entity: model.Entity) -> Any:
    match checked.type:
        case model.Type.MONEY:
            return _scaled(given, model.MONEY_SCALE)
        case model.Type.QUANTITY:
            return _scaled(given, model.QUANTITY_SCALE)
        case model.Type.INTEGER | model.Type.FLAG:
            return _scaled(given, 1)
        case model.Type.TIME:
            return _microseconds(given)
        case model.Type.DAY:
            return date.fromisoformat(str(given)).isoformat()
        case _:
            if not isinstance(given, str):
                raise TypeError(given)
            return given


def _scaled(given: Any, scale: int) -> int:
    if isinstance(given, bool) or not isinstance(given, int | float | str):
        raise TypeError(given)
    stored = Decimal(str(given)) * scale
    if stored != stored.to_integral_value():
        raise ValueError(given)
    return int(stored)


def _microseconds(given: Any) -> int:
    moment = datetime.fromisoformat(str(given))
    aware = moment if moment.tzinfo else moment.replace(tzinfo=SHANGHAI)
    return (aware - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def _values(given: Any, checked: model.Field, entity: model.Entity) -> list[Any]:
    if not isinstance(given, list) or not given:
        raise TypeError(given)
    return [_value(item, checked, entity) for item in given]


def _field(given: Any, _checked: model.Field, entity: model.Entity) -> str:
    return entity.field(given).name


def _fields(given: Any, checked: model.Field, entity: model.Entity) -> list[str]:
    if not isinstance(given, list) or not given:
        raise TypeError(given)
    return [_field(item, checked, entity) for item in given]


def _hours(given: Any, _checked: model.Field, _entity: model.Entity) -> int:
    if isinstance(given, bool) or not isinstance(given, int) or given < 0:
        raise TypeError(given)
    return given


def _pattern(given: Any, _checked: model.Field, _entity: model.Entity) -> str:
    whole = f"^(?:{given})$"
    try:
        pl.Series([""]).str.contains(whole)
    except pl.exceptions.ComputeError as error:
        raise ValueError(given) from error
    return whole


_READERS: dict[Reads, Callable[[Any, model.Field, model.Entity], Any]] = {
    Reads.VALUE: _value,
    Reads.VALUES: _values,
    Reads.FIELD: _field,
    Reads.FIELDS: _fields,
    Reads.HOURS: _hours,
    Reads.PATTERN: _pattern,
}


def _shanghai_day(at: pl.Expr) -> pl.Expr:
    """The Shanghai calendar day of an instant in microseconds UTC, as YYYY-MM-DD."""
    days = (at + 8 * HOUR_US).floordiv(DAY_US)
    return days.cast(pl.Int32).cast(pl.Date).dt.to_string("%Y-%m-%d")
