"""Makes report.json: everything the health report says; page, Excel and mail are pure functions of it.

Its shape is quality/report/report.schema.json. Texts are {"zh", "en"}, times ISO 8601 in Beijing time, shares
exact counts {"good", "total"}; null means 无数据. No person is ever shown unmasked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from quality import debts, waivers
from quality.checking import CheckResult, run_checks, trends
from quality.contract import Contracts
from quality.debts import NONE_UNREGISTERED, Owing, Unregistered
from quality.expectations import Expectations
from quality.report import business, findings, running, todo
from quality.report.phrases import masked
from quality.status import has_run, judge_objectives, word
from quality.times import iso

__all__ = ["report"]

VERSION = 1
WINDOW_US = 24 * 3600 * 1_000_000


def report(
    tx: Connection,
    now: int,
    expectations: Expectations,
    contracts: Contracts,
    *,
    run_id: str,
    results: Sequence[CheckResult] | None = None,
    unregistered: Unregistered = NONE_UNREGISTERED,
) -> dict[str, Any]:
    """The whole report as of now, from one view of the database. `results` are those of run_checks(), if at hand."""
    judged = run_checks(tx, now, contracts, expectations) if results is None else results
    objectives = judge_objectives(tx, now, expectations)
    owed = debts.owed(tx, Owing(now, expectations, unregistered))
    statuses = objectives.statuses()
    ran = has_run(tx)
    status = word(ran=ran, owed=owed, objectives=statuses.values(), checks=[one.status for one in judged])
    sku = business.sku(tx, now, expectations)
    quarantine = findings.quarantine(tx, now, contracts, expectations)
    targets = business.writeback(tx, now, expectations)
    items = todo.items(todo.Seen(tx, now, expectations, contracts, objectives, owed, judged, quarantine, sku, targets))
    return {
        "version": VERSION,
        "company": expectations.company,
        "generated_at": iso(now),
        "clock": expectations.clock,
        "window": {"from": iso(now - WINDOW_US), "to": iso(now)},
        "run_id": run_id,
        "status": status,
        "todo": sum(one.owed for one in owed),
        "headline": todo.headline(status, items, owed)._asdict(),
        "owed": {one.name: one.owed for one in owed},
        "owed_overdue": {one.name: one.overdue for one in owed},
        "waived": [
            {"debt": one.debt, "key": masked(one.key), "by": one.by, "reason": one.reason, "until": iso(one.until)}
            for one in waivers.active(tx, now)
        ],
        "do_first": [one.as_json() for one in items[: todo.FIRST]],
        "do_next": [one.as_json() for one in items[todo.FIRST :]],
        "objectives": running.objectives(objectives, expectations),
        "connectors": running.connectors(tx, now, objectives, expectations),
        "completeness": findings.completeness(judged, contracts, expectations),
        "checks": findings.checks(judged, trends(tx, now), now),
        "sku": sku,
        "identity": business.identity(tx, judged),
        "quarantine": quarantine,
        "scores": business.scores(tx),
        "writeback": {"targets": targets},
        "matrix": findings.matrix(tx, judged, expectations),
    }
