"""Decides which customers count as lost, by the churn definition of their industry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from itertools import combinations

import polars as pl

from mappings.problems import LiukeError, Problem, Text
from mappings.scores.definitions import Churn, ChurnRule

NO_RULE = "no-rule"
"""Reason: no rule of the industry fits this customer."""
NO_SOURCE = "no-source"
"""Reason: no connected system gives the rule's signal."""
NO_SIGNAL = "no-signal"
"""Reason: the signal has a source, but it knows nothing of this customer."""

_DAYS = {"purchase": "last_day", "login": "last_login_day", "activity": "last_active_day"}
_WORDS = {
    "purchase": Text("购买", "purchase"),
    "login": Text("登录", "login"),
    "activity": Text("活跃", "activity"),
}


def churn(customers: pl.DataFrame, definition: Churn, industry: str, today: date) -> pl.DataFrame:
    """One row per customer, in their order: churned, churn_rule, churn_days, churn_on, no_data, explanations.

    `customers` has customer_id, tier, annual_amount (1/10,000 yuan) and, as far as there is a source for
    them, last_day (of purchases), last_login_day and last_active_day. A missing column is a signal without a
    source. A customer is lost on the day churn_on, when the rule's days have passed since the signal.
    churned is null, with the reason in no_data, where it cannot be known.
    """
    rules = [rule for rule in definition.rules if rule.industry == industry]
    if not rules:
        raise LiukeError(_unknown_industry(definition, industry))
    frame = _with_missing_columns(customers).with_columns(_rule_number(rules).alias("rule"))
    return (
        frame.lazy()
        .with_columns(
            _by_rule(rules, lambda rule: pl.col(_DAYS[rule.signal])).alias("since"),
            _by_rule(rules, lambda rule: pl.lit(rule.days, dtype=pl.Int64)).alias("days"),
            _by_rule(rules, lambda rule: pl.lit(_DAYS[rule.signal] in customers.columns)).alias("has_source"),
        )
        .with_columns(
            (pl.lit(today) - pl.col("since")).dt.total_days().clip(0).alias("churn_days"),
            pl.col("since").dt.offset_by(pl.format("{}d", pl.col("days"))).alias("churn_on"),
        )
        .select(
            "customer_id",
            (pl.col("churn_days") >= pl.col("days")).alias("churned"),
            _by_rule(rules, lambda rule: pl.lit(rule.id)).alias("churn_rule"),
            "churn_days",
            "churn_on",
            pl.lit(definition.name).alias("definition"),
            pl.when(pl.col("rule").is_null())
            .then(pl.lit(NO_RULE))
            .when(~pl.col("has_source"))
            .then(pl.lit(NO_SOURCE))
            .when(pl.col("since").is_null())
            .then(pl.lit(NO_SIGNAL))
            .alias("no_data"),
            *_explanations(rules),
        )
        .collect()
    )


@dataclass(frozen=True)
class Disagreement:
    """Two rules that count the same signal and allow different days."""

    signal: str
    first: ChurnRule
    second: ChurnRule


def disagreements(definition: Churn) -> tuple[Disagreement, ...]:
    """Every pair of rules of *different* industries that would judge the same silence differently.

    The page shows them beside a churn rate, because a company that reads two of the programme's documents
    finds two windows. Rules of one industry are meant to differ: their customers do.
    """
    return tuple(
        Disagreement(first.signal, first, second)
        for first, second in combinations(definition.rules, 2)
        if first.signal == second.signal and first.days != second.days and first.industry != second.industry
    )


def _with_missing_columns(customers: pl.DataFrame) -> pl.DataFrame:
    wanted = {
        "tier": pl.String,
        "annual_amount": pl.Int64,
        "last_day": pl.Date,
        "last_login_day": pl.Date,
        "last_active_day": pl.Date,
    }
    return customers.select(
        "customer_id",
        *(
            pl.col(name) if name in customers.columns else pl.lit(None, dtype=dtype).alias(name)
            for name, dtype in wanted.items()
        ),
    )


def _rule_number(rules: list[ChurnRule]) -> pl.Expr:
    """Number of the first rule that fits; an unknown tier or amount fits no rule that asks for it."""
    result = pl.lit(None, dtype=pl.Int64)
    for number, rule in reversed(list(enumerate(rules))):
        fits = pl.lit(value=True)
        if rule.tiers:
            fits = fits & pl.col("tier").is_in(list(rule.tiers)).fill_null(value=False)
        if rule.annual_amount_above is not None:
            fits = fits & (pl.col("annual_amount") > rule.annual_amount_above).fill_null(value=False)
        result = pl.when(fits).then(pl.lit(number, dtype=pl.Int64)).otherwise(result)
    return result


def _by_rule(rules: list[ChurnRule], value: Callable[[ChurnRule], pl.Expr]) -> pl.Expr:
    result = pl.lit(None)
    for number, rule in enumerate(rules):
        result = pl.when(pl.col("rule") == number).then(value(rule)).otherwise(result)
    return result


def _explanations(rules: list[ChurnRule]) -> tuple[pl.Expr, pl.Expr]:
    """The rule, the days and the verdict in both languages."""
    known = pl.col("churn_days").is_not_null()
    lost = pl.col("churn_days") >= pl.col("days")

    def sentence(rule: ChurnRule, language: str) -> pl.Expr:
        title, word = getattr(rule.title, language), getattr(_WORDS[rule.signal], language)
        if language == "zh":
            verdict = pl.when(lost).then(pl.lit("流失")).otherwise(pl.lit("未流失"))
            told = pl.format(f"距上次{word} {{}} 天 → {{}}（{title}）", pl.col("churn_days"), verdict)
            return pl.when(known).then(told).otherwise(pl.lit(f"无数据：没有{word}记录（{title}）"))
        verdict = pl.when(lost).then(pl.lit("lost")).otherwise(pl.lit("not lost"))
        told = pl.format(f"{{}} days since the last {word} -> {{}} ({title})", pl.col("churn_days"), verdict)
        return pl.when(known).then(told).otherwise(pl.lit(f"no data: no {word} known ({title})"))

    return (
        _by_rule(rules, lambda rule: sentence(rule, "zh"))
        .fill_null("无数据：没有适用的流失定义")
        .alias("explanation_zh"),
        _by_rule(rules, lambda rule: sentence(rule, "en"))
        .fill_null("no data: no churn rule fits")
        .alias("explanation_en"),
    )


def _unknown_industry(definition: Churn, industry: str) -> Problem:
    known = ", ".join(definition.industries)
    return Problem(
        "score.industry-unknown",
        Text(f"没有行业 {industry} 的流失定义", f"no churn rule for the industry {industry}"),
        "churn",
        Text(f"选用 {known} 之一，或补充定义", f"use one of {known}, or add a rule"),
    )
