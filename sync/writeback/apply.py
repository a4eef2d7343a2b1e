"""Sends what is owed: a plan that somebody approved, or what has changed since, within the guards.

Order of things, so that nothing is lost or sent twice whatever dies: rows are marked as being sent in a
transaction of their own; then they are sent; then the receipts are written. Rows that a dead process left as
being sent are unknown, and unknown ones are read back before anything else is sent.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b

from sqlalchemy import Connection

from connectors.writer import Answer, Change, Receipt, Writer
from mappings.problems import LiukeError, Problem, Text
from state import audit, outbox
from state.bulk import execute
from state.outbox import Answered, Row
from state.seams import seam
from state.store import Store
from sync.clock import Clock, microseconds
from sync.writeback import guard
from sync.writeback.confirm import MAX_ATTEMPTS, Looked, look, look_at_open, wait_us
from sync.writeback.fields import value_for
from sync.writeback.guard import Tripped
from sync.writeback.plan import plan_of
from sync.writeback.session import Session, leased
from sync.writeback.target import Target

PAGE = 2_000
"""Rows sent and read back at once at most; a record's rows stay together."""

PAGE_BATCHES = 10
"""Batches of the writer in one page: a page must be sent well within the two minutes that a lease lasts."""


@dataclass(frozen=True)
class Drained:
    """What one run did to one target.

    `sent` counts values that left; the next five what the target said; `confirmed` to `drifted` what reading
    back showed. `recovered` were on their way when an earlier process died. `off`: writing is not approved, or
    was stopped; nothing was sent. `held`: the guard that held back everything not approved. `problems`: what
    the target could not do.
    """

    target: str
    sent: int = 0
    accepted: int = 0
    rejected: int = 0
    later: int = 0
    unknown: int = 0
    confirmed: int = 0
    not_applied: int = 0
    drifted: int = 0
    recovered: int = 0
    off: bool = False
    held: Tripped | None = None
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class Applied:
    """What came of a plan: `superseded` of its `changes` were overtaken by newer values and not sent; `left` are
    still on their way or to be tried again.
    """

    digest: str
    changes: int
    superseded: int
    left: int
    drained: Drained


@dataclass
class _Tally:
    sent: int = 0
    answers: dict[Answer, int] = field(default_factory=lambda: dict.fromkeys(Answer, 0))
    looked: Looked = field(default_factory=Looked)
    held: Tripped | None = None
    problems: list[Problem] = field(default_factory=list)


def drain(store: Store, target: Target, writer: Writer, clock: Clock, *, owner: str, run_id: str) -> Drained:
    """Resolves what is open, then sends what is due, if writing is on and the guards allow it."""
    with leased(store, target, writer, clock, owner=owner, run_id=run_id) as session:
        return _run(session, plan=None)


def apply(
    store: Store, target: Target, writer: Writer, clock: Clock, digest: str, *, owner: str, run_id: str
) -> Applied:
    """Sends exactly the changes of an approved plan that no newer value has overtaken."""
    with store.reading() as tx:
        plan = plan_of(tx, digest)
        if plan.target != target.name or plan.approved_by is None:
            raise LiukeError(_not_approved(plan.digest, target.name))
    with leased(store, target, writer, clock, owner=owner, run_id=run_id) as session:
        drained = _run(session, plan=plan.digest)
        with session.transaction() as tx:  # the plan is done in the moment its last row is
            left = _left(tx, plan.digest)
            now = session.now()
            if left == 0:
                execute(
                    tx,
                    "UPDATE write_plan SET applied_at = ? WHERE digest = ? AND applied_at IS NULL",
                    (now, plan.digest),
                )
                execute(tx, "DELETE FROM write_plan_item WHERE digest = ?", (plan.digest,))
            detail = {
                "target": target.name,
                "sent": drained.sent,
                "confirmed": drained.confirmed,
                "rejected": drained.rejected,
                "left": left,
                "run": run_id,
            }
            audit.record(tx, now, plan.approved_by, "writeback.applied", plan.digest, detail)
    return Applied(plan.digest, plan.changes, plan.superseded, left, drained)


def _run(session: Session, *, plan: str | None) -> Drained:
    target = session.target
    with session.transaction() as tx:
        recovered = outbox.recover(tx, target.name, session.now())
        guard.forget_old(tx, target, session.now())
    tally = _Tally(looked=look_at_open(session))
    with session.store.reading() as tx:
        off = not outbox.is_on(tx, target.name)
    if not off:
        _send_pages(session, plan, tally)
    return Drained(
        target.name,
        sent=tally.sent,
        accepted=tally.answers[Answer.ACCEPTED],
        rejected=tally.answers[Answer.REJECTED],
        later=tally.answers[Answer.LATER],
        unknown=tally.answers[Answer.UNKNOWN],
        confirmed=tally.looked["confirmed"],
        not_applied=tally.looked["not-applied"],
        drifted=tally.looked["drift"] + tally.looked["drifted"],
        recovered=recovered,
        off=off,
        held=tally.held,
        problems=(*tally.problems, *([tally.looked.problem] if tally.looked.problem else [])),
    )


def _send_pages(session: Session, plan: str | None, tally: _Tally) -> None:
    """Goes through what is due once, record by record; what fails meanwhile waits for the next run."""
    after, limit = "", min(PAGE, PAGE_BATCHES * session.writer.batch_size)
    if plan is None:
        with session.transaction() as tx:
            tally.held = guard.judge(tx, session.target, session.now())
            _ask_or_withdraw(session, tx, tally.held)
    while True:
        with session.transaction() as tx:  # marked before the first byte leaves: a crash then means unknown
            rows = outbox.select(
                tx,
                target=session.target.name,
                statuses=outbox.DUE,
                ready_at=session.now(),
                plan=plan,
                approved=tally.held is not None,
                after=after,
                limit=limit,
            )
            if not rows:
                return
            after = rows[-1].source_id
            if plan is None and tally.held is None:
                tally.held = _past_guard(session, tx, rows)
                if tally.held is not None:
                    _ask_or_withdraw(session, tx, tally.held)
                    rows = [row for row in rows if row.plan is not None]
            marked = outbox.mark_sending(rows, session.now())
            outbox.put(tx, marked)
        if not marked:
            continue
        seam("outbox.marked-sending")
        receipts = session.writer.write(_changes(session, marked))
        seam("outbox.sent")
        with session.transaction() as tx:
            open_rows = _take_receipts(session, tx, receipts)
        seam("outbox.receipt-committed")
        _count(tally, receipts, session.target.name)
        tally.looked += look(session, open_rows)
        if all(receipt.answer is Answer.LATER for receipt in receipts):
            return


def _past_guard(session: Session, tx: Connection, rows: Sequence[Row]) -> Tripped | None:
    """Counts the rows of this page that nobody approved, unless that would pass a limit.

    The run was judged as a whole before; this holds what has come since.
    """
    now = session.now()
    mine = [row for row in rows if row.plan is None]
    if not mine:
        return None
    used = guard.used(tx, session.target, now, tiers=any(row.field == "tier" for row in mine))
    tripped = used.with_rows(mine, guard.counted(tx, session.target, now)).tripped(session.target)
    if tripped is None:
        guard.enter(tx, session.target, mine, now)
    return tripped


def _ask_or_withdraw(session: Session, tx: Connection, tripped: Tripped | None) -> None:
    if tripped is None:
        outbox.decided(tx, guard.KIND, session.target.name)
    else:
        guard.ask(tx, tripped, session.now())


def _changes(session: Session, rows: Sequence[Row]) -> list[Change]:
    known = {one.name: one for one in session.writer.fields()}
    changes = []
    for row in rows:
        one = known.get(row.field)
        changes.append(
            Change(
                row.source_id,
                row.field,
                # A field that the target does not have is refused by the writer, with the reason.
                value_for(one, row.value) if one is not None else row.value,
                value_for(one, row.confirmed_value) if one is not None else row.confirmed_value,
                idempotency_key(row),
            )
        )
    return changes


def idempotency_key(row: Row) -> str:
    """The same for every try of one change, another for the next change, even back to an earlier value."""
    parts = [row.target, row.source_id, row.field, row.confirmed_value, row.value, row.desired_at]
    return blake2b(json.dumps(parts).encode(), digest_size=16).hexdigest()


def _take_receipts(session: Session, tx: Connection, receipts: Sequence[Receipt]) -> list[Row]:
    """Writes down what the target said; returns the rows that must be read back."""
    now = session.now()
    source_ids = sorted({receipt.change.source_id for receipt in receipts})
    current = outbox.rows_of(tx, session.target.name, source_ids)
    rows = [_answered(current[receipt.change.source_id, receipt.change.field], receipt, now) for receipt in receipts]
    outbox.put(tx, rows)
    outbox.enter_receipts(
        tx,
        [
            Answered(*row.key, row.sent_value, str(receipt.answer), receipt.code, now)
            for row, receipt in zip(rows, receipts, strict=True)
        ],
        session.run_id,
    )
    return [row for row in rows if row.status in {outbox.ACCEPTED, outbox.UNKNOWN}]


def _answered(row: Row, receipt: Receipt, now: int) -> Row:
    told = replace(row, code=receipt.code or None, receipt=json.dumps(receipt.reason, ensure_ascii=False))
    if receipt.answer is Answer.ACCEPTED:
        return replace(told, status=outbox.ACCEPTED, snoozes=0, next_at=now, receipt=None)
    if receipt.answer is Answer.UNKNOWN:
        return replace(told, status=outbox.UNKNOWN, next_at=now)
    if receipt.answer is Answer.LATER:
        until = microseconds(receipt.until) if receipt.until is not None else now + wait_us(row.snoozes + 1)
        # Nothing arrived, so this was no attempt: an outage of a day must not use them up.
        return replace(
            told,
            status=outbox.LATER,
            sent_value=None,
            attempts=row.attempts - 1,
            snoozes=row.snoozes + 1,
            next_at=max(until, now),
        )
    if row.value != row.sent_value:
        return replace(told, status=outbox.AVAILABLE, sent_value=None, attempts=0, next_at=now)
    if row.value is None:
        # A refused clearing is fine if there is nothing to clear: reading back tells, and no further try is made.
        return replace(told, status=outbox.UNKNOWN, attempts=MAX_ATTEMPTS, next_at=now)
    return replace(told, status=outbox.REJECTED, sent_value=None)


def _count(tally: _Tally, receipts: Sequence[Receipt], where: str) -> None:
    for receipt in receipts:
        tally.answers[receipt.answer] += 1
    tally.sent += sum(receipt.answer is not Answer.LATER for receipt in receipts)
    stopped = next((one for one in receipts if one.code.startswith("stopped:")), None)
    if stopped is not None:
        tally.problems.append(Problem(stopped.code.removeprefix("stopped:"), Text(*stopped.reason), where))


def _left(tx: Connection, digest: str) -> int:
    statuses = [status for status in outbox.OWED if status != outbox.REJECTED]
    words = ", ".join(f"'{status}'" for status in statuses)
    return int(
        execute(tx, f"SELECT count(*) FROM outbox WHERE plan = ? AND status IN ({words})", (digest,)).scalar_one()
    )


def _not_approved(digest: str, target: str) -> Problem:
    return Problem(
        "writeback.plan-not-approved",
        Text("该计划尚未批准, 不能执行", "this plan is not approved and cannot be applied"),
        f"{target}: {digest}",
        Text(
            f"核对后批准: liuke writeback apply {digest[:12]} --by 姓名",
            f"look at it, then: liuke writeback apply {digest[:12]} --by NAME",
        ),
    )


__all__ = ["Applied", "Drained", "apply", "drain", "idempotency_key"]
