"""The programme's health score (table 7) and its daily indicators (table 6)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from mappings.problems import Text
from mappings.scores.definitions import Grade, Health, Indicator, Part


@dataclass(frozen=True)
class PartScore:
    """One part of the health score, 0 to 100; None, with what is missing, if a measure has no source."""

    part: Part
    score: Decimal | None
    missing: tuple[str, ...]
    explanation: Text


@dataclass(frozen=True)
class HealthScore:
    """The health score: all parts, and the weighted score if every part has one."""

    definition: str
    parts: tuple[PartScore, ...]
    score: Decimal | None
    grade: Grade | None


def health(values: Mapping[str, Decimal | None], definition: Health) -> HealthScore:
    """Scores the measured `values` (by measure id; absent or None: no data).

    A measure at its target earns 100, below it the share of the target it reached, below zero nothing. A
    part scores as its *worst* measure: complete data with wrong tiers is not 100. The whole has no score
    while a part has none, because a missing part is neither 0 nor the mean of the others.
    """
    parts = tuple(_part(part, values) for part in definition.parts)
    total = Decimal(0)
    for part in parts:
        if part.score is None:
            return HealthScore(definition.name, parts, None, None)
        total += part.score * part.part.weight / 100
    score = total.quantize(Decimal("0.1"), ROUND_HALF_UP)
    return HealthScore(definition.name, parts, score, grade(score, definition))


def grade(score: Decimal, definition: Health) -> Grade:
    """The first grade whose border the score reaches."""
    for entry in definition.grades[:-1]:
        if entry.at_least is not None and score >= entry.at_least:
            return entry
    return definition.grades[-1]


@dataclass(frozen=True)
class Reading:
    """One indicator on one day: its value against its target."""

    indicator: Indicator
    value: Decimal | None
    flag: str
    """"ok", "missed" (the target), "red" (past the red line) or "no_data"."""
    gap: Decimal | None
    """How far on the wrong side of the target, positive when missed; in the value's own unit."""


def judge(value: Decimal | None, indicator: Indicator) -> Reading:
    """Compares one value with its indicator's target and red line."""
    if value is None:
        return Reading(indicator, None, "no_data", None)
    at_least = indicator.at_least or Decimal(0)
    gap = at_least - value if indicator.at_most is None else value - indicator.at_most
    red = (indicator.red_above is not None and value > indicator.red_above) or (
        indicator.red_below is not None and value < indicator.red_below
    )
    return Reading(indicator, value, "red" if red else "missed" if gap > 0 else "ok", gap)


def _part(part: Part, values: Mapping[str, Decimal | None]) -> PartScore:
    earned: dict[str, Decimal] = {}
    missing: list[str] = []
    zh: list[str] = []
    en: list[str] = []
    for measure in part.measures:
        value = values.get(measure.id)
        if value is None:
            missing.append(measure.id)
            zh.append(f"{measure.label.zh}：无数据")
            en.append(f"{measure.label.en}: no data")
            continue
        reached = min(max(value / measure.target, Decimal(0)), Decimal(1)) * 100
        earned[measure.id] = reached.quantize(Decimal("0.1"), ROUND_HALF_UP)
        zh.append(f"{measure.label.zh} {value}（目标 {measure.target}）→ {earned[measure.id]} 分")
        en.append(f"{measure.label.en} {value} (target {measure.target}) -> {earned[measure.id]}")
    score = None if missing or not earned else min(earned.values())
    return PartScore(part, score, tuple(missing), Text("，".join(zh), ", ".join(en)))
