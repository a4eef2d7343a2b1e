"""Says where customers stand in time: stage of life, at risk, silent or zombie account."""

from __future__ import annotations

from datetime import date

import polars as pl

from mappings.scores.definitions import Lifecycle


def lifecycle(customers: pl.DataFrame, definition: Lifecycle, today: date) -> pl.DataFrame:
    """One row per customer, in their order: stage, stage_days, at_risk, inactive_days, account, explanations.

    `customers` has customer_id and, as far as there is a source for them, the days first_day and last_day
    (of purchases), registered_day and last_active_day (of anything else they did). A column that is missing
    means a signal without a source.

    stage is null before the first purchase. inactive_days counts from the latest sign of life; at_risk is
    null where there is none at all. account is "active", "silent" (registered long enough ago and never
    bought), "zombie" (the same, longer, and nothing else done either) or null, if that cannot be known:
    without a registration day, and for a zombie without any source of activity.
    """
    known = _with_missing_days(customers)
    activity_has_source = "last_active_day" in customers.columns
    age = _days_since("first_day", today)
    inactive = _days_since("last_sign", today)
    return (
        known.lazy()
        .with_columns(pl.max_horizontal("last_day", "last_active_day").alias("last_sign"))
        .select(
            "customer_id",
            _stage(age, definition).alias("stage"),
            age.alias("stage_days"),
            inactive.alias("inactive_days"),
            (inactive >= definition.risk_days).alias("at_risk"),
            _account(definition, today, activity_has_source=activity_has_source).alias("account"),
            pl.lit(definition.name).alias("definition"),
            *_explanations(age, inactive, definition),
        )
        .collect()
    )


def _with_missing_days(customers: pl.DataFrame) -> pl.DataFrame:
    days = ("first_day", "last_day", "registered_day", "last_active_day")
    return customers.select(
        "customer_id",
        *(pl.col(day) if day in customers.columns else pl.lit(None, dtype=pl.Date).alias(day) for day in days),
    )


def _days_since(column: str, today: date) -> pl.Expr:
    """Whole days up to today; a day after today counts as today (clocks differ)."""
    return (pl.lit(today) - pl.col(column)).dt.total_days().clip(0)


def _stage(age: pl.Expr, definition: Lifecycle) -> pl.Expr:
    result = pl.lit(definition.stages[-1].stage)
    for stage in reversed(definition.stages[:-1]):
        result = pl.when(age <= stage.up_to_days).then(pl.lit(stage.stage)).otherwise(result)
    return pl.when(age.is_not_null()).then(result)


def _account(definition: Lifecycle, today: date, *, activity_has_source: bool) -> pl.Expr:
    registered = _days_since("registered_day", today)
    idle = pl.min_horizontal(registered, _days_since("last_active_day", today))
    zombie = pl.lit(activity_has_source) & (idle >= definition.zombie_days)
    never_bought = (
        pl.when(registered.is_null())
        .then(None)
        .when(zombie)
        .then(pl.lit("zombie"))
        .when(registered >= definition.silent_days)
        .then(pl.lit("silent"))
        .otherwise(pl.lit("active"))
    )
    return pl.when(pl.col("first_day").is_not_null()).then(pl.lit("active")).otherwise(never_bought)


def _explanations(age: pl.Expr, inactive: pl.Expr, definition: Lifecycle) -> tuple[pl.Expr, pl.Expr]:
    labels = {stage.stage: stage.label for stage in definition.stages}
    stage = _stage(age, definition)
    zh_label = stage.replace_strict({word: label.zh for word, label in labels.items()}, return_dtype=pl.String)
    en_label = stage.replace_strict({word: label.en for word, label in labels.items()}, return_dtype=pl.String)
    at_risk = inactive >= definition.risk_days
    zh = pl.concat_str(
        pl.when(age.is_null())
        .then(pl.lit("没有首次购买"))
        .otherwise(pl.format("首次购买后 {} 天 → {}", age, zh_label)),
        pl.when(inactive.is_null())
        .then(pl.lit("；活跃：无数据"))
        .when(at_risk)
        .then(pl.format(f"；{{}} 天未活跃（{definition.risk_days} 天起为风险）", inactive))
        .otherwise(pl.format("；{} 天前活跃", inactive)),
    )
    en = pl.concat_str(
        pl.when(age.is_null())
        .then(pl.lit("no first purchase"))
        .otherwise(pl.format("{} days since the first purchase -> {}", age, en_label)),
        pl.when(inactive.is_null())
        .then(pl.lit("; activity: no data"))
        .when(at_risk)
        .then(pl.format(f"; inactive for {{}} days (at risk from {definition.risk_days})", inactive))
        .otherwise(pl.format("; active {} days ago", inactive)),
    )
    return zh.alias("explanation_zh"), en.alias("explanation_en")
