"""Writes fields back to an outside system, and says of every single change what became of it.

A Writer sends, and answers each Change with one Receipt. `unknown` means that the change may or may not have
arrived: it is resolved by reading back, never by sending it again blindly.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import ClassVar

from connectors.ports import Ports
from connectors.problems import NOTHING, ConnectorError, Later, Refused, Text, Unreachable

__all__ = [
    "ABSENT",
    "Answer",
    "Change",
    "Field",
    "FieldType",
    "Mode",
    "ReadBack",
    "Receipt",
    "Value",
    "Writer",
]

Value = str | int | bool | Decimal | datetime | date | None
"""What a field holds: text, whole number, flag, exact number, aware time, day, or nothing."""


class Absent:
    """What `ReadBack.get` gives for a record or field that is not there; not the same as an empty one."""

    def __repr__(self) -> str:
        return "ABSENT"

    def __bool__(self) -> bool:
        return False


ABSENT = Absent()


class FieldType(StrEnum):
    """What values a writable field takes."""

    TEXT = "text"
    INTEGER = "integer"
    DECIMAL = "decimal"
    TIME = "time"
    DAY = "day"
    FLAG = "flag"


class Mode(StrEnum):
    """Whether a value replaces what is there or is added to it (points)."""

    ABSOLUTE = "absolute"
    DELTA = "delta"


@dataclass(frozen=True)
class Field:
    """One field the system takes back. `length` counts characters; `decimals` are the places it keeps."""

    name: str
    title: Text
    type: FieldType = FieldType.TEXT
    mode: Mode = Mode.ABSOLUTE
    length: int | None = None
    decimals: int | None = None
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Change:
    """One field of one source record that shall become `value`. `previous` is what we believe is there now."""

    source_id: str
    field: str
    value: Value
    previous: Value = None
    idempotency_key: str = ""


class Answer(StrEnum):
    """What became of a change."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    LATER = "later"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Receipt:
    """The answer to one change. `until` is set for LATER where the time is known."""

    change: Change
    answer: Answer
    at: datetime
    code: str = ""
    reason: Text = NOTHING
    until: datetime | None = None


@dataclass(frozen=True)
class ReadBack:
    """What the system holds now. `found` are the source ids that exist there."""

    found: frozenset[str] = frozenset()
    values: Mapping[tuple[str, str], Value] = field(default_factory=dict)

    def get(self, source_id: str, field_name: str) -> Value | Absent:
        """The value of a field; ABSENT if there is no such record, or the record has no such field."""
        return self.values.get((source_id, field_name), ABSENT)


class Writer(ABC):
    """Writes to one connector instance. Subclasses give `fields`, `send` and `read_back`."""

    batch_size: ClassVar[int] = 100
    """Changes that one `send` takes at most."""

    def __init__(self, ports: Ports) -> None:
        self.ports = ports

    @abstractmethod
    def fields(self) -> tuple[Field, ...]:
        """The fields this system takes back."""

    @abstractmethod
    def send(self, changes: Sequence[Change]) -> Iterable[Receipt]:
        """Sends one batch of changes that are fit for their fields; one Receipt each.

        Raising Later, Refused or Unreachable speaks for the whole batch; a change without a Receipt is unknown.
        """

    @abstractmethod
    def read_back(self, source_ids: Sequence[str], fields: Sequence[str]) -> ReadBack:
        """What the system holds now for these records and fields."""

    def calls(self, changes: int) -> int:
        """How many calls that many changes will take at most; for the plan and the quota."""
        return -(-changes // self.batch_size)

    def write(self, changes: Sequence[Change]) -> list[Receipt]:
        """Sends all changes; exactly one Receipt for each, in the same order. Raises only for mistakes in code."""
        receipts: dict[int, Receipt] = {}
        fit: list[tuple[int, Change]] = []
        known = {one.name: one for one in self.fields()}
        for number, change in enumerate(changes):
            refusal = self._refusal(change, known.get(change.field))
            if refusal is None:
                fit.append((number, change))
            else:
                receipts[number] = refusal
        for batch in self.batches(fit):
            receipts.update(self._send_batch(batch))
            stopped = self._stopped(receipts[batch[-1][0]])
            if stopped is not None:
                waiting = [one for one in fit if one[0] not in receipts]
                receipts.update((number, stopped.of(change)) for number, change in waiting)
                break
        return [receipts[number] for number in range(len(changes))]

    def batches(self, changes: Sequence[tuple[int, Change]]) -> Iterator[Sequence[tuple[int, Change]]]:
        """Cuts changes into batches; override where a call takes one record or one tag."""
        for start in range(0, len(changes), self.batch_size):
            yield changes[start : start + self.batch_size]

    def same(self, field_name: str, wanted: Value, found: Value | Absent) -> bool:
        """Whether the system holds what was wanted, in the precision the field keeps."""
        if isinstance(found, Absent):
            return False
        known = next((one for one in self.fields() if one.name == field_name), None)
        return _normal(wanted, known) == _normal(found, known)

    def close(self) -> None:  # noqa: B027 most writers hold nothing open
        """Gives back connections; safe to call twice."""

    def accepted(self, change: Change) -> Receipt:
        return Receipt(change, Answer.ACCEPTED, self.ports.clock.now())

    def rejected(self, change: Change, code: str, reason: Text) -> Receipt:
        return Receipt(change, Answer.REJECTED, self.ports.clock.now(), code, reason)

    def later(self, change: Change, code: str, reason: Text, until: datetime | None = None) -> Receipt:
        return Receipt(change, Answer.LATER, self.ports.clock.now(), code, reason, until)

    def unknown(self, change: Change, code: str, reason: Text) -> Receipt:
        return Receipt(change, Answer.UNKNOWN, self.ports.clock.now(), code, reason)

    def _send_batch(self, batch: Sequence[tuple[int, Change]]) -> dict[int, Receipt]:
        changes = [change for _, change in batch]
        try:
            answered = {id(receipt.change): receipt for receipt in self.send(changes)}
        except Later as error:
            problem, until = error.problem, error.until
            return {n: self.later(change, problem.code, problem.what, until) for n, change in batch}
        except Refused as error:
            problem = error.problem
            return {n: self.rejected(change, problem.code, problem.what) for n, change in batch}
        except Unreachable as error:
            problem = error.problem
            make = self.unknown if error.sent else self.later
            return {n: make(change, problem.code, problem.what) for n, change in batch}
        except ConnectorError as error:
            # Configuration or rights: nothing of this batch was taken, and nothing after it would be.
            problem = error.problem
            return {n: self.later(change, f"stopped:{problem.code}", problem.what) for n, change in batch}
        silent = Text("系统没有回答这一条", "the system gave no answer for this change")
        return {
            number: answered.get(id(change)) or self.unknown(change, "write.no-answer", silent)
            for number, change in batch
        }

    def _stopped(self, last: Receipt) -> _Stop | None:
        """After a rate limit or a wrong configuration no further batch is sent: it would only burn calls."""
        whole_batch = last.answer is Answer.LATER and (last.until is not None or last.code.startswith("stopped:"))
        return _Stop(last) if whole_batch else None

    def _refusal(self, change: Change, known: Field | None) -> Receipt | None:
        if known is None:
            reason = Text(f"该系统不能回写字段 {change.field}", f"field {change.field} cannot be written here")
            return self.rejected(change, "write.unknown-field", reason)
        if not _fits_type(change.value, known):
            reason = Text(f"{known.title.zh} 需要 {known.type}", f"{known.name} takes {known.type}")
            return self.rejected(change, "write.wrong-type", reason)
        text = change.value
        if known.length is not None and isinstance(text, str) and len(text) > known.length:
            reason = Text(
                f"{known.title.zh} 最长 {known.length} 个字符, 实际 {len(text)}",
                f"{known.name} takes {known.length} characters, this has {len(text)}",
            )
            return self.rejected(change, "write.too-long", reason)
        if known.choices and text is not None and text not in known.choices:
            reason = Text(f"{known.title.zh} 没有这个选项", f"{known.name} has no such choice")
            return self.rejected(change, "write.not-a-choice", reason)
        return None


@dataclass(frozen=True)
class _Stop:
    """Why the rest was not sent."""

    last: Receipt

    def of(self, change: Change) -> Receipt:
        last = self.last
        return Receipt(change, Answer.LATER, last.at, last.code, last.reason, last.until)


_TYPES: Mapping[FieldType, tuple[type, ...]] = {
    FieldType.TEXT: (str,),
    FieldType.INTEGER: (int,),
    FieldType.DECIMAL: (Decimal, int),
    FieldType.TIME: (datetime,),
    FieldType.DAY: (date,),
    FieldType.FLAG: (bool,),
}


def _fits_type(value: Value, known: Field) -> bool:
    if value is None:
        return known.mode is Mode.ABSOLUTE
    if isinstance(value, bool) and known.type is not FieldType.FLAG:
        return False
    if isinstance(value, datetime) and (known.type is FieldType.DAY or value.tzinfo is None):
        return False
    return isinstance(value, _TYPES[known.type])


def _normal(value: Value, known: Field | None) -> Value:
    if isinstance(value, datetime):
        # Systems keep seconds at best; half a second is no difference.
        return (value.astimezone(UTC) + timedelta(microseconds=500_000)).replace(microsecond=0)
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        return value
    number = Decimal(value)
    if known is not None and known.decimals is not None:
        number = number.quantize(Decimal(1).scaleb(-known.decimals))
    return number.normalize()
