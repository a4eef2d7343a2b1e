"""A target that keeps its own books: what came over the wire, what it holds, and what it was told to do wrong."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from connectors.ports import Ports
from connectors.ports_memory import memory_ports
from connectors.problems import Later, Problem, Refused, Text, Unreachable
from connectors.writer import Change, Field, FieldType, ReadBack, Receipt, Value, Writer
from sync.clock import FixedClock
from tests.writeback.company import BEIJING

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=BEIJING)

FIELDS = (
    Field("score", Text("评分", "score"), FieldType.INTEGER),
    Field("tier", Text("分层", "tier"), FieldType.TEXT),
    Field("last_purchase_at", Text("最近消费", "last purchase"), FieldType.TIME),
    Field("purchase_count", Text("次数", "count"), FieldType.INTEGER),
    Field("purchase_amount", Text("金额", "amount"), FieldType.DECIMAL, decimals=2),
)


class Killed(BaseException):
    """The process died here: nothing that comes after it runs."""


class Crm:
    """The system itself: it survives crashes of the hub. `applied` is every change it took, in order."""

    def __init__(self) -> None:
        self.values: dict[tuple[str, str], Value] = {}
        self.applied: list[Change] = []
        self.faults: deque[str] = deque()
        self.refused: set[str] = set()

    def take(self, change: Change) -> None:
        seen = [one for one in self.applied if one.idempotency_key == change.idempotency_key]
        assert not seen, f"the same change came over the wire twice: {change}"
        self.applied.append(change)
        self.values[change.source_id, change.field] = change.value


class WireWriter(Writer):
    """Sends to a Crm. The next fault in line happens to the next batch:

    lose: it takes the batch and the answer is lost; drop: the batch is lost on its way; some: it takes the
    first half and the answer is lost; later, busy (without a time), refuse; kill-before, kill-after: this
    process dies; ok: nothing.
    """

    batch_size = 10

    def __init__(self, crm: Crm, clock: FixedClock | None = None, fields: tuple[Field, ...] = FIELDS) -> None:
        self.clock = clock or FixedClock(NOON)
        super().__init__(ports(self.clock))
        self.crm = crm
        self._fields = fields

    def fields(self) -> tuple[Field, ...]:
        return self._fields

    def send(self, changes: Sequence[Change]) -> Iterable[Receipt]:
        fault = self.crm.faults.popleft() if self.crm.faults else "ok"
        if fault == "kill-before":
            raise Killed
        if fault == "drop":
            raise Unreachable(problem("net.timeout"), sent=True)
        if fault == "busy":
            raise Unreachable(problem("net.refused"), sent=False)
        if fault == "later":
            raise Later(problem("vendor.rate-limit"), self.clock.now() + timedelta(minutes=5))
        if fault == "refuse":
            raise Refused(problem("vendor.refused"))
        half = changes[: len(changes) // 2] if fault == "some" else changes
        receipts = []
        for change in half:
            if change.source_id in self.crm.refused:
                receipts.append(
                    self.rejected(change, "vendor.no-such-customer", Text("没有该客户", "no such customer"))
                )
            else:
                self.crm.take(change)
                receipts.append(self.accepted(change))
        if fault in {"lose", "some"}:
            raise Unreachable(problem("net.cut"), sent=True)
        if fault == "kill-after":
            raise Killed
        return receipts

    def read_back(self, source_ids: Sequence[str], fields: Sequence[str]) -> ReadBack:
        fault = self.crm.faults[0] if self.crm.faults else "ok"
        if fault == "blind":
            self.crm.faults.popleft()
            raise Unreachable(problem("net.timeout"))
        wanted = {(one, name) for one in source_ids for name in fields}
        found = frozenset(one for one, _ in self.crm.values if one in source_ids)
        return ReadBack(found, {key: value for key, value in self.crm.values.items() if key in wanted})


def ports(clock: FixedClock) -> Ports:
    return memory_ports(clock, "crm")


def problem(code: str) -> Problem:
    return Problem(code, Text("出错", "it failed"))
