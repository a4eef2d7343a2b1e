"""Change guard: stops scheduled writes that would change unusually many customers, and asks a person.

What an approved plan covers is exempt. Everything else counts, per target and Shanghai day: customers whose
values changed, and customers who left a tier. A run that would go past a limit sends nothing that is not
approved: half of a mistake is no better than the whole.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from sqlalchemy import Connection

from state import outbox
from state.bulk import execute, execute_many
from state.days import shanghai_day
from state.outbox import Decision, Row
from sync.writeback.target import Target, keyed_by

KIND = "writeback.guard"
KEPT_DAYS_US = 7 * 86_400_000_000


@dataclass(frozen=True)
class Tripped:
    """Which limit would be passed: `changes` of `total` are more than `limit` of them. `tier` is empty if it is
    the limit for all customers.
    """

    target: str
    tier: str
    changes: int
    total: int
    limit: Fraction

    @property
    def zh(self) -> str:
        """What happened and what to do, for a person."""
        who = f"{self.tier} 级客户中 {self.changes:,} 人将离开该级" if self.tier else f"{self.changes:,} 位客户将被改动"
        return (
            f"{self.target} 的回写已暂停: 今天{who} (共 {self.total:,} 人), "
            f"超过每日 {_percent(self.limit)} 的变更保护; 请核对后批准: liuke writeback plan {self.target}"
        )

    @property
    def en(self) -> str:
        """What happened and what to do, for a person."""
        who = f"customers would leave tier {self.tier}" if self.tier else "customers would be changed"
        return (
            f"write-back to {self.target} is held: {self.changes:,} {who} today (of {self.total:,}), past the guard of "
            f"{_percent(self.limit)} a day; look and approve: liuke writeback plan {self.target}"
        )


@dataclass(frozen=True)
class Allowance:
    """How many customers scheduled writes have changed today, how many there are, and so per tier."""

    customers: int
    total: int
    left: Mapping[str, int]
    sizes: Mapping[str, int]

    def with_rows(self, rows: Iterable[Row], counted: Mapping[str, str | None]) -> Allowance:
        """After these rows too; `counted` are the records that stand in it already, with the tier they left."""
        new: set[str] = set()
        left = dict(self.left)
        for row in rows:
            if row.source_id not in counted:
                new.add(row.source_id)
            leaves = row.field == "tier" and row.confirmed_value is not None
            if leaves and counted.get(row.source_id) is None:
                left[row.confirmed_value or ""] = left.get(row.confirmed_value or "", 0) + 1
        return Allowance(self.customers + len(new), self.total, left, self.sizes)

    def tripped(self, target: Target) -> Tripped | None:
        """The first limit that is passed."""
        guard = target.guard
        if self.customers > guard.customers * self.total:
            return Tripped(target.name, "", self.customers, self.total, guard.customers)
        for tier, left in sorted(self.left.items()):
            size = self.sizes.get(tier, 0)
            if left > guard.tier * size:
                return Tripped(target.name, tier, left, size, guard.tier)
        return None


def judge(tx: Connection, target: Target, now: int) -> Tripped | None:
    """The limit that everything due now and not approved would pass, all of it together."""
    day = shanghai_day(now)
    due = "FROM outbox AS o WHERE o.target = ? AND o.status IN (?, ?) AND o.next_at <= ? AND o.plan IS NULL"
    known = "SELECT 1 FROM write_guard AS g WHERE g.target = o.target AND g.day = ? AND g.source_id = o.source_id"
    parameters = (target.name, *outbox.DUE, now, day)
    if execute(tx, f"SELECT 1 {due} LIMIT 1", parameters[:-1]).first() is None:
        return None  # counting a target's customers takes seconds where there are millions
    records = execute(tx, f"SELECT count(DISTINCT o.source_id) {due} AND NOT EXISTS ({known})", parameters).scalar_one()
    leaving = _numbers(
        execute(
            tx,
            f"SELECT o.confirmed_value, count(*) {due} AND o.field = 'tier' AND o.confirmed_value IS NOT NULL "
            f"AND NOT EXISTS ({known} AND g.tier IS NOT NULL) GROUP BY o.confirmed_value",
            parameters,
        )
    )
    before = used(tx, target, now, tiers=bool(leaving))
    left = {tier: before.left.get(tier, 0) + leaving.get(tier, 0) for tier in before.left.keys() | leaving.keys()}
    return Allowance(before.customers + records, before.total, left, before.sizes).tripped(target)


def enter(tx: Connection, target: Target, rows: Iterable[Row], now: int) -> None:
    """Counts the records of these rows against today's limits, in the transaction that marks them as sent."""
    day = shanghai_day(now)
    tiers: dict[str, str | None] = {}
    for row in rows:
        tier = row.confirmed_value if row.field == "tier" else None
        tiers[row.source_id] = tier or tiers.get(row.source_id)
    execute_many(
        tx,
        "INSERT INTO write_guard (target, day, source_id, tier) VALUES (?, ?, ?, ?) "
        "ON CONFLICT (target, day, source_id) DO UPDATE SET tier = coalesce(write_guard.tier, excluded.tier)",
        [(target.name, day, source_id, tier) for source_id, tier in sorted(tiers.items())],
    )


def counted(tx: Connection, target: Target, now: int) -> dict[str, str | None]:
    """Records that count against today's limits already, with the tier they left."""
    rows = execute(
        tx,
        "SELECT source_id, tier FROM write_guard WHERE target = ? AND day = ?",
        (target.name, shanghai_day(now)),
    )
    return {row[0]: row[1] for row in rows}


def forget_old(tx: Connection, target: Target, now: int) -> None:
    """Days of the past count for nothing."""
    execute(
        tx,
        "DELETE FROM write_guard WHERE target = ? AND day < ?",
        (target.name, shanghai_day(now - KEPT_DAYS_US)),
    )


def ask(tx: Connection, tripped: Tripped, now: int) -> None:
    """Puts the question to a person: the changes are seen and approved as a plan."""
    detail = {
        "tier": tripped.tier,
        "changes": tripped.changes,
        "total": tripped.total,
        "limit": str(tripped.limit),
    }
    outbox.ask(
        tx,
        Decision(
            KIND,
            tripped.target,
            now,
            now + outbox.DUE_US,
            tripped.zh,
            tripped.en,
            json.dumps(detail, ensure_ascii=False),
        ),
    )


def used(tx: Connection, target: Target, now: int, *, tiers: bool) -> Allowance:
    """What scheduled writes have changed today, of how many; sizes of `tiers` only where they are asked for."""
    day = shanghai_day(now)
    rows = execute(
        tx,
        "SELECT tier, count(*) FROM write_guard WHERE target = ? AND day = ? GROUP BY tier",
        (target.name, day),
    ).all()
    left = {tier: n for tier, n in rows if tier is not None}
    return Allowance(
        sum(n for _, n in rows),
        _customers(tx, target),
        left if tiers else {},
        _sizes(tx, target, day) if tiers else {},
    )


def _sizes(tx: Connection, target: Target, day: str) -> dict[str, int]:
    now_in = _numbers(
        execute(
            tx,
            "SELECT confirmed_value, count(*) FROM outbox WHERE target = ? AND field = 'tier' "
            "AND confirmed_value IS NOT NULL GROUP BY confirmed_value",
            (target.name,),
        )
    )
    # Who has left today was there this morning, whatever read-back has confirmed since.
    gone = _numbers(
        execute(
            tx,
            "SELECT g.tier, count(*) FROM write_guard AS g JOIN outbox AS o ON o.target = g.target "
            "AND o.source_id = g.source_id AND o.field = 'tier' "
            "WHERE g.target = ? AND g.day = ? AND g.tier IS NOT NULL "
            "AND (o.confirmed_value IS NULL OR o.confirmed_value <> g.tier) GROUP BY g.tier",
            (target.name, day),
        )
    )
    return {tier: now_in.get(tier, 0) + gone.get(tier, 0) for tier in now_in.keys() | gone.keys()}


def _numbers(rows: Iterable[Any]) -> dict[str, int]:
    return {row[0]: row[1] for row in rows}


def _customers(tx: Connection, target: Target) -> int:
    keyed = keyed_by(tx, target)
    which = f"AND connector IN ({', '.join('?' * len(keyed))})" if keyed else ""
    return int(
        execute(
            tx,
            f"SELECT count(*) FROM customer_record WHERE deleted = 0 AND coalesce(kind, 'person') <> 'channel' {which}",
            keyed,
        ).scalar_one()
    )


def _percent(share: Fraction) -> str:
    return f"{float(share * 100):g}%"
