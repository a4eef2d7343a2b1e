"""Says how many records of a stream are usual on a day, and whether a day was far from it.

Usual is the median of the last eight same weekdays; far from it is both more than 3.5 times their spread (the
median absolute deviation, scaled to a normal distribution) and more than 20 %. Holidays, make-up workdays and
shopping days are neither judged nor part of a baseline.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from importlib import resources
from statistics import median

from sqlalchemy import Connection

from mappings import documents
from mappings.problems import Text
from quality.expectations import Expectations
from state.bulk import execute
from state.days import shanghai_day

WEEKS = 8
FEWEST = 4
"""Fewer same weekdays than this are no baseline."""

SPREADS = 3.5
NORMAL = 1.4826
"""Makes the median absolute deviation comparable with a standard deviation."""

SHARE = 0.2
FEWEST_APART = 10
"""Days that differ by fewer records than this are alike, however steady the stream is."""

DAY_US = 86_400_000_000
SHANGHAI_US = 8 * 3_600_000_000


@dataclass(frozen=True)
class Baseline:
    """What is usual on a weekday: the median of some days and their median absolute deviation."""

    usual: float
    spread: float
    days: int

    def unusual(self, count: int) -> bool:
        """Whether a count is far from what is usual."""
        apart = abs(count - self.usual)
        return apart >= FEWEST_APART and apart > SPREADS * NORMAL * self.spread and apart > SHARE * max(self.usual, 1)


@dataclass(frozen=True)
class Volume:
    """One stream on the last whole Shanghai day. `baseline` is None while there are too few days to compare with,
    and on a `special` day (its name)."""

    connector: str
    stream: str
    day: str
    count: int | None
    baseline: Baseline | None
    special: Text | None = None

    @property
    def status(self) -> str:
        """ok, warning (unusual) or no_data."""
        if self.count is None or self.baseline is None:
            return "no_data"
        return "warning" if self.baseline.unusual(self.count) else "ok"


def baseline(history: Mapping[str, int], day: str) -> Baseline | None:
    """The baseline of a day, from the counts of ordinary days before it; None if there are too few."""
    weekday = date.fromisoformat(day).weekday()
    same = [
        history[past]
        for past in sorted(history, reverse=True)
        if past < day and date.fromisoformat(past).weekday() == weekday and past not in special_days()
    ][:WEEKS]
    if len(same) < FEWEST:
        return None
    usual = median(same)
    return Baseline(usual, median(abs(count - usual) for count in same), len(same))


def volumes(tx: Connection, now: int, expectations: Expectations) -> list[Volume]:
    """Every stream that is to be pulled, on the last whole day."""
    day = shanghai_day(now - DAY_US)
    counts = _counts(tx, now)
    special = special_days().get(day)
    found = []
    for connector in expectations.connectors.values():
        for stream in connector.streams if connector.pulls else ():
            history = counts.get((connector.name, stream.name), {})
            usual = None if special else baseline(history, day)
            found.append(Volume(connector.name, stream.name, day, history.get(day), usual, special))
    return found


def _counts(tx: Connection, now: int) -> dict[tuple[str, str], dict[str, int]]:
    """Records read by day, of runs that were no backfill; a day without a successful poll is missing, not 0."""
    today = (now + SHANGHAI_US) // DAY_US
    rows = execute(
        tx,
        f"""
        SELECT s.connector, s.stream, (s.finished_at + {SHANGHAI_US}) / {DAY_US} AS day, sum(s.read)
        FROM stream_run AS s
        JOIN run AS r ON r.run_id = s.run_id AND r.backfill = 0
        WHERE s.outcome = 'ok' AND s.finished_at >= ? AND s.finished_at < ?
        GROUP BY s.connector, s.stream, (s.finished_at + {SHANGHAI_US}) / {DAY_US}
        """,
        # Twelve weeks: some of the same weekdays among them are special.
        ((today - 7 * 12) * DAY_US - SHANGHAI_US, today * DAY_US - SHANGHAI_US),
    )
    found: dict[tuple[str, str], dict[str, int]] = {}
    for connector, stream, day, read in rows:
        found.setdefault((connector, stream), {})[shanghai_day(int(day) * DAY_US)] = int(read)
    return found


@cache
def special_days() -> Mapping[str, Text]:
    """Days of the shipped calendar that are like no ordinary weekday, with their names."""
    text = (resources.files("quality") / "calendar_cn.yaml").read_text(encoding="utf-8")
    data = documents.parse(text, "quality/calendar_cn.yaml").data
    days = {day: Text("调休工作日", "make-up workday") for day in data["workdays"]}
    for year in data["years"]:
        for sale in data["shopping"]:
            days |= _between(f"{year}-{sale['from']}", f"{year}-{sale['to']}", Text(sale["name"], sale["en"]))
    for holiday in data["holidays"]:
        days |= _between(holiday["from"], holiday["to"], Text(holiday["name"], holiday["en"]))
    return days


def _between(first: str, last: str, name: Text) -> dict[str, Text]:
    start, end = date.fromisoformat(first), date.fromisoformat(last)
    return {(start + timedelta(days=n)).isoformat(): name for n in range((end - start).days + 1)}
