"""Lists what writing back still owes, and gives another try to what a person has looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from mappings.problems import LiukeError, Problem, Text
from state import audit, outbox
from state.outbox import Row
from state.store import Store
from state.turns import take_turns
from sync.definitions import nameless

RETRIED = (outbox.REJECTED, outbox.DRIFTED, outbox.LATER, outbox.AVAILABLE)
"""What a retry moves; what is on its way is resolved by reading back only."""


@dataclass(frozen=True)
class Listed:
    """Rows as asked for, and how many there are in all of each status."""

    rows: tuple[Row, ...]
    by_status: dict[str, int]
    cut: bool


def listing(
    tx: Connection,
    now: int,
    *,
    target: str = "",
    statuses: Sequence[str] = (*outbox.OWED, outbox.DRIFTED),
    limit: int = 100,
) -> Listed:
    """What is owed or drifted, by target, record and field."""
    wrong = sorted(set(statuses) - set(outbox.STATUSES))
    if wrong:
        raise LiukeError(_unknown_status(wrong))
    rows = outbox.select(tx, target=target, statuses=statuses, limit=limit + 1)
    totals: dict[str, int] = {}
    for one in outbox.counts(tx, now):
        if target in {"", one.target}:
            for status, n in one.by_status.items():
                totals[status] = totals.get(status, 0) + n
    return Listed(tuple(rows[:limit]), totals, len(rows) > limit)


def retry(
    store: Store,
    target: str,
    by: str,
    now: int,
    *,
    statuses: Sequence[str] = (outbox.REJECTED,),
    source_id: str = "",
    field: str = "",
) -> int:
    """Makes rejected (or drifted, or waiting) values due at once; returns how many.

    A drifted value of a field that is theirs is written over what they put there: that is what is asked for.
    Guards and approval hold as for any other write.
    """
    if not by.strip():
        raise LiukeError(nameless("writeback.nameless-approval", target))
    wrong = sorted(set(statuses) - set(RETRIED))
    if wrong:
        raise LiukeError(_not_retried(wrong))
    moved, after = 0, ""
    while True:
        with store.transaction() as tx:
            take_turns(tx, f"outbox.{target}")
            rows = outbox.select(tx, target=target, statuses=statuses, after=after, limit=2_000)
            if not rows:
                if moved:
                    detail = {"values": moved, "statuses": list(statuses), "record": source_id, "field": field}
                    audit.record(tx, now, by, "writeback.retried", target, detail)
                return moved
            after = rows[-1].source_id
            chosen = [
                replace(row, status=outbox.AVAILABLE, attempts=0, snoozes=0, next_at=0, code=None, receipt=None)
                for row in rows
                if source_id in {"", row.source_id} and field in {"", row.field}
            ]
            outbox.put(tx, chosen)
            moved += len(chosen)


def _unknown_status(wrong: Sequence[str]) -> Problem:
    return Problem(
        "writeback.status-unknown",
        Text(f"没有状态 {', '.join(wrong)}", f"there is no status {', '.join(wrong)}"),
        "--status",
        Text("可用: " + ", ".join(outbox.STATUSES), "use " + ", ".join(outbox.STATUSES)),
    )


def _not_retried(wrong: Sequence[str]) -> Problem:
    return Problem(
        "writeback.cannot-retry",
        Text(
            f"状态 {', '.join(wrong)} 不能重试: 结果未知的写入只能回查",
            f"{', '.join(wrong)} cannot be tried again: what may have arrived is read back first",
        ),
        "--status",
        Text("可用: " + ", ".join(RETRIED), "use " + ", ".join(RETRIED)),
    )
