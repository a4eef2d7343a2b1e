"""Gives every source record of a customer its permanent number, when it is first named by anybody."""

from __future__ import annotations

import polars as pl
from sqlalchemy import Connection

from state.bulk import execute_many, fetch, listed

BATCH = 20_000


def record_numbers(tx: Connection, connector: str, source_ids: pl.Series) -> pl.DataFrame:
    """The permanent numbers of these records (source_id, record_no), newly given where there was none.

    New numbers follow the order of the ids, so that the same first load gives the same numbers.
    """
    wanted = source_ids.drop_nulls().unique().sort()
    parts = [_batch(tx, connector, wanted.slice(start, BATCH).to_list()) for start in range(0, len(wanted), BATCH)]
    found = [row for part in parts for row in part]
    return pl.DataFrame(
        {"source_id": [row[0] for row in found], "record_no": [row[1] for row in found]},
        schema={"source_id": pl.String, "record_no": pl.Int64},
    )


def _batch(tx: Connection, connector: str, ids: list[str]) -> list[tuple[str, int]]:
    found = _known(tx, connector, ids)
    missing = [source_id for source_id in ids if source_id not in found]
    if missing:
        execute_many(
            tx,
            "INSERT INTO record_registry (connector, source_id) VALUES (?, ?) ON CONFLICT DO NOTHING",
            [(connector, source_id) for source_id in missing],
        )
        found |= _known(tx, connector, missing)
    return list(found.items())


def _known(tx: Connection, connector: str, ids: list[str]) -> dict[str, int]:
    sql, parameter = listed(tx, ids)
    rows = fetch(
        tx,
        f"SELECT source_id, record_no FROM record_registry WHERE connector = ? AND source_id IN {sql}",
        (connector, parameter),
    )
    return dict(rows)
