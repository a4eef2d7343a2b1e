"""Answers what resolving asks of the store, and keeps what it found."""

from __future__ import annotations

import json
from collections.abc import Iterator

import polars as pl
from sqlalchemy import Connection

from mappings.identity.graph import NAMED
from mappings.identity.names import name_key
from mappings.identity.partition import DECISIONS, IDENTIFIER, LINKS, MEMBERS, RECORDS, Partition
from state.bulk import BYTES_AT_ONCE, execute, execute_many, listed, listed_bytes

NUMBERS_AT_ONCE = 20_000
_RECORD = "SELECT record_no, connector, name, kind FROM customer_record"
_LINK = "SELECT record_no, kind, scope, digest, class FROM identifier WHERE class = 'usable'"
_DECISION = "SELECT record_a, record_b, kind FROM identity_decision WHERE withdrawn_at IS NULL"
_MEMBER = "SELECT record_no, component_id, customer_id FROM customer_record WHERE component_id IS NOT NULL"


class StoreGraph:
    """mappings.identity.graph.Graph over the database, inside one transaction."""

    def __init__(self, tx: Connection) -> None:
        self._tx = tx

    def records(self, record_nos: pl.Series) -> pl.DataFrame:
        return self._by_number(f"{_RECORD} WHERE record_no IN", record_nos, RECORDS)

    def links(self, record_nos: pl.Series) -> pl.DataFrame:
        return self._by_number(f"{_LINK} AND record_no IN", record_nos, LINKS)

    def degrees(self, identifiers: pl.DataFrame) -> pl.DataFrame:
        rows = self._by_digest(
            "SELECT kind, scope, digest, count(*) FROM identifier WHERE class = 'usable' AND digest IN",
            identifiers["digest"],
            "GROUP BY kind, scope, digest",
        )
        return pl.DataFrame(rows, schema=_IDENTIFIER | {"records": pl.Int64()}, orient="row")

    def holders(self, identifiers: pl.DataFrame) -> pl.DataFrame:
        rows = self._by_digest(
            "SELECT kind, scope, digest, record_no FROM identifier WHERE class = 'usable' AND digest IN",
            identifiers["digest"],
        )
        return pl.DataFrame(rows, schema=_IDENTIFIER | {"record_no": pl.Int64()}, orient="row")

    def namesakes(self, named: pl.DataFrame) -> pl.DataFrame:
        holders = self.holders(named.select(IDENTIFIER).unique())
        records = self.records(holders["record_no"].unique())
        names = records.select("record_no", name_key=name_key(pl.col("name")))
        return holders.join(names, on="record_no").join(named, on=NAMED, how="semi").select(*NAMED, "record_no")

    def decisions(self, record_nos: pl.Series) -> pl.DataFrame:
        first = self._by_number(f"{_DECISION} AND record_a IN", record_nos, DECISIONS)
        second = self._by_number(f"{_DECISION} AND record_b IN", record_nos, DECISIONS)
        return pl.concat([first, second]).unique()

    def components(self, record_nos: pl.Series) -> pl.Series:
        return self._by_number(f"{_MEMBER} AND record_no IN", record_nos, MEMBERS)["component_id"].unique()

    def members(self, component_ids: pl.Series) -> pl.DataFrame:
        return self._by_number(f"{_MEMBER} AND component_id IN", component_ids, MEMBERS)

    def _by_number(self, select: str, numbers: pl.Series, schema: object) -> pl.DataFrame:
        rows: list[tuple[object, ...]] = []
        for start in range(0, len(numbers), NUMBERS_AT_ONCE):
            sql, parameter = listed(self._tx, numbers.slice(start, NUMBERS_AT_ONCE).to_list(), "bigint")
            rows += execute(self._tx, f"{select} {sql}", (parameter,)).all()
        return pl.DataFrame(rows, schema=schema, orient="row")  # type: ignore[arg-type]

    def _by_digest(self, select: str, digests: pl.Series, rest: str = "") -> list[tuple[object, ...]]:
        rows: list[tuple[object, ...]] = []
        wanted = digests.unique()
        for start in range(0, len(wanted), BYTES_AT_ONCE):
            sql, parameters = listed_bytes(self._tx, wanted.slice(start, BYTES_AT_ONCE).to_list())
            rows += execute(self._tx, f"{select} {sql} {rest}", parameters).all()
        return rows


_IDENTIFIER = {name: LINKS[name] for name in IDENTIFIER}


def everything(tx: Connection) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """All records, usable links with their masks, and decisions in force: the input of a full resolution."""
    return (
        _frame(tx, _RECORD, RECORDS),
        _frame(tx, _LINK, LINKS),
        _frame(tx, _DECISION, DECISIONS),
    )


def queued(tx: Connection) -> tuple[pl.Series, pl.DataFrame]:
    """The records that changed since the last resolution, and what they carried before."""
    numbers = [n for (n,) in execute(tx, "SELECT record_no FROM resolve_queue ORDER BY record_no")]
    lost = execute(tx, "SELECT kind, scope, digest, nullif(name_key, '') FROM resolve_lost").all()
    return (
        pl.Series("record_no", numbers, dtype=pl.Int64),
        pl.DataFrame(lost, schema=_IDENTIFIER | {"name_key": pl.String()}, orient="row"),
    )


def lose(tx: Connection, carried: pl.DataFrame) -> None:
    """Remembers identifiers (kind, scope, digest, name_key) that queued records may carry no more."""
    execute_many(
        tx,
        "INSERT INTO resolve_lost (kind, scope, digest, name_key) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
        carried.select("kind", "scope", "digest", pl.col("name_key").fill_null("")).unique().sort(NAMED).rows(),
    )


def keep(
    tx: Connection, partition: Partition, components: pl.Series, checked: pl.DataFrame | None, now: int
) -> pl.Series:
    """Writes a partition of whole components; the queue is empty after it. Returns the customers that changed.

    `components` are all component ids it replaces, vanished ones included; `checked` are the identifiers it
    looked at (None: all there are).
    """
    before = _members_of(tx, partition.members["record_no"])
    moved = partition.members.join(before, on=list(MEMBERS), how="anti", nulls_equal=True).sort("record_no")
    execute_many(
        tx,
        "UPDATE customer_record SET component_id = ?, customer_id = ? WHERE record_no = ?",
        moved.select("component_id", "customer_id", "record_no").rows(),
    )
    _keep_conflicts(tx, partition, components, now)
    _keep_shared(tx, partition.capped, checked)
    execute(tx, "DELETE FROM resolve_queue")
    execute(tx, "DELETE FROM resolve_lost")
    old = before.join(moved.select("record_no"), on="record_no", how="semi")["customer_id"]
    return pl.concat([moved["customer_id"], old]).drop_nulls().unique().sort()


def _members_of(tx: Connection, record_nos: pl.Series) -> pl.DataFrame:
    rows: list[tuple[object, ...]] = []
    for start in range(0, len(record_nos), NUMBERS_AT_ONCE):
        sql, parameter = listed(tx, record_nos.slice(start, NUMBERS_AT_ONCE).to_list(), "bigint")
        rows += execute(
            tx,
            f"SELECT record_no, component_id, customer_id FROM customer_record WHERE record_no IN {sql}",
            (parameter,),
        ).all()
    return pl.DataFrame(rows, schema=dict(MEMBERS), orient="row")


def _keep_conflicts(tx: Connection, partition: Partition, components: pl.Series, now: int) -> None:
    key = "component_id, record_a, record_b, kind, scope, digest"
    known: dict[tuple[object, ...], int] = {}
    for start in range(0, len(components), NUMBERS_AT_ONCE):
        sql, parameter = listed(tx, components.slice(start, NUMBERS_AT_ONCE).to_list(), "bigint")
        found = execute(tx, f"SELECT {key}, opened_at FROM identity_conflict WHERE component_id IN {sql}", (parameter,))
        # What stays open keeps the day it was opened on: its due date does not move.
        known |= {(*row[1:5], bytes(row[5])): row[6] for row in found}
        execute(tx, f"DELETE FROM identity_conflict WHERE component_id IN {sql}", (parameter,))
    rows = []
    for row in partition.conflicts.iter_rows(named=True):
        pair = (row["record_a"], row["record_b"], row["kind"], row["scope"], row["digest"])
        evidence = {name: row[name] for name in ("customer_a", "customer_b", "with_name", *_AGAINST)}
        text = json.dumps(evidence, sort_keys=True)
        rows.append((row["component_id"], *pair, row["code"], text, known.get(pair, now)))
    execute_many(
        tx,
        f"INSERT INTO identity_conflict ({key}, code, evidence, opened_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) "
        "ON CONFLICT DO NOTHING",
        sorted(rows),
    )


_AGAINST = ("against_kind", "against_scope", "against_a", "against_b")


def _keep_shared(tx: Connection, capped: pl.DataFrame, checked: pl.DataFrame | None) -> None:
    if checked is None:
        execute(tx, "DELETE FROM identity_shared")
    else:
        execute_many(
            tx,
            "DELETE FROM identity_shared WHERE kind = ? AND scope = ? AND digest = ?",
            checked.select(IDENTIFIER).rows(),
        )
    execute_many(
        tx,
        "INSERT INTO identity_shared (kind, scope, digest, records, cap) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        capped.select(*IDENTIFIER, "records", "cap").rows(),
    )


def _frame(tx: Connection, sql: str, schema: object) -> pl.DataFrame:
    rows: Iterator[tuple[object, ...]] = iter(execute(tx, sql))
    return pl.DataFrame([tuple(row) for row in rows], schema=schema, orient="row")  # type: ignore[arg-type]
