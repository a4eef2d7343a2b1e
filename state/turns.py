"""Lets only one process at a time do a thing, for as long as its transaction lasts."""

from __future__ import annotations

from sqlalchemy import Connection

from state.bulk import execute, is_sqlite


def take_turns(tx: Connection, what: str) -> None:
    """Waits until no other transaction does `what`; whoever comes second reads what the first one wrote.

    SQLite has one writer anyway; a lock of PostgreSQL ends with the transaction.
    """
    if not is_sqlite(tx):
        execute(tx, "SELECT pg_advisory_xact_lock(hashtext(?))", (f"liuke.{what}",))
