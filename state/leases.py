"""Lends a connector to one process at a time, with a fencing number that only grows."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from mappings.problems import LiukeError, Problem, Text
from state.bulk import execute
from state.store import Store

LEASE_US = 120 * 1_000_000
"""How long a lease lasts without a renewal."""


class LeaseTaken(LiukeError):
    """Another process works on this connector now; come back later."""


class LeaseLost(LiukeError):
    """This process was silent for too long and another one has taken over; what it has must not be registered."""


@dataclass(frozen=True)
class Lease:
    """The right to work on a connector, until `until` (microseconds UTC).

    Not `in_store`: the database was away, and only the fencing number is claimed, by a file.
    """

    connector: str
    owner: str
    fence: int
    until: int
    in_store: bool = True


def acquire(store: Store, connector: str, owner: str, now: int, *, at_least: int = 0) -> Lease:
    """Takes the lease if it is free or has run out; `at_least` is the highest fence seen in landing files."""
    with store.transaction() as tx:
        row = execute(tx, "SELECT owner, until, fence FROM lease WHERE connector = ?", (connector,)).first()
        if row is not None and row[0] not in (None, owner) and row[1] > now:
            raise LeaseTaken(_taken(connector, row[0]))
        fence = max(row[2] if row else 0, at_least) + 1
        until = now + LEASE_US
        execute(
            tx,
            "INSERT INTO lease (connector, owner, until, fence) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (connector) DO UPDATE SET owner = excluded.owner, until = excluded.until, "
            "fence = excluded.fence",
            (connector, owner, until, fence),
        )
    return Lease(connector, owner, fence, until)


def renew(tx: Connection, lease: Lease, now: int) -> None:
    """Prolongs the lease inside a transaction that needs it to be held; LeaseLost if it is not."""
    result = execute(
        tx,
        "UPDATE lease SET until = ? WHERE connector = ? AND owner = ? AND fence = ?",
        (now + LEASE_US, lease.connector, lease.owner, lease.fence),
    )
    if result.rowcount != 1:
        raise LeaseLost(_lost(lease))


def release(store: Store, lease: Lease) -> None:
    """Gives the lease back; a lease that was lost meanwhile is left alone."""
    with store.transaction() as tx:
        execute(
            tx,
            "UPDATE lease SET owner = NULL, until = 0 WHERE connector = ? AND owner = ? AND fence = ?",
            (lease.connector, lease.owner, lease.fence),
        )


def _taken(connector: str, owner: str) -> Problem:
    return Problem(
        "lease.taken",
        Text(f"连接器正由另一进程同步 ({owner})", f"another process is working on this connector ({owner})"),
        connector,
        Text(
            "请等待其完成后再运行; 若该进程已退出, 2 分钟后自动释放",
            "wait until it is done; if it is dead, the lease runs out after 2 minutes",
        ),
    )


def _lost(lease: Lease) -> Problem:
    return Problem(
        "lease.lost",
        Text("同步任务停顿过久, 已被另一进程接管", "this run was silent for too long and another one took over"),
        lease.connector,
        Text("无需处理: 已落地的数据由接管的进程入库", "nothing to do: the other run loads what has landed"),
    )
