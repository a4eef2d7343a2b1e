"""liuke customer: one customer, and why it is one."""

from __future__ import annotations

from typing import Any

import click

from console.screen import say, say_table, text_of
from console.session import Session, group
from mappings.model import CUSTOMER_RECORD, IDENTIFIER_KINDS
from mappings.problems import Text

customer = group("customer", "统一客户: 查看档案、解释为何是同一人。 One customer.")


@customer.add(
    "show",
    example="liuke customer show 1024\nliuke customer show erp/KH00003\nliuke customer show 13800010001",
)
@click.argument("asked", metavar="CUSTOMER|INSTANCE/ID|PHONE")
def show_(session: Session, asked: str) -> None:
    """统一客户档案 (已脱敏): 主数据及其出处、来源记录、标识、消费、评分、回写。

    The profile with where each value is from, its source records, identifiers, purchases, scores and writes.
    Persons are masked.
    """
    from sync.customers import find, profile

    hub = session.reading_hub
    roles = {name: instance.role for name, instance in hub.config.instances.items()}
    with hub.store.reading() as tx:
        found = [profile(tx, one, roles) for one in find(tx, asked, lambda: hub.keys)]
    session.show(found, _show_page)


@customer.add("explain", example="liuke customer explain 1024\nliuke customer explain 13800010001")
@click.argument("asked", metavar="CUSTOMER|INSTANCE/ID|PHONE")
def explain_(session: Session, asked: str) -> None:
    """为什么这些来源记录是同一个客户, 为什么另一些不是: 逐条给出依据 (已脱敏)。

    Why these source records are one customer, and why others that share something are not.
    """
    from sync.customers import explained, find

    hub = session.reading_hub
    with hub.store.reading() as tx:
        found = [explained(tx, one) for one in find(tx, asked, lambda: hub.keys)]
    value = [
        {
            "customer_id": one.customer_id,
            "records": [{"record_no": number, "record": names.get(number, "")} for number in one.records],
            "ties": [
                {
                    "record_a": names.get(tie.record_a, ""),
                    "record_b": names.get(tie.record_b, ""),
                    "kind": tie.identifier.kind if tie.identifier else "must_link",
                    "mask": tie.mask,
                    "sentence": text_of(tie.sentence),
                }
                for tie in one.ties
            ],
            "refused": [
                {
                    "record_a": names.get(no.record_a, ""),
                    "record_b": names.get(no.record_b, ""),
                    "code": no.code,
                    "open": no.open,
                    "sentence": text_of(no.sentence),
                }
                for no in one.refused
            ],
            "ignored": [
                {"kind": ignored.identifier.kind, "mask": ignored.mask, "sentence": text_of(ignored.sentence)}
                for ignored in one.ignored
            ],
        }
        for one, names in found
    ]
    session.show(value, _explain_page)


def _show_page(found: list[dict[str, Any]]) -> None:
    for one in found:
        _show(one)


def _show(one: dict[str, Any]) -> None:
    say(Text(f"客户 {one['customer_id']}", f"customer {one['customer_id']}"))
    for name, held in one["fields"].items():
        title = CUSTOMER_RECORD.field(name).zh
        say(f"  {title} {name}: {held['value']}  ({held['connector']})")
    bought = one["purchases"]
    say(
        Text(
            f"消费 {bought['count']:,} 次, {bought['net_amount_yuan']} 元, 最近 {bought['last_at'] or '—'}",
            f"{bought['count']:,} purchases, {bought['net_amount_yuan']} yuan, last {bought['last_at'] or '-'}",
        ),
        before="  ",
    )
    say()
    say_table(
        [Text("来源记录", "source record"), Text("记录号", "record no"), Text("姓名", "name"), Text("类型", "kind")],
        [[f"  {r['connector']}/{r['source_id']}", str(r["record_no"]), r["name"], r["kind"]] for r in one["records"]],
    )
    say()
    say_table(
        [
            Text("标识", "identifier"),
            Text("范围", "scope"),
            Text("值 (脱敏)", "mask"),
            Text("可用性", "class"),
            Text("来源数", "records"),
        ],
        [
            [f"  {IDENTIFIER_KINDS.get(i['kind'], i['kind'])}", i["scope"], i["mask"], i["class"], i["records"]]
            for i in one["identifiers"]
        ],
    )
    if one["scores"]:
        say()
    for score in one["scores"]:
        say(f"  {score['name']} = {score['value']}  ({score['version']})")
        if score["explanation"]:
            say(Text(**score["explanation"]), before="      ")
    for write in one["writes"]:
        say(f"  → {write['target']}/{write['source_id']} {write['field']} = {write['value']}  {write['status']}")


def _explain_page(found: list[dict[str, Any]]) -> None:
    for one in found:
        listed = ", ".join(record["record"] for record in one["records"])
        say(Text(f"客户 {one['customer_id']}", f"customer {one['customer_id']}"), before=f"{listed}  ")
        for title, key in (
            (Text("同一人的依据", "what ties them"), "ties"),
            (Text("没有合并", "not united"), "refused"),
            (Text("不作依据的标识", "identifiers that join nobody"), "ignored"),
        ):
            if one[key]:
                say(title, before="  ")
            for row in one[key]:
                pair = f"{row['record_a']} · {row['record_b']}: " if "record_a" in row else ""
                say(Text(**row["sentence"]), before=f"    {pair}")
