"""Keeps the identifiers of source records: digest, mask and encrypted value, never the value itself."""

from __future__ import annotations

import polars as pl
from sqlalchemy import Connection

from mappings.identity.names import name_key
from state.bulk import execute_many, fetch, listed
from state.identity import lose

BATCH = 20_000

COLUMNS = ("source_id", "kind", "scope", "digest", "mask", "value_enc", "class", "reason")
"""What `replace` wants of each identifier, besides the record's number."""


def facts(tx: Connection, connector: str, source_ids: pl.Series) -> pl.DataFrame:
    """source_id, name and kind of these records as they stand, to be asked before new versions are written."""
    rows: list[tuple[object, ...]] = []
    for start in range(0, len(source_ids), BATCH):
        sql, parameter = listed(tx, source_ids.slice(start, BATCH).to_list())
        rows += fetch(
            tx,
            f"SELECT source_id, name, kind FROM customer_record WHERE connector = ? AND source_id IN {sql}",
            (connector, parameter),
        )
    return pl.DataFrame(rows, schema={"source_id": pl.String, "name": pl.String, "kind": pl.String}, orient="row")


def replace(
    tx: Connection, connector: str, records: pl.DataFrame, identifiers: pl.DataFrame, facts_before: pl.DataFrame
) -> int:
    """Gives these records exactly these identifiers; queues those with other identifiers, name or kind than before.

    `records` has source_id, record_no, name, kind and extracted_at; `identifiers` has COLUMNS and may name other
    records, which are ignored; `facts_before` is what `facts` said. Returns how many records were queued.
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
    added = wanted.join(before, on=key, how="anti")
    unchanged = records.join(facts_before, on=["source_id", "name", "kind"], how="semi", nulls_equal=True)
    moved = pl.concat([gone["source_id"], added["source_id"]]).unique()
    changed = records.join(unchanged.select("source_id"), on="source_id", how="anti")["source_id"]
    queued = records.filter(pl.col("source_id").is_in(pl.concat([moved, changed]).unique().implode()))
    queue(tx, queued["record_no"])
    names = facts_before.select("source_id", name_key(facts_before["name"]).alias("name_key"))
    lose(tx, before.join(queued.select("source_id"), on="source_id").join(names, on="source_id", how="left"))
    return queued.height


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
        rows += fetch(
            tx,
            f"SELECT source_id, kind, scope, digest FROM identifier WHERE connector = ? AND source_id IN {sql}",
            (connector, parameter),
        )
    return pl.DataFrame(
        rows,
        schema={"source_id": pl.String, "kind": pl.String, "scope": pl.String, "digest": pl.Binary},
        orient="row",
    )
