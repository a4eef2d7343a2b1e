"""Sorts scored customers into tiers, and makes the programme's table 1 of them."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from mappings.scores.definitions import Tier, Tiers
from mappings.scores.words import yuan

TABLE_1 = (
    "客户ID",
    "客户名称",
    "最近消费(天)",
    "消费频次",
    "消费金额(元)",
    "RFM得分",
    "客户分层",
    "客户标签",
    "备注",
)
"""The nine columns of 客户分层分析表, in order."""


def tier(score: pl.Expr, definition: Tiers) -> pl.Expr:
    """The tier of a score of 0 to 100, whoever worked it out; no score has no tier."""
    return pl.when(score.is_not_null()).then(_first_that_holds(score, definition, lambda tier: tier.tier))


def tier_label(score: pl.Expr, definition: Tiers) -> pl.Expr:
    """The Chinese name of the score's tier."""
    return pl.when(score.is_not_null()).then(_first_that_holds(score, definition, lambda tier: tier.label.zh))


def with_tiers(scores: pl.DataFrame, definition: Tiers) -> pl.DataFrame:
    """Adds tier and tier_definition, and says in both explanations (if there are any) why that tier."""
    score = pl.col("score")
    tiered = scores.with_columns(
        tier(score, definition).alias("tier"), pl.lit(definition.name).alias("tier_definition")
    )
    reasons = [
        pl.when(score.is_not_null())
        .then(pl.format(form, pl.col(column), _first_that_holds(score, definition, border)))
        .otherwise(pl.col(column))
        .alias(column)
        for column, form, border in (
            ("explanation_zh", "{} → {}", lambda tier: f"{tier.tier} 级（{_border(tier, definition)}）"),
            ("explanation_en", "{} -> {}", lambda tier: f"tier {tier.tier} ({_border(tier, definition)})"),
        )
        if column in scores.columns
    ]
    return tiered.with_columns(reasons)


def tier_table(scores: pl.DataFrame, definition: Tiers) -> pl.DataFrame:
    """客户分层分析表 with exactly the nine columns of TABLE_1, best scores first.

    `scores` has customer_id, recency_days, frequency, monetary (1/10,000 yuan), score, and may have name
    (already masked as the reader's role asks), label and note. Amounts are text in yuan, as a spreadsheet
    shows them; what is not known is empty.
    """
    optional = {
        "name": pl.lit(None, dtype=pl.String),
        "label": tier_label(pl.col("score"), definition),
        "note": pl.lit(None, dtype=pl.String),
    }
    columns = [
        pl.col("customer_id"),
        pl.col("name") if "name" in scores.columns else optional["name"],
        pl.col("recency_days"),
        pl.col("frequency"),
        yuan(pl.col("monetary")),
        pl.col("score"),
        tier(pl.col("score"), definition),
        pl.col("label") if "label" in scores.columns else optional["label"],
        pl.col("note") if "note" in scores.columns else optional["note"],
    ]
    ordered = scores.sort("score", "customer_id", descending=[True, False], nulls_last=True)
    return ordered.select(column.alias(name) for column, name in zip(columns, TABLE_1, strict=True))


def _first_that_holds(score: pl.Expr, definition: Tiers, word: Callable[[Tier], str]) -> pl.Expr:
    result = pl.lit(word(definition.tiers[-1]))
    for entry in reversed(definition.tiers[:-1]):
        holds = score >= entry.at_least if entry.at_least is not None else score > entry.above
        result = pl.when(holds).then(pl.lit(word(entry))).otherwise(result)
    return result


def _border(entry: Tier, definition: Tiers) -> str:
    """The border that made it this tier; the last tier's is the one before it, not reached."""
    if entry.at_least is not None:
        return f">= {entry.at_least}"
    if entry.above is not None:
        return f"> {entry.above}"
    if len(definition.tiers) == 1:
        return ">= 0"
    previous = definition.tiers[-2]
    return f"< {previous.at_least}" if previous.at_least is not None else f"<= {previous.above}"
