"""Keeps the identifiers of source records: digest, mask and encrypted value, never the value itself."""

from __future__ import annotations

import polars as pl
from sqlalchemy import Connection

from mappings.identity.names import name_key
from state.bulk import execute, execute_many, listed
from state.identity import lose

BATCH = 20_000

COLUMNS = ("source_id", "kind", "scope", "digest", "mask", "value_enc", "class", "reason")
"""What `replace` wants of each identifier, besides the record's number."""


def names(tx: Connection, connector: str, source_ids: pl.Series) -> pl.DataFrame:
    """source_id and name of these records as they stand, to be asked before new versions are written."""
    rows: list[tuple[object, ...]] = []
    for start in range(0, len(source_ids), BATCH):
        sql, parameter = listed(tx, source_ids.slice(start, BATCH).to_list())
        rows += execute(
            tx,
            f"SELECT source_id, name FROM customer_record WHERE connector = ? AND source_id IN {sql}",
            (connector, parameter),
        ).all()
    return pl.DataFrame(rows, schema={"source_id": pl.String, "name": pl.String}, orient="row")


def replace(
    tx: Connection, connector: str, records: pl.DataFrame, identifiers: pl.DataFrame, names_before: pl.DataFrame
) -> int:
    """Gives these records exactly these identifiers, and queues them for resolution.

    `records` has source_id, record_no and extracted_at; `identifiers` has COLUMNS and may name other records,
    which are ignored; `names_before` is what `names` said. Returns how many records were queued.
    """
    wanted = identifiers.join(records, on="source_id", how="inner").sort("source_id", "kind", "scope", "digest")
    before = _known(tx, connector, records["source_id"].sort().to_list())
    key = ["source_id", "kind", "scope", "digest"]
    gone = before.join(wanted, on=key, how="anti")
    execute_many(
        tx,
        "DELETE FROM identifier WHERE connector = ? AND source_id = ? AND kind = ? AND scope = ? AND digest = ?",
        gone.select(pl.lit(connector).alias("connector"), *key).rows(),
    )
    execute_many(
        tx,
        "INSERT INTO identifier (connector, source_id, kind, scope, digest, record_no, mask, value_enc, class, reason, "
        "first_seen_at, last_seen_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (connector, source_id, kind, scope, digest) DO UPDATE SET class = excluded.class, "
        "reason = excluded.reason, mask = excluded.mask, last_seen_at = excluded.last_seen_at",
        wanted.select(
            pl.lit(connector).alias("connector"),
            *key,
            "record_no",
            "mask",
            "value_enc",
            "class",
            "reason",
            pl.col("extracted_at").alias("first_seen_at"),
            pl.col("extracted_at").alias("last_seen_at"),
        ).rows(),
    )
    queue(tx, records["record_no"])
    lose(tx, before.join(names_before.with_columns(name_key=name_key(pl.col("name"))), on="source_id", how="left"))
    return records.height


def queue(tx: Connection, record_nos: pl.Series) -> None:
    """Marks records for the next resolution."""
    execute_many(
        tx,
        "INSERT INTO resolve_queue (record_no) VALUES (?) ON CONFLICT DO NOTHING",
        [(n,) for n in record_nos.sort()],
    )


def _known(tx: Connection, connector: str, ids: list[str]) -> pl.DataFrame:
    rows: list[tuple[object, ...]] = []
    for start in range(0, len(ids), BATCH):
        sql, parameter = listed(tx, ids[start : start + BATCH])
        rows += execute(
            tx,
            f"SELECT source_id, kind, scope, digest FROM identifier WHERE connector = ? AND source_id IN {sql}",
            (connector, parameter),
        ).all()
    return pl.DataFrame(
        rows,
        schema={"source_id": pl.String, "kind": pl.String, "scope": pl.String, "digest": pl.Binary},
        orient="row",
    )
