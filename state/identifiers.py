"""Keeps the identifiers of source records: digest, mask and encrypted value, never the value itself."""

from __future__ import annotations

import polars as pl
from sqlalchemy import Connection

from state.bulk import execute, execute_many, listed

BATCH = 20_000

COLUMNS = ("source_id", "kind", "scope", "digest", "mask", "value_enc", "class", "reason")
"""What `replace` wants of each identifier, besides the record's number."""


def replace(tx: Connection, connector: str, records: pl.DataFrame, identifiers: pl.DataFrame) -> int:
    """Gives these records exactly these identifiers and queues those whose identifiers changed for resolution.

    `records` has source_id, record_no and extracted_at; `identifiers` has COLUMNS and may name other records,
    which are ignored. Returns how many records were queued.
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
