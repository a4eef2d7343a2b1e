"""The outbox: for every field of every record of every target, the newest wanted value and how far it has come.

    available ── sent ──► sending ──► accepted ──► confirmed     read back: the target holds it
        ▲                    │ └────► rejected                   refused; a person decides
        │                    └──────► unknown                    no answer; resolved by reading back only
        └── later (next_at) ◄┘                                   rate limit, outage
    drifted: somebody changed a field that is theirs; left alone and reported

Newest value wins: a new value of a row on its way is noted beside what was sent, and goes out once that is
resolved. Everything but confirmed and drifted is owed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from sqlalchemy import Connection

from state.bulk import execute, execute_many, listed, quoted

AVAILABLE = "available"
SENDING = "sending"
ACCEPTED = "accepted"
CONFIRMED = "confirmed"
REJECTED = "rejected"
LATER = "later"
UNKNOWN = "unknown"
DRIFTED = "drifted"

STATUSES = (AVAILABLE, SENDING, ACCEPTED, CONFIRMED, REJECTED, LATER, UNKNOWN, DRIFTED)
IN_FLIGHT = (SENDING, ACCEPTED, UNKNOWN)
"""It may be at the target or not: only reading back tells, and until then nothing more is sent."""
DUE = (AVAILABLE, LATER)
OWED = (AVAILABLE, SENDING, ACCEPTED, REJECTED, LATER, UNKNOWN)

DUE_US = 24 * 3_600_000_000
"""A write is overdue after this long."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row; times in microseconds UTC.

    `value` is wanted since `desired_at`; `sent_value` went out last; `confirmed_value` is what the target held
    when it was last read, never if `confirmed_at` is empty. `plan` is the approved plan that covers the value.
    `cause_*` name the newest order behind it; `cause_at` is empty if the change came from no new order.
    """

    target: str
    source_id: str
    field: str
    value: str | None
    status: str
    desired_at: int
    due_at: int
    confirmed_value: str | None = None
    sent_value: str | None = None
    attempts: int = 0
    snoozes: int = 0
    next_at: int = 0
    sent_at: int | None = None
    confirmed_at: int | None = None
    plan: str | None = None
    code: str | None = None
    receipt: str | None = None
    cause_at: int | None = None
    cause_connector: str | None = None
    cause_id: str | None = None
    cause_committed_at: int | None = None
    cause_backfill: int | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        return (self.target, self.source_id, self.field)

    @property
    def debt_key(self) -> str:
        """How a waiver names this write."""
        return f"{self.target}/{self.source_id}/{self.field}"


COLUMNS = tuple(one.name for one in fields(Row))
_SELECT = f"SELECT {', '.join(quoted(name) for name in COLUMNS)} FROM outbox"


def rows_of(tx: Connection, target: str, source_ids: Sequence[str]) -> dict[tuple[str, str], Row]:
    """All rows of these records, by (source_id, field)."""
    sql, parameter = listed(tx, source_ids)
    found = execute(tx, f"{_SELECT} WHERE target = ? AND source_id IN {sql}", (target, parameter))
    return {(row[1], row[2]): Row(*row) for row in found}


def select(
    tx: Connection,
    *,
    target: str = "",
    statuses: Sequence[str] = STATUSES,
    ready_at: int | None = None,
    plan: str | None = None,
    approved: bool = False,
    unread: bool = False,
    fields: Sequence[str] = (),
    after: str = "",
    limit: int,
) -> list[Row]:
    """Rows by target, record and field, up to about `limit`, and of the last record always all that match.

    `ready_at`: only rows whose time to be tried has come. `plan`: only rows that approved plan covers;
    `approved`: only rows any approved plan covers. `unread`: only rows of which nobody has read what the target
    holds. `after`: only records behind that one, to go on where the last page ended.
    """
    words = ", ".join(f"'{status}'" for status in statuses)
    where = [f"status IN ({words})"]
    parameters: list[Any] = []
    for condition, value, wanted in (
        ("target = ?", target, bool(target)),
        ("source_id > ?", after, bool(after)),
        ("next_at <= ?", ready_at, ready_at is not None),
        ("plan = ?", plan, plan is not None),
    ):
        if wanted:
            where.append(condition)
            parameters.append(value)
    where += ["plan IS NOT NULL"] * approved + ["confirmed_at IS NULL"] * unread
    if fields:
        where.append(f"field IN ({', '.join('?' * len(fields))})")
        parameters += fields
    found = [
        Row(*row)
        for row in execute(
            tx,
            f"{_SELECT} WHERE {' AND '.join(where)} ORDER BY target, source_id, field LIMIT ?",
            (*parameters, limit),
        )
    ]
    if len(found) < limit:
        return found
    last = found[-1]
    rest = [
        Row(*row)
        for row in execute(
            tx,
            f"{_SELECT} WHERE {' AND '.join(where)} AND target = ? AND source_id = ? AND field > ? ORDER BY field",
            (*parameters, *last.key),
        )
    ]
    return found + rest


def put(tx: Connection, rows: Iterable[Row]) -> None:
    """Writes rows whole, in key order."""
    names = ", ".join(quoted(name) for name in COLUMNS)
    changes = ", ".join(f"{quoted(name)} = excluded.{quoted(name)}" for name in COLUMNS[3:])
    ordered = sorted(rows, key=lambda row: row.key)
    execute_many(
        tx,
        f"INSERT INTO outbox ({names}) VALUES ({', '.join('?' * len(COLUMNS))}) "
        f"ON CONFLICT (target, source_id, field) DO UPDATE SET {changes}",
        [tuple(getattr(row, name) for name in COLUMNS) for row in ordered],
    )


def drop(tx: Connection, rows: Iterable[Row]) -> None:
    """Forgets rows with which nothing is wanted and nothing is left behind."""
    execute_many(
        tx,
        "DELETE FROM outbox WHERE target = ? AND source_id = ? AND field = ?",
        sorted(row.key for row in rows),
    )


def recover(tx: Connection, target: str, now: int) -> int:
    """Rows on their way when a process died are unknown: they may have arrived. Returns how many there were."""
    return int(
        execute(
            tx,
            "UPDATE outbox SET status = ?, next_at = ?, code = ? WHERE target = ? AND status = ?",
            (UNKNOWN, now, "write.interrupted", target, SENDING),
        ).rowcount
    )


def mark_sending(rows: Iterable[Row], now: int) -> list[Row]:
    """The rows as they must stand in the database before the first byte leaves."""
    return [
        replace(row, status=SENDING, sent_value=row.value, sent_at=now, attempts=row.attempts + 1, code=None)
        for row in rows
    ]


# --- what has been sent, for the record -----------------------------------------------------------------


@dataclass(frozen=True)
class Answered:
    """What became of one value, as the target or its read-back said it."""

    target: str
    source_id: str
    field: str
    value: str | None
    outcome: str
    code: str
    at: int


def enter_receipts(tx: Connection, answers: Iterable[Answered], run_id: str) -> None:
    """Adds receipts; they are never changed."""
    execute_many(
        tx,
        "INSERT INTO write_receipt (target, source_id, field, value, outcome, code, at, run_id) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [(a.target, a.source_id, a.field, a.value, a.outcome, a.code, a.at, run_id) for a in answers],
    )


# --- what is owed ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class TargetCounts:
    """How one target stands: rows by status, how many are owed and overdue, whether writing is on."""

    target: str
    by_status: dict[str, int]
    owed: int
    overdue: int
    last_confirmed_at: int | None
    approved: bool


def counts(tx: Connection, now: int) -> list[TargetCounts]:
    """Every target that has rows, by name."""
    words = ", ".join(f"'{status}'" for status in OWED)
    found = execute(
        tx,
        "SELECT target, status, count(*), "
        f"sum(CASE WHEN status IN ({words}) AND due_at < ? THEN 1 ELSE 0 END), max(confirmed_at) "
        "FROM outbox GROUP BY target, status ORDER BY target, status",
        (now,),
    ).all()
    result = []
    for target in sorted({row[0] for row in found}):
        mine = [row for row in found if row[0] == target]
        by_status = {row[1]: int(row[2]) for row in mine}
        result.append(
            TargetCounts(
                target,
                by_status,
                owed=sum(by_status.get(status, 0) for status in OWED),
                overdue=sum(int(row[3]) for row in mine),
                last_confirmed_at=max((row[4] for row in mine if row[4] is not None), default=None),
                approved=is_on(tx, target),
            )
        )
    return result


# --- on and off, and what waits for a person --------------------------------------------------------------


def is_on(tx: Connection, target: str) -> bool:
    """Whether scheduled runs may write to the target: a plan was approved, and nobody has stopped it since."""
    return bool(_switch(tx, target).get("on"))


def any_on(tx: Connection) -> bool:
    """Whether scheduled runs may write to any target at all."""
    rows = execute(tx, "SELECT name FROM setting WHERE name LIKE 'writing.%'")
    return any(is_on(tx, name.removeprefix("writing.")) for (name,) in rows.all())


def opened_by(tx: Connection, target: str) -> str | None:
    """Digest of the plan whose approval switched the target on for the first time."""
    return _switch(tx, target).get("opened_by")


def switch(tx: Connection, target: str, *, on: bool, plan: str | None = None) -> None:
    """Switches writing on or off; the first plan that does it is remembered."""
    held = _switch(tx, target)
    value = {"on": on, "opened_by": held.get("opened_by") or plan}
    execute(
        tx,
        "INSERT INTO setting (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (f"writing.{target}", json.dumps(value)),
    )


def _switch(tx: Connection, target: str) -> dict[str, Any]:
    row = execute(tx, "SELECT value FROM setting WHERE name = ?", (f"writing.{target}",)).first()
    return dict(json.loads(row[0])) if row else {}


@dataclass(frozen=True)
class Decision:
    """Something only a person can decide, told in both languages; `detail` holds its numbers as JSON."""

    kind: str
    object: str
    opened_at: int
    due_at: int
    zh: str
    en: str
    detail: str = "{}"


def ask(tx: Connection, decision: Decision) -> bool:
    """Opens or re-words a decision; the time it has waited stays. Returns whether it is new."""
    known = execute(
        tx,
        "SELECT 1 FROM waiting_decision WHERE kind = ? AND object = ?",
        (decision.kind, decision.object),
    ).first()
    execute(
        tx,
        "INSERT INTO waiting_decision (kind, object, opened_at, due_at, zh, en, detail) "
        "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (kind, object) DO UPDATE SET "
        "zh = excluded.zh, en = excluded.en, detail = excluded.detail",
        (
            decision.kind,
            decision.object,
            decision.opened_at,
            decision.due_at,
            decision.zh,
            decision.en,
            decision.detail,
        ),
    )
    return known is None


def decided(tx: Connection, kind: str, object: str) -> None:
    """The decision has been made, or there is nothing to decide any more."""
    execute(tx, "DELETE FROM waiting_decision WHERE kind = ? AND object = ?", (kind, object))


def decisions(tx: Connection) -> list[Decision]:
    """All that wait, longest first."""
    found = execute(
        tx,
        "SELECT kind, object, opened_at, due_at, zh, en, detail FROM waiting_decision ORDER BY opened_at, kind, object",
    )
    return [Decision(*row) for row in found]
