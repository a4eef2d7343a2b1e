"""Remembers every run: when it began and ended, what it read, and how it went, stream by stream."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from state.bulk import execute, execute_many

RUNNING = "running"
OK = "ok"
PARTLY = "partly"
FAILED = "failed"
CANCELLED = "cancelled"


@dataclass(frozen=True)
class StreamRun:
    """What one run did for one stream; `outcome` is ok, later or failed. Times are microseconds UTC."""

    stream: str
    started_at: int
    finished_at: int
    outcome: str
    read: int
    rejected: int


def begin(tx: Connection, run_id: str, connector: str, command: str, now: int, *, backfill: bool = False) -> None:
    """Writes down that a run has begun; a run that never ends stays `running` and proves nothing fresh."""
    execute(
        tx,
        "INSERT INTO run (run_id, connector, command, started_at, outcome, backfill) VALUES (?, ?, ?, ?, ?, ?) "
        "ON CONFLICT DO NOTHING",
        (run_id, connector, command, now, RUNNING, int(backfill)),
    )


def end(
    tx: Connection,
    run_id: str,
    connector: str,
    now: int,
    outcome: str,
    streams: list[StreamRun],
    counts: Mapping[str, Any],
    error: tuple[str, str] | None = None,
) -> None:
    """Writes down how the run went; `error` is code and text of the first problem."""
    execute(
        tx,
        "UPDATE run SET finished_at = ?, outcome = ?, counts = ?, error_code = ?, error = ? WHERE run_id = ?",
        (now, outcome, json.dumps(counts, sort_keys=True), *(error or (None, None)), run_id),
    )
    execute_many(
        tx,
        "INSERT INTO stream_run (run_id, connector, stream, started_at, finished_at, outcome, read, rejected) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (run_id, stream) DO UPDATE SET "
        "finished_at = excluded.finished_at, outcome = excluded.outcome, read = excluded.read, "
        "rejected = excluded.rejected",
        [(run_id, connector, s.stream, s.started_at, s.finished_at, s.outcome, s.read, s.rejected) for s in streams],
    )


def has_succeeded(tx: Connection, connector: str) -> bool:
    """Whether any run of the connector ever went through; before that, a run is its first load."""
    row = execute(tx, "SELECT 1 FROM run WHERE connector = ? AND outcome = ? LIMIT 1", (connector, OK)).first()
    return row is not None
