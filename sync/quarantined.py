"""Lists the records in quarantine for a person, and finds one of them again."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from connectors.redact import SECRETS
from state.bulk import execute
from state.quarantine import Reason, reasons_of


@dataclass(frozen=True)
class Quarantined:
    """One record in quarantine, or one that was. Times are microseconds UTC."""

    id: int
    connector: str
    stream: str
    entity: str
    key: str
    code: str
    status: str
    reasons: tuple[Reason, ...]
    landing_no: int
    line_no: int
    opened_at: int
    due_at: int
    run_id: str
    waived_until: int | None

    @property
    def shown_key(self) -> str:
        """The key as it may be shown: where a source numbers its customers by phone, it is one."""
        return SECRETS.clean(self.key)

    @property
    def debt_key(self) -> str:
        """How a waiver names it."""
        return f"{self.connector}/{self.entity}/{self.key}"


@dataclass(frozen=True)
class Listed:
    """Open records as asked for: the first of them, how many there are in all, and whose they are."""

    rows: tuple[Quarantined, ...]
    total: int
    connectors: frozenset[str]


_COLUMNS = """
    q.id, q.connector, q.stream, q.entity, q.record_key, q.code, q.status, q.reasons, q.landing_no, q.line_no,
    q.opened_at, q.due_at, q.run_id,
    (SELECT max(w.expires_at) FROM waiver AS w WHERE w.debt = 'quarantine' AND w.expires_at > ?
     AND w.key = q.connector || '/' || q.entity || '/' || q.record_key) AS waived_until
"""


def listing(tx: Connection, now: int, *, connector: str = "", code: str = "", limit: int) -> Listed:
    """Open records, those due soonest first; `connector` and `code` narrow them."""
    asked = "q.status = 'open' AND (? = '' OR q.connector = ?) AND (? = '' OR q.code = ?)"
    parameters = (connector, connector, code, code)
    counts = execute(
        tx, f"SELECT connector, count(*) FROM quarantine AS q WHERE {asked} GROUP BY connector", parameters
    ).all()
    rows = execute(
        tx,
        f"SELECT {_COLUMNS} FROM quarantine AS q WHERE {asked} ORDER BY q.due_at, q.connector, q.id LIMIT ?",
        (now, *parameters, limit),
    )
    return Listed(
        tuple(_read(*row) for row in rows),
        sum(int(count) for _, count in counts),
        frozenset(name for name, _ in counts),
    )


def one_of(tx: Connection, now: int, number: int) -> Quarantined | None:
    """The record of that number, closed or not; None if there is none."""
    row = execute(tx, f"SELECT {_COLUMNS} FROM quarantine AS q WHERE q.id = ?", (now, number)).first()
    return None if row is None else _read(*row)


def _read(  # one row of _COLUMNS
    number: int,
    connector: str,
    stream: str,
    entity: str,
    key: str,
    code: str,
    status: str,
    reasons: str,
    landing_no: int,
    line_no: int,
    opened_at: int,
    due_at: int,
    run_id: str,
    waived_until: int | None,
) -> Quarantined:
    return Quarantined(
        number, connector, stream, entity, key, code, status, tuple(reasons_of(reasons)),
        landing_no, line_no, opened_at, due_at, run_id, waived_until,
    )  # fmt: skip
