"""Summarises purchases as customer-lifetime models want them: frequency, recency and age."""

from __future__ import annotations

from datetime import date

import polars as pl


def purchase_summary(purchases: pl.DataFrame, end: date, *, days_per_unit: int = 7) -> pl.DataFrame:
    """frequency, recency and T of every customer who bought up to `end`, ordered by customer_id.

    `purchases` has customer_id and day. Purchases of one day are one; frequency counts the *repeat* ones.
    recency is the time from the first to the last purchase (not from today), T from the first to `end`, both
    in units of `days_per_unit` days: weeks by default. Purchases after `end`, the calibration period's last
    day, are left out. (Fader, Hardie and Lee 2005; the convention of the package lifetimes.)
    """
    return (
        purchases.lazy()
        .filter(pl.col("day") <= end)
        .group_by("customer_id")
        .agg(
            (pl.col("day").n_unique().cast(pl.Int64) - 1).alias("frequency"),
            ((pl.col("day").max() - pl.col("day").min()).dt.total_days() / days_per_unit).alias("recency"),
            ((pl.lit(end) - pl.col("day").min()).dt.total_days() / days_per_unit).alias("T"),
        )
        .sort("customer_id")
        .collect()
    )
