"""liuke quarantine: records that are not visible because something is wrong with them."""

from __future__ import annotations

import sys
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

from console.screen import say, say_table, text_of
from console.session import Session, group
from console.symbols import symbols_for
from mappings.problems import LiukeError, Problem, Text

if TYPE_CHECKING:
    from sync.hub import Hub

quarantine = group("quarantine", "待处理数据: 列出、查看、重新入库、豁免。 Records in quarantine.")

CONNECTOR = click.option("--connector", default="", help="只看这个连接器。 Only this connector.")
CODE = click.option("--code", default="", help="只看这个原因。 Only this reason.")


@quarantine.add(
    "list", example="liuke quarantine list\nliuke quarantine list --connector erp --code order.paid-negative"
)
@CONNECTOR
@CODE
@click.option("--limit", default=50, show_default=True, help="最多列出几条。 At most so many.")
def list_(session: Session, connector: str, code: str, limit: int) -> None:
    """列出待处理的记录: 原因、期限、编号。在来源系统改好后, 下次同步自动入库。

    Lists the records in quarantine with reason and due time. One that is mended in its source system comes in
    by itself at the next sync.
    """
    from quality.codes import meaning
    from quality.times import iso
    from sync.quarantined import listing
    from sync.scoring import contracts_of

    hub = session.reading_hub
    now = hub.now()
    with hub.store.reading() as tx:
        found = listing(tx, hub.now(), connector=connector, code=code, limit=limit)
    contracts = contracts_of(hub)
    rows = [
        {
            "id": one.id,
            "connector": one.connector,
            "stream": one.stream,
            "entity": one.entity,
            "key": one.shown_key,
            "code": one.code,
            "title": text_of(meaning(one.code, contracts, one.connector).title),
            "opened_at": iso(one.opened_at),
            "due_at": iso(one.due_at),
            "overdue": one.due_at < now and one.waived_until is None,
            "waived_until": iso(one.waived_until),
        }
        for one in found.rows
    ]
    session.show({"total": found.total, "rows": rows}, _list_page)


def _list_page(found: dict[str, Any]) -> None:
    symbols = symbols_for(sys.stdout)
    say(Text(f"待处理 {found['total']:,} 条", f"{found['total']:,} records in quarantine"))
    if not found["rows"]:
        return
    say()
    say_table(
        ["", "id", Text("连接器", "connector"), Text("同步对象", "stream"), Text("编号", "key"),
         Text("原因", "reason"), Text("代码", "code"), Text("期限", "due")],
        [
            [
                symbols.status(_word(one)), str(one["id"]), one["connector"],
                one["stream"], one["key"], Text(**one["title"]), one["code"], one["due_at"][:16].replace("T", " "),
            ]
            for one in found["rows"]
        ],
    )  # fmt: skip
    say()
    say(Text("查看一条", "look at one"), before="liuke quarantine show ID  ")


def _word(one: dict[str, Any]) -> str:
    if one["waived_until"]:
        return "no_data"
    return "breach" if one["overdue"] else "ok_todo"


@quarantine.add("show", example="liuke quarantine show 12")
@click.argument("number", metavar="ID", type=int)
def show_(session: Session, number: int) -> None:
    """查看一条待处理的记录: 全部原因、修复办法、落地文件与行号、脱敏样例。

    One record: all its reasons, how to mend it, where it landed, and its fields with persons masked.
    """
    from quality.codes import meaning
    from quality.times import iso
    from sync.quarantined import one_of
    from sync.samples import sample
    from sync.scoring import contracts_of

    hub = session.hub
    with hub.store.reading() as tx:
        found = one_of(tx, hub.now(), number)
        if found is None:
            raise LiukeError(_no_such(number))
        instance = hub.config.instances.get(found.connector)
        stream = instance.field_map.streams.get(found.stream) if instance else None
        landed = sample(tx, hub.landing, stream, found.connector, found.stream, found.landing_no, found.line_no)
    contracts = contracts_of(hub)
    about = [(reason, meaning(reason.code, contracts, found.connector)) for reason in found.reasons]
    value = {
        "id": found.id,
        "connector": found.connector,
        "stream": found.stream,
        "entity": found.entity,
        "key": found.shown_key,
        "status": found.status,
        "opened_at": iso(found.opened_at),
        "due_at": iso(found.due_at),
        "run_id": found.run_id,
        "reasons": [
            {
                "code": reason.code,
                "field": reason.field,
                "sample": reason.sample,
                "title": text_of(known.title),
                "repair": text_of(known.repair),
            }
            for reason, known in about
        ],
        "landing": None
        if landed is None
        else {
            "path": landed.path,
            "line": landed.line_no,
            "fields": dict(landed.fields),
            "hidden": list(landed.hidden),
            "rejected": landed.rejected,
            "shape": landed.shape,
        },
        "waived_until": iso(found.waived_until),
    }
    session.show(value, _show_page)


def _show_page(found: dict[str, Any]) -> None:
    say(f"{found['connector']}.{found['stream']}  {found['key']}  ({found['status']})")
    for reason in found["reasons"]:
        say(Text(**reason["title"]), before=f"  [{reason['code']}] ")
        if reason["field"] or reason["sample"]:
            say(f"      {reason['field']}: {reason['sample']}")
        say(Text(**reason["repair"]), before="      ")
    landed = found["landing"]
    if landed is None:
        say(Text("落地文件已不在", "its landing file is gone"))
        return
    say()
    say(f"{landed['path']}:{landed['line']}")
    for name, value in landed["fields"].items():
        say(f"    {name}: {value}")
    if landed["hidden"]:
        listed = ", ".join(landed["hidden"])
        say(Text(f"未映射, 不显示: {listed}", f"not mapped and not shown: {listed}"), before="    ")
    if landed["shape"]:
        say(Text("原文的形状 (内容已隐去)", "its shape, contents hidden"), before=f"    {landed['shape']}  ")


@quarantine.add(
    "replay", example="liuke quarantine replay\nliuke quarantine replay --connector erp --code cell.choice-unknown"
)
@CONNECTOR
@CODE
def replay_(session: Session, connector: str, code: str) -> None:
    """修改映射或质量规则后, 把待处理的记录重新入库。来源系统里改好的记录不需要这样做。

    Loads quarantined records again after a map or a contract was mended. Records mended in their source need
    nothing but the next sync.
    """
    from console.synced import show_synced, synced_value, went_well
    from sync.quarantined import listing
    from sync.run import Runner

    hub = session.hub
    with hub.store.reading() as tx:
        before = listing(tx, hub.now(), connector=connector, code=code, limit=0)
    names = [connector] if connector else sorted(before.connectors & set(hub.config.instances))
    runner = Runner(hub)
    with session.stoppable(runner.stop):
        done = runner.replay(names) if names else None
    with hub.store.reading() as tx:
        left = listing(tx, hub.now(), connector=connector, code=code, limit=0).total
    value = {
        "before": before.total,
        "left": left,
        "replay": synced_value(done) if done else None,
    }

    def page(_value: Any) -> None:
        if done is not None:
            show_synced(done)
        mended = before.total - left
        say(
            Text(
                f"重新入库 {mended:,} 条, 仍待处理 {left:,} 条",
                f"{mended:,} records came in, {left:,} are still in quarantine",
            )
        )

    session.show(value, page)
    if done is not None and not went_well(done):
        click.get_current_context().exit(1)


@quarantine.add(
    "waive",
    example="liuke quarantine waive 12 --by 李娜 --reason 门店已关闭, 不再补录\n"
    "liuke quarantine waive 12 --by 李娜 --reason 门店已关闭 --days 30",
)
@click.argument("number", metavar="ID", type=int)
@click.option("--by", default="", help="谁承担。 Who takes it on.")
@click.option("--reason", default="", help="为什么。 Why.")
@click.option("--days", default=7, show_default=True, help="几天后恢复, 至多 30。 Days, 30 at most.")
def waive_(session: Session, number: int, by: str, reason: str, days: int) -> None:
    """豁免一条: 写明姓名、原因和期限 (至多 30 天); 期间单独计数, 到期自动恢复。

    Takes one record out of what is owed, with a name, a reason and an end within 30 days; it is counted apart.
    """
    from quality.times import iso
    from quality.waivers import Waiver, waive
    from sync.quarantined import one_of

    hub = session.reading_hub
    now = hub.now()
    until = _until(hub, days)
    with hub.store.transaction() as tx:
        found = one_of(tx, hub.now(), number)
        if found is None or found.status != "open":
            raise LiukeError(_no_such(number))
        waive(tx, Waiver("quarantine", found.debt_key, by, reason, now, until))
    session.show(
        {"debt": "quarantine", "id": number, "by": by, "until": iso(until)},
        lambda made: say(
            Text(f"已豁免至 {made['until'][:16]}", f"waived until {made['until'][:16]}"), before=f"{number}  "
        ),
    )


def _until(hub: Hub, days: int) -> int:
    from sync.clock import microseconds

    local: datetime = hub.clock.now().astimezone(ZoneInfo(hub.config.timezone))
    return microseconds(local + timedelta(days=days))


def _no_such(number: int) -> Problem:
    return Problem(
        "quarantine.no-such",
        Text(f"没有编号为 {number} 的待处理记录", f"there is no record {number} in quarantine"),
        "",
        Text("列出: liuke quarantine list", "list them: liuke quarantine list"),
    )
