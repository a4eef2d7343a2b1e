"""Keeps the records that could not become visible, each with all of its reasons, until they are right.

One row per source record: its newest bad version. It is open while no version at least as new is visible;
a good version closes it by itself. What is kept is where the record lies in the landing files, never a copy.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from state.bulk import EARLIEST, execute, execute_many, newer, quoted

DUE_US = 24 * 3600 * 1_000_000
"""A quarantined record is overdue after this long, unless its contract says otherwise."""


@dataclass(frozen=True)
class Reason:
    """Why a record is not visible: code, the field (entity.column) it is about, a masked sample of its value."""

    code: str
    field: str = ""
    sample: str = ""


@dataclass(frozen=True)
class BadRecord:
    """A version of a source record that must not become visible; `key` is the source_id of its own entity."""

    stream: str
    entity: str
    key: str
    landing_no: int
    line_no: int
    source_updated_at: int | None
    extracted_at: int
    reasons: tuple[Reason, ...]

    @property
    def version(self) -> tuple[int, int, int, int]:
        """What orders versions of the record."""
        updated = EARLIEST if self.source_updated_at is None else self.source_updated_at
        return (updated, self.extracted_at, self.landing_no, self.line_no)


def settle(
    tx: Connection, connector: str, bad: Iterable[BadRecord], run_id: str, now: int, *, due_us: int = DUE_US
) -> int:
    """Opens rows for bad records that are newer than what is visible and closes rows that are no more so.

    To be called after the good rows of the same file were written. Returns how many rows it opened.
    """
    newest: dict[tuple[str, str], BadRecord] = {}
    for record in bad:
        held = newest.get((record.entity, record.key))
        if held is None or record.version > held.version:
            newest[record.entity, record.key] = record
    rows = sorted(newest.values(), key=lambda record: (record.entity, record.key))
    execute_many(
        tx,
        "INSERT INTO quarantine (connector, stream, entity, record_key, landing_no, line_no, source_updated_at, "
        "extracted_at, code, reasons, status, opened_at, due_at, run_id) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'open', ?, ?, ?) "
        "ON CONFLICT (connector, entity, record_key) DO UPDATE SET stream = excluded.stream, "
        "landing_no = excluded.landing_no, line_no = excluded.line_no, "
        "source_updated_at = excluded.source_updated_at, extracted_at = excluded.extracted_at, "
        "code = excluded.code, reasons = excluded.reasons, "
        "opened_at = CASE WHEN quarantine.status = 'open' THEN quarantine.opened_at ELSE excluded.opened_at END, "
        "due_at = CASE WHEN quarantine.status = 'open' THEN quarantine.due_at ELSE excluded.due_at END, "
        "status = 'open', closed_at = NULL, run_id = excluded.run_id "
        f"WHERE {newer('excluded', 'quarantine')} "
        # The same version again: only a replay under other rules may change its reasons.
        f"OR (NOT {newer('quarantine', 'excluded')} AND quarantine.reasons <> excluded.reasons)",
        [
            (
                connector, r.stream, r.entity, r.key, r.landing_no, r.line_no, r.source_updated_at,
                r.extracted_at, r.reasons[0].code, _reasons_text(r.reasons), now, now + due_us, run_id,
            )
            for r in rows
        ],
    )  # fmt: skip
    close_superseded(tx, connector, now)
    if not rows:
        return 0
    opened = execute(
        tx,
        "SELECT count(*) FROM quarantine WHERE connector = ? AND status = 'open' AND opened_at = ? AND run_id = ?",
        (connector, now, run_id),
    ).scalar_one()
    return int(opened)


def close_superseded(tx: Connection, connector: str, now: int) -> int:
    """Closes open rows whose record has a version at least as new in its unified table."""
    entities = execute(
        tx,
        "SELECT DISTINCT entity FROM quarantine WHERE connector = ? AND status = 'open' AND entity <> ''",
        (connector,),
    ).all()
    closed = 0
    for (entity,) in entities:
        table = quoted(entity)
        result = execute(
            tx,
            "UPDATE quarantine SET status = 'closed', closed_at = ? WHERE connector = ? AND entity = ? "
            f"AND status = 'open' AND EXISTS (SELECT 1 FROM {table} AS visible "
            "WHERE visible.connector = quarantine.connector AND visible.source_id = quarantine.record_key "
            f"AND NOT {newer('quarantine', 'visible')})",
            (now, connector, entity),
        )
        closed += result.rowcount
    return closed


def close_line(tx: Connection, connector: str, key: str, now: int) -> None:
    """Closes the row of a line that had no readable key and now has been read."""
    execute(
        tx,
        "UPDATE quarantine SET status = 'closed', closed_at = ? WHERE connector = ? AND record_key = ? "
        "AND status = 'open'",
        (now, connector, key),
    )


def line_key(stream: str, landing_no: int, line_no: int) -> str:
    """Names a record whose own key cannot be read by its place in the landing files."""
    return f"#{stream}/{landing_no}/{line_no}"


def reasons_of(text: str) -> list[Reason]:
    """The reasons of a quarantine row, as they were stored."""
    return [Reason(*item) for item in json.loads(text)]


def _reasons_text(reasons: tuple[Reason, ...]) -> str:
    items: list[list[Any]] = sorted([r.code, r.field, r.sample] for r in reasons)
    return json.dumps(items, ensure_ascii=False)
