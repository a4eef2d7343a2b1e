"""liuke trace: one order or phone number, all the way from its source to what was written back."""

from __future__ import annotations

from typing import Any

import click

from console.screen import say, say_table
from console.session import Session, command
from mappings.problems import Text

_HOPS = {
    "ordered": Text("下单", "ordered"),
    "paid": Text("付款", "paid"),
    "changed_in_source": Text("来源系统更新", "changed in its source"),
    "pulled": Text("拉取", "pulled"),
    "sealed": Text("落地", "sealed in a landing file"),
    "visible": Text("入库可见", "visible"),
    "sent": Text("回写发出", "sent"),
    "confirmed": Text("回查确认", "read back"),
}


@command(
    "trace",
    example="liuke trace XSDD021751\nliuke trace erp/XSDD021751\nliuke trace 13800010001",
    short_help="追踪一个订单或手机号。 Follow an order or a phone.",
)
@click.argument("asked", metavar="ORDER|PHONE")
def trace(session: Session, asked: str) -> None:
    """一个订单的全程: 落地文件与行号、各环节时间、入库结果、客户、评分与回写。手机号只按密文查找, 不显示全号。

    The whole way of an order: landing file and line, run, time of each hop, row, customer, scores, writes. A
    phone is looked for by its keyed digest and never shown in full.
    """
    from sync.trace import trace as follow

    hub = session.reading_hub
    with hub.store.reading() as tx:
        found = follow(tx, asked, lambda: hub.keys)
    session.show(found, _page)


def _page(found: dict[str, Any]) -> None:
    for order in found["orders"]:
        _order(order)
    for one in found["quarantined"]:
        say(Text("待处理", "in quarantine"), before=f"{one['connector']}.{one['stream']}  [{one['code']}]  ")
        say(f"    {one['landing']['path']}:{one['landing']['line']}   liuke quarantine show {one['id']}")
    if found["phone"] is not None:
        _phone(found["phone"])


def _order(order: dict[str, Any]) -> None:
    say(
        Text(f"订单, 实付 {order['paid_yuan']} 元", f"order, {order['paid_yuan']} yuan paid"),
        before=f"{order['connector']}/{order['source_id']}  {order['status']}  ",
    )
    say(f"    {order['landing']['path']}:{order['landing']['line']}")
    run = order["run"]
    say(Text("同步任务", "run"), before=f"    {run['run_id']}  ")
    say()
    say_table(
        [Text("    环节", "    hop"), Text("时间", "at"), Text("耗时 (秒)", "seconds")],
        [
            [Text(*(f"    {word}" for word in _HOPS[hop["hop"]])), hop["at"].replace("T", " ")[:19], _seconds(hop)]
            for hop in order["hops"]
        ],
    )
    if order["lines"]:
        say()
        say_table(
            [Text("    明细", "    line"), "sku", Text("商品库", "product"), Text("状态", "status"),
             Text("数量", "quantity"), Text("金额", "yuan")],
            [
                [f"    {line['source_id']}", line["sku"], line["product_code"], line["status"], line["quantity"],
                 line["amount_yuan"]]
                for line in order["lines"]
            ],
        )  # fmt: skip
    buyer = order["customer"]
    say()
    if buyer is None:
        say(Text("没有客户", "no customer"), before="    ")
    else:
        say(
            Text(f"客户 {buyer['customer_id']}", f"customer {buyer['customer_id']}"),
            before=f"    {buyer['record']} {buyer['name'] or ''}  ",
        )
    for score in order["scores"]:
        say(f"    {score['name']} = {score['value']}  ({score['version']})")
    for write in order["writes"]:
        say(f"    → {write['target']}/{write['source_id']} {write['field']} = {write['value']}  {write['status']}")
    say()


def _seconds(hop: dict[str, Any]) -> str:
    return "" if hop["seconds"] is None else f"{hop['seconds']:,.1f}"


def _phone(phone: dict[str, Any]) -> None:
    say(Text("手机号", "phone"), before=f"{phone['mask']}  ")
    for record in phone["records"]:
        say(
            Text(f"客户 {record['customer_id']}", f"customer {record['customer_id']}"),
            before=f"    {record['record']} {record['name'] or ''}  ",
        )
        say(f"        {record['landing']['path']}:{record['landing']['line']}")
    for customer in phone["customers"]:
        for order in customer["orders"]:
            day = (order["ordered_at"] or "")[:10]
            say(f"    {order['order']}  {day}  {order['status']}  {order['paid_yuan'] or '—'}")
