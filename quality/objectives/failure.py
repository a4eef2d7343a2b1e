"""Judges how many calls to outside systems failed, per connector and Shanghai day: attempts and final results.

More than 2 % of the attempts failing is a warning (the retries hide it from the data, not from the source); more
than 2 % of the final results is a warning, too, and a breach once chance cannot explain it: when the lower end of
the Wilson interval (95 %) is above 2 %. A rate limit is no failure: it counts on neither side until it is older
than 30 minutes and the same endpoint has not answered since; then it is a final failure.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from math import sqrt

from sqlalchemy import Connection

from mappings.problems import Text
from quality.expectations import NO_TEXT, ConnectorExpectation, Expectations
from quality.objectives import Share
from state.bulk import execute

MINUTE_US = 60_000_000
DAY_MINUTES = 1440
SHANGHAI_MINUTES = 480
GOOD = ("ok", "empty")
LATER = "later"
Z = 1.959963984540054
"""Two-sided 95 % of the normal distribution."""

HINTS = {
    "retriable": Text(
        "多为网络超时或对方故障: 检查网络, 或把拉取间隔放宽一倍",
        "mostly time-outs or faults of the other side: check the network, or double the interval",
    ),
    "auth": Text(
        "多为凭证失效: 在对方后台更新密钥后运行 liuke test", "mostly credentials: renew the key, then liuke test"
    ),
    "rejected": Text(
        "多为请求被拒: 按错误码核对字段与权限, liuke test 可复现",
        "mostly refused requests: check fields and rights by the error code; liuke test repeats it",
    ),
    "fatal": Text("配置或权限错误: 运行 liuke doctor", "configuration or rights: run liuke doctor"),
    LATER: Text(
        "限流超过 30 分钟未恢复: 放宽拉取间隔, 或申请更高调用额度",
        "rate-limited for over 30 minutes: widen the interval or ask for more quota",
    ),
}
"""What to do about the outcome that failed most."""


@dataclass(frozen=True)
class Failure:
    """One connector on one Shanghai day; the shares count what did not fail."""

    connector: str
    attempts: Share
    calls: Share
    attempts_status: str
    calls_status: str
    hint: Text = NO_TEXT


def wilson_lower(failed: int, total: int) -> float:
    """Lower end of the Wilson score interval of failed/total; 0 without calls."""
    if not total:
        return 0.0
    share, z2 = failed / total, Z * Z
    centre = share + z2 / (2 * total)
    spread = Z * sqrt(share * (1 - share) / total + z2 / (4 * total * total))
    return max(0.0, (centre - spread) / (1 + z2 / total))


def of_day(tx: Connection, now: int, expectations: Expectations) -> list[Failure]:
    """Today so far. Before its first call is due, a connector is judged by yesterday."""
    today = day_start(now)
    by_day = {
        start: counts(tx, start, start + DAY_MINUTES, now, expectations) for start in (today, today - DAY_MINUTES)
    }
    return [
        judge(connector, _day_of(connector, by_day, today, now), expectations)
        for connector in expectations.connectors.values()
        if connector.pulls or connector.writes
    ]


def day_start(now: int) -> int:
    """The minute (since 1970, UTC) at which the Shanghai day began."""
    return (now // MINUTE_US + SHANGHAI_MINUTES) // DAY_MINUTES * DAY_MINUTES - SHANGHAI_MINUTES


Counts = dict[str, dict[tuple[str, str], int]]
"""Per connector: how many by (level, outcome); level is attempt or call."""


def counts(tx: Connection, first_minute: int, end_minute: int, now: int, expectations: Expectations) -> Counts:
    """Calls between two minutes; `later` on level call holds only those that became final failures."""
    found: Counts = {}
    rows = execute(
        tx,
        "SELECT connector, level, outcome, sum(n) FROM call_meter WHERE minute >= ? AND minute < ? AND outcome <> ? "
        "GROUP BY connector, level, outcome",
        (first_minute, end_minute, LATER),
    ).all()
    for connector, level, outcome, n in (*rows, *_given_up(tx, first_minute, end_minute, now, expectations)):
        found.setdefault(connector, {})[level, outcome] = int(n)
    return found


def _given_up(
    tx: Connection, first_minute: int, end_minute: int, now: int, expectations: Expectations
) -> Iterable[tuple[str, str, str, int]]:
    """Calls put off for longer than 30 minutes whose endpoint has not answered within that time."""
    wait = expectations.thresholds.later_minutes
    return [
        (connector, "call", LATER, int(n))
        for connector, n in execute(
            tx,
            """
            SELECT put_off.connector, sum(put_off.n)
            FROM call_meter AS put_off
            WHERE put_off.level = 'call' AND put_off.outcome = 'later'
              AND put_off.minute >= ? AND put_off.minute < ? AND put_off.minute < ?
              AND NOT EXISTS (
                  SELECT 1 FROM call_meter AS answer
                  WHERE answer.connector = put_off.connector AND answer.endpoint = put_off.endpoint
                    AND answer.minute >= put_off.minute AND answer.minute <= put_off.minute + ?
                    AND answer.level = 'call' AND answer.outcome IN ('ok', 'empty'))
            GROUP BY put_off.connector
            """,
            (first_minute, end_minute, now // MINUTE_US - wait, wait),
        )
    ]


def judge(connector: ConnectorExpectation, found: dict[tuple[str, str], int], expectations: Expectations) -> Failure:
    """One connector's counts as two shares and their statuses."""
    limit = expectations.thresholds.failure_limit
    attempts, calls = share(found, "attempt"), share(found, "call")
    return Failure(
        connector.name,
        attempts,
        calls,
        "no_data" if not attempts.total else "warning" if attempts.bad > limit * attempts.total else "ok",
        _calls_status(calls, limit),
        _hint(found) if attempts.bad > limit * attempts.total or calls.bad > limit * calls.total else NO_TEXT,
    )


def share(found: dict[tuple[str, str], int], level: str) -> Share:
    """How many of that level did not fail."""
    good = sum(n for (at, outcome), n in found.items() if at == level and outcome in GOOD)
    return Share(good, sum(n for (at, _), n in found.items() if at == level))


def _calls_status(calls: Share, limit: Decimal) -> str:
    if not calls.total:
        return "no_data"
    if wilson_lower(calls.bad, calls.total) > limit:
        return "breach"
    return "warning" if calls.bad > limit * calls.total else "ok"


def _hint(found: dict[tuple[str, str], int]) -> Text:
    failures: dict[str, int] = {}
    for (_, outcome), n in found.items():
        if outcome not in GOOD:
            failures[outcome] = failures.get(outcome, 0) + n
    most = max(failures, key=lambda outcome: (failures[outcome], outcome))
    return HINTS.get(most, HINTS["retriable"])


def _day_of(
    connector: ConnectorExpectation, by_day: dict[int, Counts], today: int, now: int
) -> dict[tuple[str, str], int]:
    mine = by_day[today].get(connector.name, {})
    due_s = min((stream.limit_s for stream in connector.streams), default=DAY_MINUTES * 60)
    if not mine and now // MINUTE_US - today <= due_s // 60:
        return by_day[today - DAY_MINUTES].get(connector.name, {})
    return mine
