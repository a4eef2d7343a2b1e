"""Remembers whose scores and wanted values are out of date, from the load that made them so until they are made anew.

Marked in the transaction that changes an order or a customer's set of records, so that no crash in between can
leave a target with an old value under a green status.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection

from state.bulk import execute, execute_many, listed


def mark(tx: Connection, record_nos: Iterable[int], now: int) -> None:
    """Marks customer records; one that is being worked on just now is marked again."""
    execute_many(
        tx,
        "INSERT INTO touched_record (record_no, since) VALUES (?, ?) "
        "ON CONFLICT (record_no) DO UPDATE SET taken_by = NULL",
        [(number, now) for number in sorted(record_nos)],
    )


def buyers_of(tx: Connection, connector: str, orders: list[str]) -> list[int]:
    """The customer records that bought these orders."""
    sql, parameter = listed(tx, orders)
    rows = execute(
        tx,
        'SELECT DISTINCT buyer_record_no FROM "order" WHERE connector = ? AND buyer_record_no IS NOT NULL '
        f"AND source_id IN {sql}",
        (connector, parameter),
    )
    return [number for (number,) in rows]


def take(tx: Connection, run_id: str) -> list[int]:
    """The customers of all marked records, which are this run's from now on; those of a run that died included.

    A record's number stands for a customer too: it may have been one before its set was joined with another.
    """
    execute(tx, "UPDATE touched_record SET taken_by = ?", (run_id,))
    rows = execute(
        tx,
        "SELECT record_no FROM touched_record UNION SELECT c.customer_id FROM touched_record AS t "
        "JOIN customer_record AS c ON c.record_no = t.record_no WHERE c.customer_id IS NOT NULL ORDER BY 1",
    )
    return [customer for (customer,) in rows]


def settle(tx: Connection, run_id: str) -> None:
    """Forgets what this run took and nobody has marked again since."""
    execute(tx, "DELETE FROM touched_record WHERE taken_by = ?", (run_id,))
