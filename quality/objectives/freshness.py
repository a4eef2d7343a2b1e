"""Finds streams that nobody has pulled for longer than max(3 x their declared interval, 300 s).

A poll without changes lands nothing, so this is read from the runs, not from the data.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from quality.expectations import Expectations, StreamExpectation
from state.bulk import execute

SECOND_US = 1_000_000


@dataclass(frozen=True)
class Stream:
    """One stream; `since` is its last successful poll, else the hub's first run (None: nothing ever ran)."""

    connector: str
    name: str
    last_success_at: int | None
    since: int | None
    limit_s: int
    age_s: int | None
    stale: bool

    @property
    def status(self) -> str:
        """ok, warning (stale) or no_data."""
        return "no_data" if self.since is None else "warning" if self.stale else "ok"

    @property
    def stale_at(self) -> int:
        """When it became stale, if it did."""
        return (self.since or 0) + self.limit_s * SECOND_US


def streams(tx: Connection, now: int, expectations: Expectations) -> list[Stream]:
    """Every stream that is to be pulled."""
    first_run = execute(tx, "SELECT min(started_at) FROM run", ()).scalar_one()
    return [
        _stream(tx, now, connector.name, stream, first_run)
        for connector in expectations.connectors.values()
        if connector.pulls
        for stream in connector.streams
    ]


def _stream(tx: Connection, now: int, connector: str, expected: StreamExpectation, first_run: int | None) -> Stream:
    last = execute(
        tx,
        # By its index from the newest backwards: a stream polled for a year is answered as fast as a new one.
        "SELECT finished_at FROM stream_run WHERE connector = ? AND stream = ? AND outcome = 'ok' "
        "AND finished_at IS NOT NULL ORDER BY finished_at DESC LIMIT 1",
        (connector, expected.name),
    ).scalar()
    since = first_run if last is None else int(last)
    age = None if since is None else max(now - since, 0) // SECOND_US
    return Stream(
        connector,
        expected.name,
        None if last is None else int(last),
        since,
        expected.limit_s,
        age,
        since is not None and now - since > expected.limit_s * SECOND_US,
    )
