"""The report's parts about findings: completeness, every check with its trend, quarantine, the matrix."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from quality.checking import CheckResult, DayResult, owner_of
from quality.codes import meaning
from quality.contract import Contracts, Kind, Severity
from quality.expectations import Expectations
from quality.objectives import worst
from quality.report.phrases import masked
from quality.times import iso
from state.bulk import execute
from state.days import shanghai_day

NOT_GIVEN = "—"
"""A source that cannot give what a check is about."""

SCORES = {
    "score.rfm": (("order", "ordered_at"), ("order", "paid_amount")),
    "score.tier": (("order", "ordered_at"), ("order", "paid_amount")),
    "score.stage": (("order", "ordered_at"),),
    "score.account": (("customer_record", "last_active_at"),),
    "score.churn": (("order", "ordered_at"),),
}
"""What each score is made of: without a connector that fills it, the score says 无数据 instead of 0."""


def completeness(results: Sequence[CheckResult], contracts: Contracts, expectations: Expectations) -> dict[str, Any]:
    """Fields that have a threshold, by connector that fills at least one of them; null: it cannot fill that one."""
    judged = [one for one in results if one.kind is Kind.COMPLETENESS]
    fields = list(dict.fromkeys((one.entity, one.field, one.code) for one in judged))
    by_cell = {(one.connector, one.code): one for one in judged}
    rows = [name for name in expectations.connectors if any((name, code) in by_cell for *_, code in fields)]
    return {
        "fields": [
            {
                "entity": entity,
                "field": field,
                "title": contracts.label(entity, field)._asdict(),
                "threshold": float(_rule_target(contracts, code)),
            }
            for entity, field, code in fields
        ],
        "rows": [
            {"connector": name, "cells": [_cell(by_cell.get((name, code))) for *_, code in fields]} for name in rows
        ],
    }


def _rule_target(contracts: Contracts, code: str) -> float:
    rule = contracts.rule(code)
    return 0.0 if rule is None else float(rule.target)


def _cell(result: CheckResult | None) -> dict[str, Any] | None:
    return None if result is None else {"good": result.good, "total": result.total, "status": result.status}


def checks(
    results: Sequence[CheckResult], history: Mapping[tuple[str, str, str, str], Sequence[DayResult]], now: int
) -> list[dict[str, Any]]:
    """Every result with its last 28 days; today's point is the result itself."""
    today = shanghai_day(now)
    found = []
    for one in results:
        past = [day for day in history.get((one.code, one.connector, one.entity, one.field), ()) if day.day != today]
        found.append(
            {
                "code": one.code,
                "title": one.title._asdict(),
                "dimension": one.dimension.value,
                "entity": one.entity,
                "connector": one.connector,
                "field": one.field,
                "status": one.status,
                "blocking": one.kind is Kind.ROW and one.severity is Severity.BLOCKING,
                "severity": one.severity.value,
                "good": one.good,
                "total": one.total,
                "found": one.found,
                "target": None if one.target is None else float(one.target),
                "trend": [
                    {"day": day.day, "good": day.good, "total": day.total}
                    for day in (*past[-27:], DayResult(today, one.good, one.total))
                ],
                "sample": [{"key": masked(sample.key), "note": masked(sample.note)} for sample in one.sample],
                "repair": one.repair._asdict(),
                "owner": one.owner,
            }
        )
    return found


def quarantine(tx: Connection, now: int, contracts: Contracts, expectations: Expectations) -> list[dict[str, Any]]:
    """Open rows by their first reason and stream, the most first; the sample is one masked value."""
    rows = execute(
        tx,
        """
        WITH item AS (
            SELECT q.*,
                   CASE WHEN EXISTS (
                       SELECT 1 FROM waiver AS w
                       WHERE w.debt = 'quarantine' AND w.expires_at > ?
                         AND w.key = q.connector || '/' || q.entity || '/' || q.record_key)
                   THEN 1 ELSE 0 END AS waived
            FROM quarantine AS q
            WHERE q.status = 'open'
        )
        SELECT code, connector, stream, count(*), sum(waived),
               sum(CASE WHEN due_at < ? AND waived = 0 THEN 1 ELSE 0 END),
               min(opened_at), min(CASE WHEN waived = 0 THEN due_at END), min(record_key), min(entity)
        FROM item
        GROUP BY code, connector, stream
        ORDER BY count(*) DESC, code, connector, stream
        """,
        (now, now),
    ).all()
    found = []
    for code, connector, stream, count, waived, overdue, opened_at, due_at, key, entity in rows:
        about = meaning(code, contracts, connector)
        found.append(
            {
                "code": code,
                "title": about.title._asdict(),
                "connector": connector,
                "stream": stream,
                "rows": int(count),
                "overdue": int(overdue),
                "waived": int(waived),
                "oldest_at": iso(opened_at),
                "due_at": iso(due_at),
                "sample": _sample(tx, code, connector, stream, key),
                "repair": about.repair._asdict(),
                "command": f"liuke quarantine replay --connector {connector} --code {code}",
                "owner": owner_of(expectations, contracts, connector, entity) if entity in contracts.shipped else "",
                "it": about.it,
            }
        )
    return found


def _sample(tx: Connection, code: str, connector: str, stream: str, key: str) -> str:
    text = execute(
        tx,
        "SELECT reasons FROM quarantine WHERE status = 'open' AND code = ? AND connector = ? AND stream = ? "
        "AND record_key = ?",
        (code, connector, stream, key),
    ).first()
    shown = next((str(reason[2]) for reason in json.loads(text[0]) if reason[0] == code), "") if text else ""
    return masked(f"{key} · {shown}" if shown else str(key))


def matrix(tx: Connection, results: Sequence[CheckResult], expectations: Expectations) -> dict[str, Any]:
    """Every check and every score by connector: how it stands there, no_data, or that the source cannot give it."""
    names = list(expectations.connectors)
    codes = list(dict.fromkeys(one.code for one in results if one.connector))
    rows: list[dict[str, Any]] = []
    for code in codes:
        mine = [one for one in results if one.code == code]
        rows.append(
            {
                "check": code,
                "entity": mine[0].entity,
                "title": mine[0].title._asdict(),
                "cells": {
                    name: worst(found) if (found := [m.status for m in mine if m.connector == name]) else NOT_GIVEN
                    for name in names
                },
            }
        )
    scored = {row[0] for row in execute(tx, "SELECT DISTINCT name FROM score", ())}
    for code, inputs in SCORES.items():
        rows.append(
            {
                "check": code,
                "entity": "score",
                "title": {"zh": f"评分 {code.removeprefix('score.')}", "en": f"Score {code.removeprefix('score.')}"},
                "cells": {
                    name: NOT_GIVEN
                    if not all(expectations.connectors[name].provides(*one) for one in inputs)
                    else "ok"
                    if code.removeprefix("score.") in scored
                    else "no_data"
                    for name in names
                },
            }
        )
    return {"rows": rows}
