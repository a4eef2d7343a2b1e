"""The latency ledger: how long records took from their source to the hub and to the target, hop by hop.

A histogram per stream, Shanghai day and hop that can be merged and added to: counts only grow. `bucket` is the
upper edge in seconds; the edge at 300 s is exact, so "within 300 s" is counted, not estimated.
"""

from __future__ import annotations

from bisect import bisect_left

import polars as pl
from sqlalchemy import Connection

from state.bulk import execute_many
from state.days import shanghai_day

EDGES = (
    1,
    2,
    5,
    10,
    20,
    30,
    45,
    60,
    90,
    120,
    180,
    240,
    300,
    450,
    600,
    900,
    1800,
    3600,
    7200,
    14400,
    43200,
    86400,
)
"""Upper edges of the buckets in seconds; what took longer stands under OVER."""

OVER = 10**9
LATE_US = 300 * 1_000_000
HOPS = ("source_to_hub", "source_to_pull", "pull_to_hub", "hub_to_target", "source_to_target")
"""source_to_hub = source_to_pull + pull_to_hub; the target's hops are counted when read-back confirms a write."""


def bucket(duration_us: int) -> int:
    """The edge of the bucket a duration falls into; a negative one (clock skew) counts as 0."""
    position = bisect_left(EDGES, max(duration_us, 0) / 1_000_000)
    return EDGES[position] if position < len(EDGES) else OVER


def enter_load(
    tx: Connection, connector: str, stream: str, moved: pl.DataFrame, committed_at: int, *, backfill: bool
) -> int:
    """Counts new and changed records of one stream; lists those that were late. Returns how many were late.

    `moved` has source_id, source_updated_at, extracted_at. Records without a source time are not judged.
    """
    timed = moved.filter(pl.col("source_updated_at").is_not_null())
    if timed.is_empty():
        return 0
    day = shanghai_day(committed_at)
    hops = {
        "source_to_hub": committed_at - timed["source_updated_at"],
        "source_to_pull": timed["extracted_at"] - timed["source_updated_at"],
        "pull_to_hub": committed_at - timed["extracted_at"],
    }
    for hop, durations in hops.items():
        enter(tx, connector, stream, day, hop, durations, backfill=backfill)
    if backfill:
        return 0
    late = timed.filter(committed_at - pl.col("source_updated_at") > LATE_US)
    execute_many(
        tx,
        "INSERT INTO late_record (connector, stream, record_key, source_updated_at, extracted_at, committed_at) "
        "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        [
            (connector, stream, *row, committed_at)
            for row in late.select("source_id", "source_updated_at", "extracted_at").head(LISTED).iter_rows()
        ],
    )
    return late.height


LISTED = 1000
"""At most this many late records of one file are listed by name; all are counted."""


def enter(
    tx: Connection,
    connector: str,
    stream: str,
    day: str,
    hop: str,
    durations_us: pl.Series,
    *,
    backfill: bool,
) -> None:
    """Adds durations to a histogram."""
    edges_us = pl.Series([edge * 1_000_000 for edge in EDGES], dtype=pl.Int64)
    buckets = pl.Series([*EDGES, OVER], dtype=pl.Int64)
    counts = buckets.gather(edges_us.search_sorted(durations_us.clip(0), side="left")).value_counts()
    execute_many(
        tx,
        "INSERT INTO latency (connector, stream, day, hop, backfill, bucket, n) VALUES (?, ?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (connector, stream, day, hop, backfill, bucket) DO UPDATE SET n = latency.n + excluded.n",
        sorted((connector, stream, day, hop, int(backfill), edge, n) for edge, n in counts.iter_rows()),
    )
