"""Scores customers by how recently (R), how often (F) and for how much (M) they bought."""

from __future__ import annotations

from datetime import date

import polars as pl

from mappings.scores.definitions import Rfm, Signal
from mappings.scores.words import yuan

NO_ORDERS = "no-orders"
"""Reason of a missing score: no order of this customer counts as a purchase up to that day."""


def rfm(customers: pl.DataFrame, orders: pl.DataFrame, definition: Rfm, today: date) -> pl.DataFrame:
    """The RFM score of every customer in `customers` (column customer_id), in their order.

    `orders` holds the orders that count (gifts, internal purchases and second copies left out by the
    caller): customer_id, day (the Shanghai day of the purchase), net_amount (paid minus refunded, in
    1/10,000 yuan). Orders after `today` are left out, so that a past day can be scored again.

    Gives customer_id, first_day, last_day, recency_days, frequency, monetary, annual_amount, r_points,
    f_points, m_points, score (0 to 100, rounded half up), definition, no_data, explanation_zh,
    explanation_en. frequency and monetary cover the window, annual_amount the last 365 days. Who has no
    purchase at all has nulls and a reason in no_data, not zeros.
    """
    bought = _purchases(orders, definition, today)
    told = customers.lazy().select("customer_id").join(bought, on="customer_id", how="left", maintain_order="left")
    pointed = told.with_columns(
        _points(pl.col("recency_days"), definition.recency, definition, less_is_better=True).alias("r_points"),
        _points(pl.col("frequency"), definition.frequency, definition).alias("f_points"),
        _points(pl.col("monetary"), definition.monetary, definition).alias("m_points"),
    )
    scored = pointed.with_columns(
        _score(definition).alias("score"),
        pl.lit(definition.name).alias("definition"),
        pl.when(pl.col("recency_days").is_null()).then(pl.lit(NO_ORDERS)).alias("no_data"),
    )
    return scored.with_columns(*_explanations(definition)).collect()


def _purchases(orders: pl.DataFrame, definition: Rfm, today: date) -> pl.LazyFrame:
    """One row per customer with an order: days of the first and last purchase, counts and sums."""
    age = (pl.lit(today) - pl.col("day")).dt.total_days()
    counts = pl.col("net_amount") >= definition.least_net_amount
    in_window = age < definition.window_days
    return (
        orders.lazy()
        .filter(pl.col("day") <= today)
        .group_by("customer_id")
        .agg(
            pl.col("day").filter(counts).min().alias("first_day"),
            pl.col("day").filter(counts).max().alias("last_day"),
            age.filter(counts).min().cast(pl.Int64).alias("recency_days"),
            (counts & in_window).sum().cast(pl.Int64).alias("frequency"),
            pl.col("net_amount").filter(in_window).sum().cast(pl.Int64).alias("monetary"),
            pl.col("net_amount").filter(age < 365).sum().cast(pl.Int64).alias("annual_amount"),
        )
        .with_columns(
            pl.when(pl.col("recency_days").is_not_null()).then(pl.col(name)).alias(name)
            for name in ("frequency", "monetary", "annual_amount")
        )
    )


def _points(value: pl.Expr, signal: Signal, definition: Rfm, *, less_is_better: bool = False) -> pl.Expr:
    """1 to `points`; null stays null. Equal values earn equal points, by steps and by rank alike."""
    if definition.quantiles:
        worse = value.rank("min", descending=less_is_better).cast(pl.Int64) - 1
        points = worse * definition.points // value.count().cast(pl.Int64) + 1
    else:
        reached = [(value <= step) if less_is_better else (value >= step) for step in signal.steps]
        points = pl.sum_horizontal(step.cast(pl.Int64) for step in reached) + 1
    return pl.when(value.is_not_null()).then(points)


def _score(definition: Rfm) -> pl.Expr:
    """Weighted share of the points above the first, times 100, rounded half up in whole numbers."""
    signals = {"r": definition.recency, "f": definition.frequency, "m": definition.monetary}
    best = sum(signal.weight for signal in signals.values()) * (definition.points - 1)
    earned = pl.lit(0, dtype=pl.Int64)
    for letter, signal in signals.items():
        earned = earned + (pl.col(f"{letter}_points") - 1) * signal.weight
    return (earned * 200 + best) // (2 * best)


def _explanations(definition: Rfm) -> tuple[pl.Expr, pl.Expr]:
    """The score with its numbers, in both languages."""
    total = definition.recency.weight + definition.frequency.weight + definition.monetary.weight
    weights = [
        f"{100 * signal.weight / total:.4g}%"
        for signal in (definition.recency, definition.frequency, definition.monetary)
    ]
    values = [
        pl.col("recency_days"),
        pl.col("r_points"),
        pl.col("frequency"),
        pl.col("f_points"),
        yuan(pl.col("monetary")),
        pl.col("m_points"),
        pl.col("score"),
    ]
    window = definition.window_days
    zh = pl.format(
        f"R {{}} 天 → {{}} 分（{weights[0]}），F {window} 天内 {{}} 次 → {{}} 分（{weights[1]}），"
        f"M {{}} 元 → {{}} 分（{weights[2]}），得分 {{}}",
        *values,
    )
    en = pl.format(
        f"R {{}} days -> {{}} points ({weights[0]}), F {{}} purchases in {window} days -> {{}} points "
        f"({weights[1]}), M {{}} yuan -> {{}} points ({weights[2]}), score {{}}",
        *values,
    )
    scored = pl.col("score").is_not_null()
    return (
        pl.when(scored).then(zh).otherwise(pl.lit("无数据：没有计入统计的订单")).alias("explanation_zh"),
        pl.when(scored).then(en).otherwise(pl.lit("no data: no order that counts")).alias("explanation_en"),
    )
