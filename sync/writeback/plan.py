"""Shows what writing back would change, and takes a person's approval of exactly that.

The digest of a plan covers every single change: target, record, field, old and new value. Approving it allows
these changes and no others; one that a newer value overtakes is left out. Writing to a target is off until the
first approval.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import polars as pl
from sqlalchemy import Connection

from connectors.writer import Writer
from mappings.identity.masks import mask_name
from mappings.problems import LiukeError, Problem, Text
from state import audit, outbox
from state.bulk import execute
from state.outbox import DUE
from state.store import Store
from state.turns import take_turns
from sync.clock import Clock, microseconds
from sync.definitions import nameless
from sync.writeback.confirm import look_at_unread
from sync.writeback.desired import APPROVAL
from sync.writeback.fields import shown
from sync.writeback.guard import KIND as GUARD
from sync.writeback.session import Session
from sync.writeback.target import Target, plain_key

SAMPLE = 5
"""Records shown as examples."""

KEPT_PLANS = 3
"""Plans of a target that nobody approved are forgotten when so many newer ones exist."""

DAY_US = 86_400_000_000
ASSUMED_CALL_MS = 300
"""Taken for a call as long as none was made."""


@dataclass(frozen=True)
class FieldDiff:
    """How many values of one field are set where there was none, changed, and taken back."""

    field: str
    set: int
    changed: int
    cleared: int


@dataclass(frozen=True)
class TierMove:
    """How many records go from one tier to another; None is no tier."""

    old: str | None
    new: str | None
    records: int


@dataclass(frozen=True)
class SampleChange:
    """One change as a person may see it: the customer's name is masked."""

    source_id: str
    name: str
    field: str
    old: str
    new: str


@dataclass(frozen=True)
class Plan:
    """Everything that would be sent to a target now, and whether somebody has approved it.

    `calls` is the most it takes, `calls_today` what is used up, `daily_calls` the declared quota (None: not
    declared). `superseded` changes were overtaken between plan and approval. `unread`: the target could not be
    read, so old values are those last known. Times in microseconds UTC.
    """

    target: str
    digest: str
    made_at: int
    changes: int
    records: int
    fields: tuple[FieldDiff, ...]
    tiers: tuple[TierMove, ...]
    sample: tuple[SampleChange, ...]
    calls: int
    calls_today: int
    daily_calls: int | None
    seconds: int
    unread: str = ""
    superseded: int = 0
    approved_by: str | None = None
    approved_at: int | None = None
    applied_at: int | None = None


def plan(store: Store, target: Target, writer: Writer, clock: Clock, *, run_id: str) -> Plan:
    """Reads what the target holds where that is not known, and plans everything that is due or will be.

    Planning twice without a change between gives the same digest. A plan without changes is not kept.
    """
    looked = look_at_unread(Session(store, target, writer, clock, run_id))
    now = microseconds(clock.now())
    with store.transaction() as tx:  # the digest is of the very rows that are kept as the plan
        take_turns(tx, f"outbox.{target.name}")
        made = _made(tx, target, writer, now)
        made = replace(made, unread=looked.problem.code if looked.problem else "")
        if made.changes:
            _keep(tx, made)
            made = plan_of(tx, made.digest)
    return made


def approve(store: Store, target: Target, digest: str, by: str, now: int, *, demo: bool = False) -> Plan:
    """A person allows the plan's changes, and with the first plan writing to this target at all.

    The demo approves its own simulated systems and nothing else; the audit says that it was the demo.
    """
    if not by.strip():
        raise LiukeError(nameless("writeback.nameless-approval", digest))
    if demo and not target.sandbox:
        raise LiukeError(_not_sandbox(target.name))
    with store.transaction() as tx:  # approval, the rows it covers and the audit are one act
        take_turns(tx, f"outbox.{target.name}")
        found = plan_of(tx, digest)
        if found.target != target.name:
            raise LiukeError(_unknown(digest, [one.digest for one in plans(tx, target.name)]))
        if found.approved_by is not None and outbox.is_on(tx, target.name):
            return found
        covered = _cover(tx, found.digest, target.name)
        if covered == 0:
            raise LiukeError(_stale(found.digest, target.name))
        superseded = found.changes - covered
        execute(
            tx,
            "UPDATE write_plan SET approved_by = ?, approved_at = ?, summary = ? WHERE digest = ?",
            (by, now, _summary(replace(found, superseded=superseded)), found.digest),
        )
        outbox.switch(tx, target.name, on=True, plan=found.digest)
        outbox.decided(tx, APPROVAL, target.name)
        outbox.decided(tx, GUARD, target.name)
        detail = {
            "target": target.name,
            "changes": found.changes,
            "superseded": superseded,
            "sandbox": target.sandbox,
            "demo": demo,
        }
        audit.record(tx, now, by, "writeback.approved", found.digest, detail)
        return plan_of(tx, found.digest)


def stop(store: Store, target_name: str, by: str, now: int) -> None:
    """Switches writing to a target off; the next approved plan switches it on again."""
    if not by.strip():
        raise LiukeError(nameless("writeback.nameless-approval", target_name))
    with store.transaction() as tx:
        outbox.switch(tx, target_name, on=False)
        audit.record(tx, now, by, "writeback.stopped", target_name)


def plan_of(tx: Connection, digest: str) -> Plan:
    """The plan of that digest, or of the only one that begins so (eight characters at least)."""
    rows = execute(
        tx,
        "SELECT digest, summary, approved_by, approved_at, applied_at FROM write_plan WHERE substr(digest, 1, ?) = ?",
        (len(digest), digest),
    ).all()
    if len(rows) != 1 or len(digest) < 8:
        known = execute(tx, "SELECT digest FROM write_plan ORDER BY made_at DESC LIMIT 5")
        raise LiukeError(_unknown(digest, [row[0] for row in known]))
    return _read(*rows[0])


def plans(tx: Connection, target_name: str) -> list[Plan]:
    """All plans of a target that are kept, newest first."""
    rows = execute(
        tx,
        "SELECT digest, summary, approved_by, approved_at, applied_at FROM write_plan WHERE target = ? "
        "ORDER BY made_at DESC, digest",
        (target_name,),
    )
    return [_read(*row) for row in rows]


# --- making -----------------------------------------------------------------------------------------------


_DUE = "target = ? AND status IN (?, ?)"


def _made(tx: Connection, target: Target, writer: Writer, now: int) -> Plan:
    due = (target.name, *DUE)
    digest = _digest(tx, due)
    fields = tuple(
        FieldDiff(*row)
        for row in execute(
            tx,
            "SELECT field, sum(CASE WHEN confirmed_value IS NULL THEN 1 ELSE 0 END), "
            "sum(CASE WHEN confirmed_value IS NOT NULL AND value IS NOT NULL THEN 1 ELSE 0 END), "
            "sum(CASE WHEN confirmed_value IS NOT NULL AND value IS NULL THEN 1 ELSE 0 END) "
            f"FROM outbox WHERE {_DUE} GROUP BY field ORDER BY field",
            due,
        )
    )
    tiers = tuple(
        TierMove(*row)
        for row in execute(
            tx,
            f"SELECT confirmed_value, value, count(*) FROM outbox WHERE {_DUE} AND field = 'tier' "
            "GROUP BY confirmed_value, value ORDER BY coalesce(confirmed_value, ''), coalesce(value, '')",
            due,
        )
    )
    records = execute(tx, f"SELECT count(DISTINCT source_id) FROM outbox WHERE {_DUE}", due).scalar_one()
    changes = sum(one.set + one.changed + one.cleared for one in fields)
    calls = writer.calls(changes) if changes else 0
    calls_today, call_ms = _calls(tx, target.name, now)
    return Plan(
        target.name,
        digest,
        now,
        changes,
        records,
        fields,
        tiers,
        _sample(tx, target, due),
        calls,
        calls_today,
        target.daily_calls,
        seconds=-(-calls * call_ms // 1000),
    )


def _digest(tx: Connection, due: tuple[str, ...]) -> str:
    """SHA-256 over every change in key order."""
    digest = hashlib.sha256()
    result = execute(
        tx,
        f"SELECT target, source_id, field, confirmed_value, value FROM outbox WHERE {_DUE} ORDER BY source_id, field",
        due,
    )
    while rows := result.fetchmany(20_000):
        for row in rows:
            digest.update(json.dumps(list(row), ensure_ascii=False).encode() + b"\n")
    return digest.hexdigest()


def _sample(tx: Connection, target: Target, due: tuple[str, ...]) -> tuple[SampleChange, ...]:
    """The changes of the first few records."""
    rows = execute(
        tx,
        f"SELECT source_id, field, confirmed_value, value FROM outbox WHERE {_DUE} AND source_id IN "
        f"(SELECT DISTINCT source_id FROM outbox WHERE {_DUE} ORDER BY source_id LIMIT ?) "
        "ORDER BY source_id, field",
        (*due, *due, SAMPLE),
    ).all()
    names = _masked_names(tx, target, sorted({row[0] for row in rows}))
    return tuple(
        SampleChange(source_id, names[source_id], field, shown(field, old), shown(field, new))
        for source_id, field, old, new in rows
    )


def _masked_names(tx: Connection, target: Target, source_ids: Sequence[str]) -> dict[str, str]:
    found = []
    for key in source_ids:
        system, _, rest = key.partition("/")
        row = execute(
            tx,
            "SELECT name FROM customer_record WHERE (connector = ? AND source_id = ?) "
            "OR (connector = ? AND source_id = ?)",
            (plain_key(target), key, system, rest),
        ).first()
        found.append(row[0] if row is not None else None)
    masked = pl.DataFrame({"name": found}, schema={"name": pl.String}).select(mask_name(pl.col("name")))
    return {key: name or "" for key, name in zip(source_ids, masked.to_series(), strict=True)}


def _calls(tx: Connection, target_name: str, now: int) -> tuple[int, int]:
    """Calls made to the system today, and the average time of one over the last week in milliseconds."""
    today = (now + 8 * 3_600_000_000) // DAY_US * DAY_US - 8 * 3_600_000_000
    row = execute(
        tx,
        "SELECT sum(CASE WHEN minute >= ? THEN n ELSE 0 END), sum(n), sum(ms) FROM call_meter "
        "WHERE connector = ? AND level = 'attempt' AND minute >= ?",
        (today // 60_000_000, target_name, (now - 7 * DAY_US) // 60_000_000),
    ).one()
    used, n, ms = (int(value or 0) for value in row)
    return used, (max(1, ms // n) if n else ASSUMED_CALL_MS)


def _keep(tx: Connection, made: Plan) -> None:
    known = execute(tx, "SELECT 1 FROM write_plan WHERE digest = ?", (made.digest,)).first()
    if known is not None:
        return
    execute(
        tx,
        "INSERT INTO write_plan (digest, target, made_at, changes, summary) VALUES (?, ?, ?, ?, ?)",
        (made.digest, made.target, made.made_at, made.changes, _summary(made)),
    )
    execute(
        tx,
        "INSERT INTO write_plan_item (digest, source_id, field, old, new) "
        f"SELECT ?, source_id, field, confirmed_value, value FROM outbox WHERE {_DUE}",
        (made.digest, made.target, *DUE),
    )
    old = execute(
        tx,
        "SELECT digest FROM write_plan WHERE target = ? AND approved_at IS NULL ORDER BY made_at DESC, digest",
        (made.target,),
    ).all()[KEPT_PLANS:]
    for (digest,) in old:
        execute(tx, "DELETE FROM write_plan_item WHERE digest = ?", (digest,))
        execute(tx, "DELETE FROM write_plan WHERE digest = ?", (digest,))


def _cover(tx: Connection, digest: str, target_name: str) -> int:
    """Puts the approval on the rows that are still as planned; returns how many."""
    return int(
        execute(
            tx,
            f"UPDATE outbox SET plan = ? WHERE {_DUE} AND EXISTS (SELECT 1 FROM write_plan_item AS i "
            "WHERE i.digest = ? AND i.source_id = outbox.source_id AND i.field = outbox.field "
            "AND (i.old = outbox.confirmed_value OR (i.old IS NULL AND outbox.confirmed_value IS NULL)) "
            "AND (i.new = outbox.value OR (i.new IS NULL AND outbox.value IS NULL)))",
            (digest, target_name, *DUE, digest),
        ).rowcount
    )


# --- as it is kept ------------------------------------------------------------------------------------------


def _summary(made: Plan) -> str:
    left_out = ("digest", "approved_by", "approved_at", "applied_at")
    return json.dumps({name: value for name, value in asdict(made).items() if name not in left_out}, ensure_ascii=False)


def _read(digest: str, summary: str, approved_by: str | None, approved_at: int | None, applied_at: int | None) -> Plan:
    kept: dict[str, Any] = json.loads(summary)
    kept["fields"] = tuple(FieldDiff(**one) for one in kept["fields"])
    kept["tiers"] = tuple(TierMove(**one) for one in kept["tiers"])
    kept["sample"] = tuple(SampleChange(**one) for one in kept["sample"])
    return Plan(digest=digest, approved_by=approved_by, approved_at=approved_at, applied_at=applied_at, **kept)


def _unknown(digest: str, known: Sequence[str]) -> Problem:
    shown_ones = ", ".join(one[:12] for one in known) or "—"
    return Problem(
        "writeback.plan-unknown",
        Text(f"没有计划 {digest}", f"there is no plan {digest}"),
        f"计划 plans: {shown_ones}",
        Text("先生成计划: liuke writeback plan 目标系统", "make one: liuke writeback plan TARGET"),
    )


def _stale(digest: str, target_name: str) -> Problem:
    return Problem(
        "writeback.plan-stale",
        Text("计划中的每一项都已有更新的值", "newer values have overtaken every change of this plan"),
        f"{target_name}: {digest}",
        Text(
            f"重新生成计划: liuke writeback plan {target_name}",
            f"make a new plan: liuke writeback plan {target_name}",
        ),
    )


def _not_sandbox(target_name: str) -> Problem:
    return Problem(
        "writeback.demo-not-sandbox",
        Text("演示只能批准模拟系统的回写", "the demo may approve writes to simulated systems only"),
        target_name,
        Text("真实系统请由管理员批准: --by 姓名", "a real system is approved by an admin: --by NAME"),
    )


__all__ = ["FieldDiff", "Plan", "SampleChange", "TierMove", "approve", "plan", "plan_of", "plans", "stop"]
