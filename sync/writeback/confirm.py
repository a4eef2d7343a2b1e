"""Reads back what targets hold: confirms what arrived, finds what did not, and what somebody else changed.

The only way an unknown write is resolved. What the target shows decides:

    the wanted value            confirmed
    what we had sent before     known now; the newer value goes out
    the value before            not applied: goes out again, up to a limit
    anything else               drift: our field is put right, theirs is left and reported
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import polars as pl
from sqlalchemy import Connection

from connectors.problems import ConnectorError
from connectors.writer import Absent, Field, ReadBack
from mappings.problems import Problem
from state import ledger, outbox
from state.bulk import execute
from state.days import shanghai_day
from state.outbox import Answered, Row
from sync.writeback.fields import text_of, value_for
from sync.writeback.session import Session, told
from sync.writeback.target import THEIRS

PAGE = 2_000
"""Rows read back at once."""

MAX_ATTEMPTS = 8
"""So often a value is sent that the target takes and does not keep; then a person has to look."""

FIRST_WAIT_US = 60_000_000
LONGEST_WAIT_US = 3_600_000_000

PATIENCE_US = 30 * 60_000_000
"""A target that has accepted a value may show it only after a while; this long it is asked again."""


@dataclass(frozen=True)
class Looked:
    """How many rows were read, by what came of it; `problem` if the target could not be read."""

    outcomes: dict[str, int] = field(default_factory=dict)
    problem: Problem | None = None

    def __add__(self, other: Looked) -> Looked:
        words = self.outcomes.keys() | other.outcomes.keys()
        return Looked(
            {word: self.outcomes.get(word, 0) + other.outcomes.get(word, 0) for word in sorted(words)},
            self.problem or other.problem,
        )

    def __getitem__(self, outcome: str) -> int:
        return self.outcomes.get(outcome, 0)


def look_at_open(session: Session) -> Looked:
    """Reads back every row whose fate is open and whose time has come."""
    return _look_in_pages(
        session,
        lambda tx, after: outbox.select(
            tx,
            target=session.target.name,
            statuses=(outbox.UNKNOWN, outbox.ACCEPTED),
            ready_at=session.now(),
            after=after,
            limit=PAGE,
        ),
    )


def look_at_unread(session: Session) -> Looked:
    """Reads what the target holds where nobody has looked yet, so that a plan can say old and new."""
    return _look_in_pages(
        session,
        lambda tx, after: outbox.select(
            tx, target=session.target.name, statuses=outbox.DUE, unread=True, after=after, limit=PAGE
        ),
    )


def look_for_drift(session: Session, rows: int = PAGE) -> Looked:
    """Reads back some confirmed values, each time others, until all have had their turn."""
    name = f"drift.{session.target.name}"
    with session.store.reading() as tx:
        cursor = execute(tx, "SELECT value FROM setting WHERE name = ?", (name,)).first()
        page = outbox.select(
            tx,
            target=session.target.name,
            statuses=(outbox.CONFIRMED,),
            after=cursor[0] if cursor else "",
            limit=rows,
        )
    looked = look(session, page)
    if looked.problem is None:
        with session.transaction() as tx:
            execute(
                tx,
                "INSERT INTO setting (name, value) VALUES (?, ?) "
                "ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                (name, page[-1].source_id if len(page) >= rows else ""),
            )
    return looked


def _look_in_pages(session: Session, page_after: Callable[[Connection, str], list[Row]]) -> Looked:
    total, after = Looked(), ""
    while True:
        with session.store.reading() as tx:
            page = page_after(tx, after)
        if not page:
            return total
        total += look(session, page)
        if total.problem is not None:
            return total
        after = page[-1].source_id


def look(session: Session, rows: Sequence[Row]) -> Looked:
    """Reads these rows back and settles them. A target that cannot be read leaves them as they are."""
    if not rows:
        return Looked()
    source_ids = sorted({row.source_id for row in rows})
    names = sorted({row.field for row in rows})
    try:
        found = session.writer.read_back(source_ids, names)
    except ConnectorError as error:
        with session.transaction() as tx:
            _look_again_later(session, tx, rows)
        return Looked(problem=told(error.problem))
    with session.transaction() as tx:
        return _settle(session, tx, rows, found)


def _settle(session: Session, tx: Connection, rows: Sequence[Row], found: ReadBack) -> Looked:
    """Judges the rows as they are now: a newer value may have come while the target was read."""
    now = session.now()
    current = outbox.rows_of(tx, session.target.name, sorted({row.source_id for row in rows}))
    settled: list[Row] = []
    outcomes: dict[str, int] = {}
    confirmed: list[Row] = []
    receipts: list[Answered] = []
    fields = {one.name: one for one in session.writer.fields()}
    for key in dict.fromkeys((row.source_id, row.field) for row in rows):
        row = current.get(key)
        if row is None or row.status == outbox.SENDING:
            continue
        if session.lease is None and row.status in outbox.IN_FLIGHT:
            continue
        new, outcome = _judged(session, fields.get(row.field), row, found, now)
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
        if new == row:
            continue
        settled.append(new)
        if outcome == "confirmed":
            confirmed.append(row)
        elif outcome in {"not-applied", "drift", "drifted"}:
            receipts.append(Answered(*row.key, row.sent_value, outcome, new.code or "", now))
    nothing_left = [r for r in settled if r.value is None and r.status == outbox.CONFIRMED]
    outbox.put(tx, [r for r in settled if r not in nothing_left])
    outbox.drop(tx, nothing_left)
    outbox.enter_receipts(tx, receipts, session.run_id)
    _enter_latency(tx, session.target.name, confirmed, now)
    return Looked(outcomes)


def _judged(session: Session, known: Field | None, row: Row, found: ReadBack, now: int) -> tuple[Row, str]:
    shown = found.get(row.source_id, row.field)

    def holds(text: str | None) -> bool:
        if text is None or shown is None or isinstance(shown, Absent):
            return text is None and (shown is None or isinstance(shown, Absent))
        return known is not None and session.writer.same(row.field, value_for(known, text), shown)

    return judge(row, holds, text_of(shown), theirs=session.target.owner(row.field) == THEIRS, now=now)


def judge(
    row: Row, holds: Callable[[str | None], bool], shown: str | None, *, theirs: bool, now: int
) -> tuple[Row, str]:
    """The row as it must be now that the target shows a value, and what that means in one word."""
    read = replace(row, confirmed_value=shown, confirmed_at=now)
    in_flight = row.status in outbox.IN_FLIGHT
    if holds(row.value):
        if row.status == outbox.CONFIRMED:
            return row, "confirmed"
        done = replace(read, confirmed_value=row.value, status=outbox.CONFIRMED, sent_value=None, cause_at=None)
        return replace(done, attempts=0, snoozes=0, next_at=0, code=None, receipt=None), "confirmed"
    if in_flight and row.sent_value != row.value and holds(row.sent_value):
        return replace(_again(read, now), confirmed_value=row.sent_value, attempts=0, next_at=now), "superseded"
    first_look = row.confirmed_at is None
    if holds(None if first_look else row.confirmed_value):
        # As before: keep the text that was confirmed rather than the target's way to write it.
        same = replace(read, confirmed_value=row.confirmed_value)
        return _not_applied(same, now) if in_flight else (same if first_look else row, "unchanged")
    return _another_value(row, read, shown, theirs=theirs, now=now)


def _another_value(row: Row, read: Row, shown: str | None, *, theirs: bool, now: int) -> tuple[Row, str]:
    """The target shows what we neither wanted, nor sent, nor saw before: somebody else put it there."""
    if theirs:
        if row.status == outbox.DRIFTED and row.confirmed_value == shown:
            return row, "unchanged"
        return replace(read, status=outbox.DRIFTED, code="write.drifted", plan=None), "drifted"
    if row.confirmed_at is None and row.status not in outbox.IN_FLIGHT:
        return read, "unchanged"
    if row.status == outbox.REJECTED:
        return read, "drift"
    due_at = row.due_at if row.status in outbox.OWED else now + outbox.DUE_US
    fresh = replace(_again(read, now), attempts=0, desired_at=now, due_at=due_at)
    return replace(fresh, plan=None, code="write.drift"), "drift"


def _again(row: Row, now: int) -> Row:
    return replace(row, status=outbox.AVAILABLE, sent_value=None, next_at=now, code=None)


def _not_applied(row: Row, now: int) -> tuple[Row, str]:
    """The target shows what it held before we sent."""
    if row.status == outbox.ACCEPTED and now - (row.sent_at or 0) < PATIENCE_US:
        waited = now - (row.sent_at or 0)
        return replace(row, next_at=now + max(waited, FIRST_WAIT_US)), "waiting"
    if row.sent_value != row.value:
        return replace(_again(row, now), attempts=0), "not-applied"
    code = "write.not-applied"
    if row.attempts >= MAX_ATTEMPTS:
        # A clearing that was refused, and there is something to clear: the reason is the target's.
        refused = row.code if row.value is None else None
        return replace(row, status=outbox.REJECTED, code=refused or code), "not-applied"
    return replace(_again(row, now), code=code, next_at=now + wait_us(row.attempts - 1)), "not-applied"


def wait_us(times: int) -> int:
    """How long to wait after so many failures in a row: none, a minute, two, four, up to an hour."""
    return 0 if times <= 0 else min(FIRST_WAIT_US * 2 ** (times - 1), LONGEST_WAIT_US)


def _look_again_later(session: Session, tx: Connection, rows: Iterable[Row]) -> None:
    """Rows whose fate stays open are looked at again after a while; nothing else about them changes."""
    now = session.now()
    current = outbox.rows_of(tx, session.target.name, sorted({row.source_id for row in rows}))
    waiting = [
        replace(row, snoozes=row.snoozes + 1, next_at=now + wait_us(row.snoozes + 1))
        for one in rows
        if (row := current.get((one.source_id, one.field))) is not None
        and row.status in {outbox.UNKNOWN, outbox.ACCEPTED}
    ]
    outbox.put(tx, waiting)


def _enter_latency(tx: Connection, target: str, confirmed: Sequence[Row], now: int) -> None:
    """Counts each order that has now reached the target once for each record that shows it.

    In the ledger it stands under the target, and as its stream the system the order came from. The writes of the
    plan that opened the target are its first load: counted as backfill, not judged.
    """
    opened_by = outbox.opened_by(tx, target)
    arrived = {
        _Arrived(
            row.source_id,
            row.cause_connector or "",
            row.cause_id or "",
            row.cause_at,
            row.cause_committed_at or row.cause_at,
            bool(row.cause_backfill) or (row.plan is not None and row.plan == opened_by),
        )
        for row in confirmed
        if row.cause_at is not None
    }
    day = shanghai_day(now)
    for connector, backfill in sorted({(one.connector, one.backfill) for one in arrived}):
        mine = [one for one in arrived if (one.connector, one.backfill) == (connector, backfill)]
        hops = {
            "source_to_target": [now - one.updated_at for one in mine],
            "hub_to_target": [now - one.committed_at for one in mine],
        }
        for hop, durations in hops.items():
            ledger.enter(tx, target, connector, day, hop, pl.Series(durations, dtype=pl.Int64), backfill=backfill)


class _Arrived(NamedTuple):
    """An order that a record of the target now shows."""

    source_id: str
    connector: str
    order: str
    updated_at: int
    committed_at: int
    backfill: bool
