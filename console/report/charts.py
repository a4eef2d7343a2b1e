"""Draws the small pictures of the report as inline SVG: icons, bars, the strip of 24 hours, the line of 28 days.

Colour never speaks alone: a strip says its status by height too, a line ends in a dot, a bar has its mark; and
each picture carries its sentence for those who cannot see it. Nothing here holds text, so nothing shrinks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from markupsafe import Markup

from console.report.figures import hour, number, percent
from console.words import status_word

# What each status looks like in 16 x 16; colours come from the class of the same name in style.css.
_ICONS = {
    "ok": Markup('<circle cx="8" cy="8" r="7"/><path class="cut" d="M4.6 8.3 7 10.7l4.4-5"/>'),
    "ok_todo": Markup('<circle class="ring" cx="8" cy="8" r="6.1"/><path class="line" d="M4.9 8.3 7 10.4l4.1-4.6"/>'),
    "warning": Markup('<path d="M8 .9 15.6 14.6H.4z"/><path class="ink" d="M8 5.6v4.2M8 11.6v1.5"/>'),
    "breach": Markup('<path d="M8 0l8 8-8 8-8-8z"/><path class="cut" d="M5.3 5.3l5.4 5.4M10.7 5.3l-5.4 5.4"/>'),
    "no_data": Markup('<circle class="dashed" cx="8" cy="8" r="6.3"/><path class="line" d="M5 8h6"/>'),
}


def icon(status: str) -> Markup:
    """The sign of a status. The word stands beside it, so that it is hidden from screen readers."""
    shape = _ICONS.get(status, _ICONS["no_data"])
    return Markup(
        '<svg class="icon s-{}" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">{}</svg>'
    ).format(status if status in _ICONS else "no_data", shape)


def share_bar(share: Mapping[str, int], status: str) -> Markup:
    """How much of a total is good."""
    filled = min(max(share["good"] / max(share["total"], 1), 0.0), 1.0) * 100
    return Markup(
        '<svg class="bar s-{}" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="track" width="100" height="8"/><rect width="{:.2f}" height="8"/></svg>'
    ).format(status, filled)


def budget_bar(allowed: int, used: int, status: str) -> Markup:
    """An error budget as it is spent: full at `allowed`; past it the mark shows where it should have ended."""
    longest = max(allowed, used, 1)
    mark = _upright(allowed / longest * 100) if used > allowed else Markup("")
    return Markup(
        '<svg class="bar s-{}" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="track" width="100" height="8"/><rect width="{:.2f}" height="8"/>{}</svg>'
    ).format(status, used / longest * 100, mark)


def _upright(x: float) -> Markup:
    at = min(max(x, 0.4), 99.6)
    return Markup('<path class="mark" d="M{:.2f} 0v8"/>').format(at)


_HOUR_HEIGHT = {"ok": 7, "ok_todo": 10, "warning": 16, "breach": 24}


def hour_strip(hours: Sequence[Mapping[str, Any]]) -> Markup:
    """One bar an hour, oldest first, taller when worse; an hour without data is a dash on the ground."""
    bars = []
    for place, one in enumerate(hours):
        x = place * 9
        status = one["status"] if one["status"] in _HOUR_HEIGHT else "no_data"
        height = _HOUR_HEIGHT.get(status, 2)
        said = f"{hour(one['hour'])} {status_word(one['status']).zh}：记录 {number(one.get('records'))}"
        said += f"，晚到 {number(one.get('late'))}，失败 {number(one.get('failed'))}"
        bars.append(
            Markup('<rect class="s-{}" x="{}" y="{}" width="7" height="{}"><title>{}</title></rect>').format(
                status, x, 25 - height, height, said
            )
        )
    width = max(len(hours) * 9 - 2, 1)
    return Markup(
        '<svg class="strip" viewBox="0 0 {0} 26" width="{0}" height="26" role="img" aria-label="{1}">'
        '<path class="ground" d="M0 25.5h{0}"/>{2}</svg>'
    ).format(width, hour_sentence(hours), Markup("").join(bars))


def hour_sentence(hours: Sequence[Mapping[str, Any]]) -> str:
    """The strip in words: how many hours were bad, how much was late or failed, and when it was worst."""
    if not hours or all(one["status"] == "no_data" for one in hours):
        return "24 小时都没有数据"
    said = []
    for status in ("breach", "warning", "no_data"):
        count = sum(1 for one in hours if one["status"] == status)
        if count:
            said.append(f"{count} 小时{status_word(status).zh}")
    for key, word in (("late", "晚到"), ("failed", "失败")):
        amount = sum(one.get(key) or 0 for one in hours)
        if amount:
            worst = max(hours, key=lambda one: one.get(key) or 0)
            said.append(f"{word} {amount:,} 条，{hour(worst['hour'])} 最多")
    return "；".join(said) or f"{len(hours)} 小时都正常"


SPARK_WIDTH, SPARK_HEIGHT, SPARK_DAYS = 140, 30, 28


def spark_line(trend: Sequence[Mapping[str, Any]], target: float | None, status: str, last_day: str) -> Markup:
    """The share of good rows over the 28 days up to `last_day`; days without data are gaps, the target is dashed.

    The scale runs from the lowest to the highest value: it shows movement, the figure beside it says how much. A
    target far away would flatten the line, so it is left out there.
    """
    points = _points(trend, last_day)
    shown = [y for y in points if y is not None]
    if not shown:
        return Markup("")
    low, high = _scale(shown, target)
    step = (SPARK_WIDTH - 8) / (SPARK_DAYS - 1)

    def x(place: int) -> float:
        return 3 + place * step

    def y(value: float) -> float:
        return 4 + (high - value) / (high - low) * (SPARK_HEIGHT - 8)

    parts: list[Markup] = []
    if target is not None and low <= target <= high:
        parts.append(Markup('<path class="target" d="M0 {:.1f}H{}"/>').format(y(target), SPARK_WIDTH))
    runs = [[(x(place), y(value)) for place, value in run] for run in _runs(points)]
    for run in runs:
        if len(run) == 1:
            parts.append(Markup('<circle class="lone" cx="{:.1f}" cy="{:.1f}" r="1.5"/>').format(*run[0]))
        else:
            path = "L".join(f"{across:.1f} {down:.1f}" for across, down in run)
            parts.append(Markup('<path class="trend" d="M{}"/>').format(path))
    parts.append(Markup('<circle class="now" cx="{:.1f}" cy="{:.1f}" r="3"/>').format(*runs[-1][-1]))
    return Markup(
        '<svg class="spark s-{}" viewBox="0 0 {} {}" width="{}" height="{}" role="img" aria-label="{}">{}</svg>'
    ).format(
        status, SPARK_WIDTH, SPARK_HEIGHT, SPARK_WIDTH, SPARK_HEIGHT, spark_sentence(trend), Markup("").join(parts)
    )


def spark_sentence(trend: Sequence[Mapping[str, Any]]) -> str:
    """The line in words: lowest, highest, days with data."""
    judged = [one for one in trend if one.get("total")]
    if not judged:
        return f"近 {SPARK_DAYS} 天没有数据"
    ordered = sorted(judged, key=lambda one: one["good"] / one["total"])
    return (
        f"近 {SPARK_DAYS} 天：最低 {percent(ordered[0])} ({ordered[0]['day']})，"
        f"最高 {percent(ordered[-1])}，有数据 {len(judged)} 天"
    )


def _points(trend: Sequence[Mapping[str, Any]], last_day: str) -> list[float | None]:
    """One place a day up to `last_day`; days that nobody judged are None."""
    end = date.fromisoformat(last_day)
    by_day = {one["day"]: one["good"] / one["total"] for one in trend if one.get("total")}
    days = [end - timedelta(days=SPARK_DAYS - 1 - place) for place in range(SPARK_DAYS)]
    return [by_day.get(one.isoformat()) for one in days]


def _runs(points: Sequence[float | None]) -> list[list[tuple[int, float]]]:
    """Neighbouring days with data, as (place, value)."""
    runs: list[list[tuple[int, float]]] = []
    for place, value in enumerate(points):
        if value is None:
            continue
        if runs and runs[-1][-1][0] == place - 1:
            runs[-1].append((place, value))
        else:
            runs.append([(place, value)])
    return runs


def _scale(values: Sequence[float], target: float | None) -> tuple[float, float]:
    """From lowest to highest, with a target that is near; never a stretch so small that noise looks like a cliff."""
    low, high = min(values), max(values)
    if target is not None and max(high, target) - min(low, target) <= 3 * max(high - low, 0.01):
        low, high = min(low, target), max(high, target)
    if high - low < 0.004:
        middle = (high + low) / 2
        low, high = middle - 0.002, middle + 0.002
    return low, high
