"""Answers what resolving asks of the store, and keeps what it found."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

import polars as pl
from sqlalchemy import Connection

from mappings.identity.graph import Identifier, Named, name_keys
from mappings.identity.partition import DECISIONS, LINKS, RECORDS, Capped, Member, Refused
from state import touched
from state.bulk import BYTES_AT_ONCE, execute, execute_many, listed, listed_bytes

NUMBERS_AT_ONCE = 20_000
_RECORD = "SELECT record_no, connector, name, kind FROM customer_record"
_LINK = "SELECT record_no, kind, scope, digest, class FROM identifier WHERE class = 'usable'"
_DECISION = "SELECT record_a, record_b, kind FROM identity_decision WHERE withdrawn_at IS NULL"


class StoreGraph:
    """mappings.identity.graph.Graph over the database, inside one transaction."""

    def __init__(self, tx: Connection) -> None:
        self._tx = tx

    def records(self, record_nos: Collection[int]) -> Iterable[tuple[int, str | None, str | None]]:
        return by_number(self._tx, "SELECT record_no, name, kind FROM customer_record WHERE record_no IN", record_nos)

    def links(self, record_nos: Collection[int]) -> Iterable[tuple[int, Identifier]]:
        select = "SELECT record_no, kind, scope, digest FROM identifier WHERE class = 'usable' AND record_no IN"
        for number, kind, scope, digest in by_number(self._tx, select, record_nos):
            yield number, Identifier(kind, scope, bytes(digest))

    def degrees(self, identifiers: Collection[Identifier]) -> Iterable[tuple[Identifier, int]]:
        select = "SELECT kind, scope, digest, count(*) FROM identifier WHERE class = 'usable' AND digest IN"
        for kind, scope, digest, records in self._by_digest(select, identifiers, "GROUP BY kind, scope, digest"):
            yield Identifier(kind, scope, bytes(digest)), records

    def holders(self, identifiers: Collection[Identifier]) -> Iterable[int]:
        select = "SELECT record_no FROM identifier WHERE class = 'usable' AND digest IN"
        return {number for (number,) in self._by_digest(select, identifiers)}

    def namesakes(self, named: Collection[Named]) -> Iterable[tuple[Named, int]]:
        select = (
            "SELECT i.kind, i.scope, i.digest, r.record_no, r.name FROM identifier AS i "
            "JOIN customer_record AS r ON r.record_no = i.record_no WHERE i.class = 'usable' AND i.digest IN"
        )
        rows = list(self._by_digest(select, {one.identifier for one in named}))
        keys = name_keys([row[4] for row in rows])
        wanted = set(named)
        for (kind, scope, digest, number, _), key in zip(rows, keys, strict=True):
            one = Named(Identifier(kind, scope, bytes(digest)), key)
            if one in wanted:
                yield one, number

    def decisions(self, record_nos: Collection[int]) -> Iterable[tuple[int, int, str]]:
        first = by_number(self._tx, f"{_DECISION} AND record_a IN", record_nos)
        second = by_number(self._tx, f"{_DECISION} AND record_b IN", record_nos)
        return {(a, b, kind) for a, b, kind in (*first, *second)}

    def members(self, record_nos: Collection[int]) -> Iterable[tuple[int, int, int]]:
        select = "SELECT DISTINCT component_id FROM customer_record WHERE component_id IS NOT NULL AND record_no IN"
        components = {component for (component,) in by_number(self._tx, select, record_nos)}
        return by_number(
            self._tx,
            "SELECT record_no, component_id, customer_id FROM customer_record WHERE component_id IN",
            components,
        )

    def _by_digest(self, select: str, identifiers: Collection[Identifier], rest: str = "") -> Iterator[Any]:
        # The digest is keyed with kind and scope, so it names the identifier by itself.
        wanted = sorted({one.digest for one in identifiers})
        for start in range(0, len(wanted), BYTES_AT_ONCE):
            sql, parameters = listed_bytes(self._tx, wanted[start : start + BYTES_AT_ONCE])
            yield from execute(self._tx, f"{select} {sql} {rest}", parameters)


def by_number(tx: Connection, select: str, numbers: Iterable[int]) -> Iterator[Any]:
    """Rows of a statement that ends in `IN`, for these numbers."""
    wanted = sorted(numbers)
    for start in range(0, len(wanted), NUMBERS_AT_ONCE):
        sql, parameter = listed(tx, wanted[start : start + NUMBERS_AT_ONCE], "bigint")
        yield from execute(tx, f"{select} {sql}", (parameter,))


def everything(tx: Connection) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """All records, usable links and decisions in force: the input of a full resolution."""
    return _frame(tx, _RECORD, RECORDS), _frame(tx, _LINK, LINKS), _frame(tx, _DECISION, DECISIONS)


def queued(tx: Connection) -> tuple[list[int], list[Named]]:
    """The records that changed since the last resolution, and what they carried before."""
    numbers = [n for (n,) in execute(tx, "SELECT record_no FROM resolve_queue ORDER BY record_no")]
    rows = execute(tx, "SELECT kind, scope, digest, nullif(name_key, '') FROM resolve_lost")
    return numbers, [Named(Identifier(kind, scope, bytes(digest)), name) for kind, scope, digest, name in rows]


def lose(tx: Connection, carried: pl.DataFrame) -> None:
    """Remembers identifiers (kind, scope, digest, name_key) that queued records may carry no more."""
    names = ["kind", "scope", "digest", "name_key"]
    execute_many(
        tx,
        "INSERT INTO resolve_lost (kind, scope, digest, name_key) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
        carried.select(*names[:3], pl.col("name_key").fill_null("")).unique().sort(names).rows(),
    )


def keep(
    tx: Connection,
    members: Iterable[Member],
    conflicts: Iterable[Refused],
    components: set[int],
    capped: Iterable[Capped],
    checked: Collection[Identifier] | None,
    now: int,
) -> list[int]:
    """Writes the answer for whole components; the queue is empty after it. Returns the customers that changed.

    `components` are all component ids it replaces, vanished ones included; `checked` are the identifiers it
    looked at (None: all there are).
    """
    wanted = {m[0]: (m[1], m[2]) for m in members}
    select = "SELECT record_no, component_id, customer_id FROM customer_record WHERE record_no IN"
    before = {number: (component, customer) for number, component, customer in by_number(tx, select, wanted)}
    moved = sorted(number for number, where in wanted.items() if before.get(number) != where)
    execute_many(
        tx,
        "UPDATE customer_record SET component_id = ?, customer_id = ? WHERE record_no = ?",
        [(*wanted[number], number) for number in moved],
    )
    _keep_conflicts(tx, conflicts, components, now)
    _keep_shared(tx, capped, checked)
    execute(tx, "DELETE FROM resolve_queue")
    execute(tx, "DELETE FROM resolve_lost")
    customers = {wanted[n][1] for n in moved} | {before[n][1] for n in moved if n in before}
    changed = sorted(c for c in customers if c is not None)
    # A customer is named by one of its records, so marking that record reaches it, wherever it belongs now.
    touched.mark(tx, {*moved, *changed}, now)
    return changed


def _keep_conflicts(tx: Connection, conflicts: Iterable[Refused], components: set[int], now: int) -> None:
    key = "component_id, record_a, record_b, kind, scope, digest"
    select = f"SELECT {key}, opened_at FROM identity_conflict WHERE component_id IN"
    # What stays open keeps the day it was opened on: its due date does not move.
    known = {(*row[1:5], bytes(row[5])): row[6] for row in by_number(tx, select, components)}
    execute_many(tx, "DELETE FROM identity_conflict WHERE component_id = ?", [(c,) for c in sorted(components)])
    rows = []
    for one in conflicts:
        pair = (one.record_a, one.record_b, one.kind, one.scope, one.digest)
        evidence = {name: getattr(one, name) for name in _EVIDENCE}
        rows.append((one.component_id, *pair, one.code, json.dumps(evidence, sort_keys=True), known.get(pair, now)))
    execute_many(
        tx,
        f"INSERT INTO identity_conflict ({key}, code, evidence, opened_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) "
        "ON CONFLICT DO NOTHING",
        sorted(rows),
    )


_EVIDENCE = ("customer_a", "customer_b", "with_name", "against_kind", "against_scope", "against_a", "against_b")


def _keep_shared(tx: Connection, capped: Iterable[Capped], checked: Collection[Identifier] | None) -> None:
    if checked is None:
        execute(tx, "DELETE FROM identity_shared")
    else:
        execute_many(
            tx, "DELETE FROM identity_shared WHERE kind = ? AND scope = ? AND digest = ?", sorted(map(tuple, checked))
        )
    execute_many(
        tx,
        "INSERT INTO identity_shared (kind, scope, digest, records, cap) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        sorted(map(tuple, capped)),
    )


def _frame(tx: Connection, sql: str, schema: Mapping[str, pl.DataType]) -> pl.DataFrame:
    return pl.DataFrame([tuple(row) for row in execute(tx, sql)], schema=schema, orient="row")
