"""Counts what is owed. Each kind of debt registers itself by decorator; modules of this package are found, not listed.

A debt is a function that says which items are owed: SQL with columns `key`, `since` and `due`, or the items
themselves. Items somebody has waived (quality/waivers.py) are counted apart. An item past its due time is overdue.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from mappings.problems import Text
from quality.expectations import Expectations
from state.bulk import execute

ORDER = ("quarantine", "landing", "writes", "streams", "held_lines", "decisions")
"""How they are listed where several are; a debt that is not named here comes after them."""


@dataclass(frozen=True)
class Unregistered:
    """Landing files that are sealed on disk and not known to the database (it was down when they were written)."""

    files: int = 0
    oldest_at: int | None = None


NONE_UNREGISTERED = Unregistered()


@dataclass(frozen=True)
class Owing:
    """What a debt may need: the time (microseconds UTC), what is expected, and what only the disk knows."""

    now: int
    expectations: Expectations
    unregistered: Unregistered = NONE_UNREGISTERED


@dataclass(frozen=True)
class Query:
    """SQL for the items: key (as a waiver names it), since and due in microseconds UTC (due may be NULL)."""

    sql: str
    parameters: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Item:
    """One thing that is owed."""

    key: str
    since: int
    due: int | None


@dataclass(frozen=True)
class Answer:
    """What is owed, as a query, as items, or both."""

    query: Query | None = None
    items: tuple[Item, ...] = ()


@dataclass(frozen=True)
class Debt:
    """One registered kind of debt."""

    name: str
    title: Text
    ask: Callable[[Connection, Owing], Answer]


@dataclass(frozen=True)
class Owed:
    """How one debt stands; waived items are in neither `owed` nor `overdue`."""

    name: str
    title: Text
    owed: int
    overdue: int
    waived: int
    oldest_at: int | None
    next_due_at: int | None


_debts: dict[str, Debt] = {}


def debt(
    name: str, title: Text
) -> Callable[[Callable[[Connection, Owing], Answer]], Callable[[Connection, Owing], Answer]]:
    """Registers a kind of debt."""

    def register(ask: Callable[[Connection, Owing], Answer]) -> Callable[[Connection, Owing], Answer]:
        _debts[name] = Debt(name, title, ask)
        return ask

    return register


def known() -> Mapping[str, Debt]:
    """Every kind of debt by name, in the order in which they are listed."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    names = sorted(_debts, key=lambda name: (ORDER.index(name) if name in ORDER else len(ORDER), name))
    return {name: _debts[name] for name in names}


def owed(tx: Connection, owing: Owing) -> list[Owed]:
    """Every kind of debt with its counts."""
    return [_count(tx, one, one.ask(tx, owing), owing.now) for one in known().values()]


def _count(tx: Connection, one: Debt, answer: Answer, now: int) -> Owed:
    count, overdue, waived = 0, 0, 0
    times: list[int] = []
    dues: list[int] = []
    if answer.query is not None:
        row = execute(
            tx,
            f"""
            WITH item AS ({answer.query.sql}),
            judged AS (
                SELECT item.since, item.due,
                       CASE WHEN EXISTS (
                           SELECT 1 FROM waiver
                           WHERE waiver.debt = ? AND waiver.key = item.key AND waiver.expires_at > ?)
                       THEN 1 ELSE 0 END AS waived
                FROM item
            )
            SELECT coalesce(sum(1 - waived), 0),
                   coalesce(sum(CASE WHEN waived = 0 AND due < ? THEN 1 ELSE 0 END), 0),
                   coalesce(sum(waived), 0),
                   min(CASE WHEN waived = 0 THEN since END), min(CASE WHEN waived = 0 THEN due END)
            FROM judged
            """,
            (*answer.query.parameters, one.name, now, now),
        ).one()
        count, overdue, waived = int(row[0]), int(row[1]), int(row[2])
        times += [int(row[3])] if row[3] is not None else []
        dues += [int(row[4])] if row[4] is not None else []
    spared = _waived_keys(tx, one.name, now) if answer.items else frozenset()
    for item in answer.items:
        if item.key in spared:
            waived += 1
            continue
        count += 1
        overdue += item.due is not None and item.due < now
        times.append(item.since)
        dues += [] if item.due is None else [item.due]
    return Owed(one.name, one.title, count, overdue, waived, min(times, default=None), min(dues, default=None))


def _waived_keys(tx: Connection, name: str, now: int) -> frozenset[str]:
    rows = execute(tx, "SELECT key FROM waiver WHERE debt = ? AND expires_at > ?", (name, now))
    return frozenset(row[0] for row in rows)
