"""Takes a debt out of what is owed, for a while, on somebody's word: a name, a reason and an end within 30 days."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from mappings.problems import LiukeError, Problem, Text
from quality import debts
from state import audit
from state.bulk import execute

LONGEST_US = 30 * 86_400_000_000


class WaiverRefused(LiukeError):
    """The waiver lacks a name or a reason, lasts too long, or names no debt."""


@dataclass(frozen=True)
class Waiver:
    """One debt somebody has taken on; times are microseconds UTC."""

    debt: str
    key: str
    by: str
    reason: str
    waived_at: int
    until: int


def waive(tx: Connection, waiver: Waiver) -> None:
    """Records the waiver and the act; the item is owed again when it ends. WaiverRefused says what is missing."""
    problems = list(_problems(waiver))
    if problems:
        raise WaiverRefused(*problems)
    execute(
        tx,
        "INSERT INTO waiver (debt, key, waived_by, reason, waived_at, expires_at) VALUES (?, ?, ?, ?, ?, ?)",
        (waiver.debt, waiver.key, waiver.by.strip(), waiver.reason.strip(), waiver.waived_at, waiver.until),
    )
    audit.record(
        tx, waiver.waived_at, waiver.by.strip(), "debt.waived", f"{waiver.debt}/{waiver.key}",
        {"reason": waiver.reason.strip(), "until": waiver.until},
    )  # fmt: skip


def active(tx: Connection, now: int) -> list[Waiver]:
    """Waivers that have not ended, those that end soonest first."""
    rows = execute(
        tx,
        "SELECT debt, key, waived_by, reason, waived_at, expires_at FROM waiver WHERE expires_at > ? "
        "ORDER BY expires_at, debt, key",
        (now,),
    )
    return [Waiver(*row) for row in rows]


def _problems(waiver: Waiver) -> list[Problem]:
    where = f"{waiver.debt}/{waiver.key}"
    found = []
    if waiver.debt not in debts.known():
        names = ", ".join(debts.known())
        found.append(
            Problem(
                "waiver.no-such-debt",
                Text(f"没有待办类别 {waiver.debt}", f"there is no debt {waiver.debt}"),
                where,
                Text(f"可用: {names}", f"known: {names}"),
            )
        )
    if not waiver.by.strip() or not waiver.reason.strip():
        found.append(
            Problem(
                "waiver.nameless",
                Text("豁免需要姓名和原因", "a waiver needs a name and a reason"),
                where,
                Text("请加上 --by 姓名 --reason 原因", "add --by NAME --reason TEXT"),
            )
        )
    if not waiver.waived_at < waiver.until <= waiver.waived_at + LONGEST_US:
        found.append(
            Problem(
                "waiver.too-long",
                Text("豁免期限应在 30 天以内", "a waiver lasts at most 30 days"),
                where,
                Text("请缩短期限, 到期后可再次豁免", "choose an earlier end; it can be waived again then"),
            )
        )
    return found
