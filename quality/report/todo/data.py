"""What is to be done about data: records in quarantine, codes without a product, checks below their target."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from mappings.problems import Text
from quality.checking import CheckResult
from quality.contract import Kind
from quality.expectations import NO_TEXT
from quality.objectives import Share
from quality.report.phrases import limit, many, percent, yuan
from quality.report.todo import Seen, Todo, todos
from quality.times import microseconds

_TOLD_BY_A_DEBT = frozenset({"sku.unmatched", "identity.conflict"})
"""Checks whose findings are owed anyway: one item is enough."""


@todos
def quarantine(seen: Seen) -> Iterator[Todo]:
    for one in seen.quarantine:
        owed = one["rows"] - one["waived"]
        if not owed:
            continue
        title, name = one["title"], seen.title(one["connector"])
        command = one["command"] if one["it"] else ""
        yield Todo(
            "breach" if one["overdue"] else "ok_todo",
            one["code"],
            Text(f"{name.zh}: {title['zh']}", f"{name.en}: {title['en']}"),
            Text(
                f"{one['stream']} 有 {owed:,} 条, 例如 {one['sample']}",
                f"{owed:,} in {one['stream']}, such as {one['sample']}",
            ),
            Text(
                f"{owed:,} 条记录未入库" + (f", {one['overdue']:,} 条已逾期" if one["overdue"] else ""),
                f"{many(owed, 'record')} not visible" + (f", {one['overdue']:,} overdue" if one["overdue"] else ""),
            ),
            Text(one["repair"]["zh"], one["repair"]["en"]),
            owed,
            seen.it(one["connector"]) if command else one["owner"],
            microseconds(one["due_at"]),
            command,
        )


@todos
def held(seen: Seen) -> Iterator[Todo]:
    owed, sku = seen.debt("held_lines"), seen.sku
    unmatched = sku["unmatched_total"] if sku else 0
    if not owed.owed and not unmatched:
        return
    good, total = (sku["codes"]["good"], sku["codes"]["total"]) if sku else (0, 0)
    money = ""
    if sku:
        money = str(Decimal(sku["amount"]["total_yuan"]) - Decimal(sku["amount"]["good_yuan"]))
    yield Todo(
        "breach" if owed.overdue else "ok_todo" if owed.owed else "warning",
        "sku.unmatched",
        Text(f"{unmatched:,} 个商品编码在商品库中找不到", f"{many(unmatched, 'product code')} not in the library"),
        Text(
            f"编码匹配率 {percent(Share(good, total))} ({good:,} / {total:,}), 要求 100%",
            f"{percent(Share(good, total))} of the codes match ({good:,} / {total:,}), 100% asked",
        ),
        Text(
            f"挂起明细 {owed.owed:,} 行" + (f", 涉及 {yuan(money)} 元" if money else ""),
            f"{many(owed.owed, 'order line')} held" + (f", {yuan(money)} yuan" if money else ""),
        ),
        Text(
            "把商品库编码填入 crosswalk.csv (未匹配编码见下文, 或由 IT 运行 liuke sku unmatched); 下次同步自动放行",
            "put the library's codes into crosswalk.csv (the codes stand below); the next sync releases the lines",
        ),
        max(owed.owed, unmatched),
        seen.owner(sku["library"] if sku else "", "product"),
        owed.next_due_at,
    )


@todos
def checks(seen: Seen) -> Iterator[Todo]:
    for one in seen.results:
        if one.status not in {"warning", "breach"} or one.kind is Kind.ROW or one.code in _TOLD_BY_A_DEBT:
            continue
        where = seen.title(one.connector) if one.connector else Text("客户库", "hub")
        title, impact = one.title, Text(f"{one.found:,} 条", many(one.found, "record"))
        if one.kind is Kind.COMPLETENESS and one.target is not None:
            below = limit(one.target)
            title = Text(f"{one.title.zh}低于 {below}", f"{one.title.en} in less than {below}")
            impact = Text(f"缺 {one.found:,} 条", f"{many(one.found, 'record')} without it")
        yield Todo(
            one.status,
            one.code,
            Text(f"{where.zh}: {title.zh}", f"{where.en}: {title.en}"),
            Text(*_evidence(one)),
            impact if one.target is not None else NO_TEXT,
            one.repair,
            one.found,
            one.owner,
        )


def _evidence(one: CheckResult) -> tuple[str, str]:
    if one.target is None:
        shown = one.sample[0] if one.sample else None
        told = f"{shown.key}: {shown.note}" if shown else ""
        return f"{told} (实际 / 基准)", f"{told} (actual / usual)"
    right = percent(Share(one.good, one.total))
    word = "已填写" if one.kind is Kind.COMPLETENESS else "合格"
    return (
        f"{word} {right} ({one.good:,} / {one.total:,}), 要求 {limit(one.target)}",
        f"{right} right ({one.good:,} / {one.total:,}), {limit(one.target)} asked",
    )
