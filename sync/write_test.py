"""Tries write-back with one named test customer: writes a value, reads it back, restores what was there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from connectors.writer import ABSENT, Absent, Answer, Change, Field, FieldType, Value, Writer
from mappings.problems import LiukeError, Problem, Text


@dataclass(frozen=True)
class Written:
    """What came of the trial for one field; `restored` says that the system holds the first value again."""

    field: str
    written: bool
    restored: bool
    problem: Problem | None = None


def try_writing(writer: Writer, customer: str, instance: str) -> list[Written]:
    """One Written per field. The customer must exist there; its values are the same afterwards."""
    fields = writer.fields()
    there = writer.read_back([customer], [field.name for field in fields])
    if customer not in there.found:
        raise LiukeError(_no_customer(instance, customer))
    return [_try(writer, customer, instance, field, there.get(customer, field.name)) for field in fields]


def _try(writer: Writer, customer: str, instance: str, field: Field, before: Value | Absent) -> Written:
    held = None if isinstance(before, Absent) else before
    wanted = another(field, held)
    where = f"{instance}.{field.name}"
    receipt = writer.write([Change(customer, field.name, wanted, held, f"liuke-test-{field.name}")])[0]
    arrived = writer.same(field.name, wanted, _read(writer, customer, field))
    problem = None if arrived else _not_written(where, receipt.code, Text(*receipt.reason))
    if not arrived and receipt.answer is Answer.REJECTED:
        return Written(field.name, False, True, problem)
    writer.write([Change(customer, field.name, held, wanted, f"liuke-test-{field.name}-back")])
    restored = writer.same(field.name, held, _read(writer, customer, field))
    return Written(field.name, arrived, restored, problem if restored else _not_restored(where, customer))


def another(field: Field, held: Value) -> Value:
    """A value that fits the field and is not the one it holds."""
    if field.choices:
        return next((one for one in field.choices if one != held), field.choices[0])
    if field.type is FieldType.INTEGER:
        return held + 1 if isinstance(held, int) else 1
    if field.type is FieldType.DECIMAL:
        return held + 1 if isinstance(held, (Decimal, int)) else Decimal(1)
    if field.type is FieldType.TIME:
        return held + timedelta(days=1) if isinstance(held, datetime) else datetime(2000, 1, 1, tzinfo=UTC)
    if field.type is FieldType.DAY:
        return held + timedelta(days=1) if isinstance(held, date) else date(2000, 1, 1)
    if field.type is FieldType.FLAG:
        return not held
    text = "liuke-test"[: field.length]
    return text if text != held else text[::-1]


def _read(writer: Writer, customer: str, field: Field) -> Value | Absent:
    found = writer.read_back([customer], [field.name])
    return found.get(customer, field.name) if customer in found.found else ABSENT


def _no_customer(instance: str, customer: str) -> Problem:
    return Problem(
        "test.no-customer",
        Text(f"{instance} 中没有编号为 {customer} 的测试客户", f"{instance} has no test customer {customer}"),
        instance,
        Text("先在该系统里建一个测试客户, 再填它的编号", "make a test customer there and give its id"),
    )


def _not_written(where: str, code: str, reason: Text) -> Problem:
    return Problem(
        code or "test.not-written",
        Text(f"写入后回查不到该值: {reason.zh}", f"the value was not there when read back: {reason.en}"),
        where,
        Text("检查该账号的写权限与字段设置", "check the account's right to write and the field's settings"),
    )


def _not_restored(where: str, customer: str) -> Problem:
    return Problem(
        "test.not-restored",
        Text(f"测试值未能还原: 客户 {customer}", f"the test value could not be put back: customer {customer}"),
        where,
        Text("请在该系统中手工还原这个字段", "put this field right by hand in that system"),
    )
