"""The report's parts about running: objectives with their error budgets, connectors hour by hour."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection

from mappings.problems import Text
from quality.expectations import ConnectorExpectation, Expectations
from quality.objectives import Share, failure, latency, worst
from quality.status import Objectives
from quality.times import iso
from state.bulk import execute

HOUR_US = 3_600_000_000
HOURS = 24


def share(value: Share) -> dict[str, int]:
    """A share as the report writes it."""
    return {"good": value.good, "total": value.total}


# --- objectives ---------------------------------------------------------------------------------------


def objectives(judged: Objectives, expectations: Expectations) -> list[dict[str, Any]]:
    """Every objective over all connectors; its status is that of the worst of them."""
    fresh = [stream for stream in judged.streams if stream.since is not None]
    statuses = judged.statuses()
    parts = [
        _latency(
            "latency.hub", Text("来源 → 客户库 300 秒内到达", "Source to hub within 300 s"), judged.hub, expectations
        ),
        _latency(
            "latency.crm", Text("来源 → 目标系统 300 秒内确认", "Source to target confirmed within 300 s"),
            judged.targets, expectations,
        ),
        _failure(
            "failure.attempts", Text("接口调用失败率 (含重试)", "Failed attempts"),
            [(one.connector, one.attempts, one.attempts_status) for one in judged.failures], expectations,
        ),
        _failure(
            "failure.final", Text("最终失败率 (重试后仍失败)", "Calls that failed for good"),
            [(one.connector, one.calls, one.calls_status) for one in judged.failures], expectations,
        ),
        {
            "code": "stream.stale",
            "title": Text("同步对象按时同步", "Streams pulled in time")._asdict(),
            "target": {"op": ">=", "value": 1.0},
            "window_days": 1,
            "share": share(Share(sum(not one.stale for one in fresh), len(fresh))),
            "watched": None,
            "budget": None,
            "connectors": [
                _part(connector, Share(sum(not one.stale for one in own), len(own)), worst(one.status for one in own))
                for connector in expectations.connectors
                if (own := [one for one in fresh if one.connector == connector])
            ],
        },
    ]  # fmt: skip
    return [{**part, "status": statuses[part["code"]]} for part in parts]


def _latency(code: str, title: Text, parts: Sequence[latency.Latency], expectations: Expectations) -> dict[str, Any]:
    limits = expectations.thresholds
    total, watched = Share(0, 0), Share(0, 0)
    for part in parts:
        total, watched = total.plus(part.share), watched.plus(part.watched)
    return {
        "code": code,
        "title": title._asdict(),
        "target": {"op": ">=", "value": float(limits.latency_target)},
        "window_days": limits.latency_days,
        "share": share(total),
        "watched": share(watched),
        "budget": {"allowed": latency.allowed(total.total, limits.latency_target), "used": total.bad},
        "connectors": [_part(part.connector, part.share, part.status) for part in parts],
    }


def _failure(
    code: str, title: Text, parts: Sequence[tuple[str, Share, str]], expectations: Expectations
) -> dict[str, Any]:
    limit = expectations.thresholds.failure_limit
    total = Share(0, 0)
    for _, part, _ in parts:
        total = total.plus(part)
    return {
        "code": code,
        "title": title._asdict(),
        "target": {"op": "<=", "value": float(limit)},
        "window_days": 1,
        "share": share(total),
        "watched": None,
        "budget": {"allowed": latency.allowed(total.total, 1 - limit), "used": total.bad},
        "connectors": [_part(name, part, status) for name, part, status in parts],
    }


def _part(connector: str, value: Share, status: str) -> dict[str, Any]:
    return {"name": connector, "share": share(value), "status": status}


# --- connectors ---------------------------------------------------------------------------------------


def connectors(tx: Connection, now: int, judged: Objectives, expectations: Expectations) -> list[dict[str, Any]]:
    """Every configured connector."""
    rows = _stream_rows(tx)
    hours = _Hours(tx, now)
    return [_connector(one, judged, rows, hours, expectations) for one in expectations.connectors.values()]


def _connector(
    expected: ConnectorExpectation,
    judged: Objectives,
    rows: dict[tuple[str, str], int],
    hours: _Hours,
    expectations: Expectations,
) -> dict[str, Any]:
    arrival = next((one for one in judged.hub if one.connector == expected.name), None)
    confirmed = next((one for one in judged.targets if one.connector == expected.name), None)
    calls = next((one for one in judged.failures if one.connector == expected.name), None)
    streams = [one for one in judged.streams if one.connector == expected.name]
    statuses = [one.status for one in (arrival, confirmed) if one is not None] + [one.status for one in streams]
    statuses += [calls.attempts_status, calls.calls_status] if calls is not None else []
    nothing = Share(0, 0)
    return {
        "name": expected.name,
        "type": expected.type,
        "title": expected.title._asdict(),
        "role": expected.role,
        "status": worst(statuses),
        "last_success_at": iso(max((s.last_success_at for s in streams if s.last_success_at), default=None)),
        "latency": {
            "p50_s": arrival.within(0.5) if arrival else None,
            "p95_s": arrival.within(0.95) if arrival else None,
            "p99_s": arrival.within(0.99) if arrival else None,
            "max_s": arrival.within(1.0) if arrival else None,
            "share": share(arrival.share if arrival else nothing),
            "watched": share(arrival.watched if arrival else nothing),
            "waiting": arrival.waiting if arrival else 0,
        },
        "failure": {
            "attempts": _failed(calls.attempts if calls else nothing),
            "calls": _failed(calls.calls if calls else nothing),
            "hint": calls.hint._asdict() if calls and calls.hint.zh else None,
        },
        "hours": hours.of(expected, float(expectations.thresholds.failure_limit)),
        "streams": [
            {
                "name": one.name,
                "status": one.status,
                "age_s": one.age_s,
                "limit_s": one.limit_s,
                "rows": rows.get((expected.name, one.name)),
            }
            for one in streams
        ],
        "backfill_excluded": arrival.backfill_excluded if arrival else 0,
    }


def _failed(value: Share) -> dict[str, int]:
    return {"failed": value.bad, "total": value.total}


def _stream_rows(tx: Connection) -> dict[tuple[str, str], int]:
    """Records that each stream has brought into the hub so far: visible lines of its loaded files."""
    rows = execute(
        tx,
        "SELECT connector, stream, sum(coalesce(visible, lines)) FROM landing_file WHERE status = 'loaded' "
        "GROUP BY connector, stream",
        (),
    )
    return {(connector, stream): int(count) for connector, stream, count in rows}


class _Hours:
    """The last 24 hours of all connectors; an hour is counted by its number since 1970."""

    def __init__(self, tx: Connection, now: int) -> None:
        self._last = now // HOUR_US
        first = (self._last - HOURS + 1) * HOUR_US
        self._records = _grouped(
            execute(
                tx,
                f"SELECT connector, finished_at / {HOUR_US} AS hour, sum(read), count(*) FROM stream_run "
                f"WHERE outcome = 'ok' AND finished_at >= ? GROUP BY connector, finished_at / {HOUR_US}",
                (first,),
            )
        )
        self._late = _grouped(
            execute(
                tx,
                f"SELECT connector, committed_at / {HOUR_US} AS hour, count(*), 0 FROM late_record "
                f"WHERE committed_at >= ? GROUP BY connector, committed_at / {HOUR_US}",
                (first,),
            )
        )
        good = ", ".join(f"'{outcome}'" for outcome in (*failure.GOOD, failure.LATER))
        self._calls = _grouped(
            execute(
                tx,
                f"SELECT connector, minute / 60 AS hour, sum(CASE WHEN outcome IN ({good}) THEN 0 ELSE n END), sum(n) "
                "FROM call_meter WHERE level = 'attempt' AND minute >= ? GROUP BY connector, minute / 60",
                (first // failure.MINUTE_US,),
            )
        )

    def of(self, connector: ConnectorExpectation, limit: float) -> list[dict[str, Any]]:
        """One connector's hours, oldest first; an hour without a successful poll has no data."""
        found = []
        for hour in range(self._last - HOURS + 1, self._last + 1):
            records, polls = self._records.get((connector.name, hour), (0, 0))
            late, _ = self._late.get((connector.name, hour), (0, 0))
            failed, calls = self._calls.get((connector.name, hour), (0, 0))
            status = "ok"
            if not polls:
                status = "warning" if failed else "no_data"
            elif late or failed > limit * calls:
                status = "warning"
            found.append(
                {"hour": iso(hour * HOUR_US), "status": status, "records": records, "late": late, "failed": failed}
            )
        return found


def _grouped(rows: Iterable[Any]) -> dict[tuple[str, int], tuple[int, int]]:
    return {(connector, int(hour)): (int(first), int(second)) for connector, hour, first, second in rows}
