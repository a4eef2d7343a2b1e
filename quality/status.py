"""One word for everything: ok means nothing is owed and every objective holds.

breach    an objective is missed, a blocking check fails, or something owed is overdue
warning   an objective is in danger, or a check is below its target
ok_todo   something is owed, all of it inside its due time
ok        nothing is owed and every objective holds
no_data   nothing ever ran
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from quality import debts
from quality.debts import Owed, Owing, Unregistered
from quality.expectations import Expectations
from quality.objectives import failure, freshness, latency, worst
from quality.times import iso
from state.bulk import execute


@dataclass(frozen=True)
class Objectives:
    """All objectives, judged."""

    hub: tuple[latency.Latency, ...]
    targets: tuple[latency.Latency, ...]
    failures: tuple[failure.Failure, ...]
    streams: tuple[freshness.Stream, ...]

    def statuses(self) -> dict[str, str]:
        """Each objective's word: that of its worst connector."""
        return {
            "latency.hub": worst(one.status for one in self.hub),
            "latency.crm": worst(one.status for one in self.targets),
            "failure.attempts": worst(one.attempts_status for one in self.failures),
            "failure.final": worst(one.calls_status for one in self.failures),
            "stream.stale": worst(one.status for one in self.streams),
        }


def judge_objectives(tx: Connection, now: int, expectations: Expectations) -> Objectives:
    """Judges every objective now."""
    return Objectives(
        tuple(latency.to_hub(tx, now, expectations)),
        tuple(latency.to_targets(tx, now, expectations)),
        tuple(failure.of_day(tx, now, expectations)),
        tuple(freshness.streams(tx, now, expectations)),
    )


def word(*, ran: bool, owed: Sequence[Owed], objectives: Iterable[str], checks: Iterable[str]) -> str:
    """The status word for everything together."""
    if not ran:
        return "no_data"
    judged = worst([*objectives, *checks])
    if judged == "breach" or any(one.overdue for one in owed):
        return "breach"
    if judged == "warning":
        return "warning"
    return "ok_todo" if any(one.owed for one in owed) or judged == "ok_todo" else "ok"


def has_run(tx: Connection) -> bool:
    """Whether any run was ever begun."""
    return execute(tx, "SELECT 1 FROM run LIMIT 1", ()).first() is not None


def last_checks(tx: Connection) -> list[tuple[str, str, str]]:
    """Code, connector and status of the results of the last day that was checked."""
    rows = execute(
        tx, "SELECT code, connector, status FROM check_result WHERE day = (SELECT max(day) FROM check_result)", ()
    )
    return [(code, connector, status) for code, connector, status in rows]


def status(
    tx: Connection, now: int, expectations: Expectations, unregistered: Unregistered = debts.NONE_UNREGISTERED
) -> dict[str, Any]:
    """What `liuke status --json` prints; set checks are those of the last `liuke check`, all else is judged now."""
    owed = debts.owed(tx, Owing(now, expectations, unregistered))
    objectives = judge_objectives(tx, now, expectations).statuses()
    checks = last_checks(tx)
    ran = has_run(tx)
    return {
        "status": word(ran=ran, owed=owed, objectives=objectives.values(), checks=[one[2] for one in checks]),
        "todo": sum(one.owed for one in owed),
        "owed": {one.name: one.owed for one in owed},
        "owed_overdue": {one.name: one.overdue for one in owed},
        "waived": {one.name: one.waived for one in owed},
        "oldest": {one.name: iso(one.oldest_at) for one in owed},
        "objectives": objectives,
        "checks": {
            "warning": sorted({code for code, _, word_ in checks if word_ == "warning"}),
            "breach": sorted({code for code, _, word_ in checks if word_ == "breach"}),
        },
        "company": expectations.company,
        "clock": expectations.clock,
        "generated_at": iso(now),
    }
