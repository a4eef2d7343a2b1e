"""liuke demo: a made-up company from source systems to written-back scores, without server or network."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from console.screen import say
from console.session import Session, command
from console.symbols import symbols_for
from console.words import debt_word
from mappings.problems import Text

if TYPE_CHECKING:
    from console.demo import Made

FOLDER = Path("liuke-demo")


@command(
    "demo",
    example="liuke demo\nliuke demo --folder my-demo",
    short_help="演示: 一家模拟公司的完整流程。 A made-up company, end to end.",
)
def demo(session: Session) -> None:
    """在 liuke-demo 文件夹里建立一家模拟公司, 走完拉取、入库、归一、检查、评分、回写与报告。不联网, 不到两分钟。

    Makes a company in the folder liuke-demo and takes it through pull, load, identity, checks, scores,
    write-back and report. No network, under two minutes. Run again it changes nothing.
    """
    from console.demo import make
    from console.progress import working

    def tell(what: Text) -> None:
        if not session.as_json:
            say(what, before=f"{symbols_for(sys.stdout).dot} ")

    with working(Text("演示进行中", "making the demo")):
        made = make(session.folder if session.folder_given else FOLDER, tell)
    session.show(
        {
            "folder": str(made.folder.resolve()),
            "new": made.new,
            "page": str(made.page.resolve()),
            "status": made.report["status"],
            "owed": made.report["owed"],
            "next": next_commands(made),
        },
        lambda _value: _page(made),
    )


def next_commands(made: Made) -> list[str]:
    """Three commands that show most."""
    return [
        f"liuke status --folder {made.folder}",
        f"liuke quarantine list --folder {made.folder}",
        f"liuke trace {made.sample_order} --folder {made.folder}",
    ]


def _page(made: Made) -> None:
    symbols = symbols_for(sys.stdout)
    report = made.report
    if not made.new:
        say(Text("演示已经在这里, 没有改动任何东西。", "The demo is here already; nothing was changed."))
    say()
    say(Text(**report["headline"]), before=f"{symbols.status(report['status'])} {report['company']}  ")
    for line in _found(report):
        say(line, before="  ")
    say()
    say(Text("数据健康报告", "the data health report"), before=f"{made.page.resolve()}  ")
    say()
    say(Text("接着可以试:", "What to try next:"))
    for one in next_commands(made):
        say(f"  {one}")


def _found(report: dict[str, Any]) -> list[Text]:
    lines = []
    identity, sku, scores = report["identity"], report["sku"], report["scores"]
    if identity:
        lines.append(
            Text(
                f"{identity['records']:,} 条客户记录归为 {identity['customers']:,} 个客户, "
                f"{identity['conflicts']:,} 处待人工确认",
                f"{identity['records']:,} customer records are {identity['customers']:,} customers, "
                f"{identity['conflicts']:,} conflicts",
            )
        )
    if sku:
        good, total = sku["codes"]["good"], sku["codes"]["total"]
        lines.append(Text(f"商品编码匹配 {good:,} / {total:,}", f"{good:,} of {total:,} product codes are linked"))
    if scores and scores["tiers"]:
        tiers = ", ".join(f"{one['tier']} {one['customers']:,}" for one in scores["tiers"])
        lines.append(Text(f"分层: {tiers}", f"tiers: {tiers}"))
    owed = [(debt_word(name), count) for name, count in report["owed"].items() if count]
    if owed:
        zh = ", ".join(f"{word.zh} {count:,}" for word, count in owed)
        en = ", ".join(f"{word.en.lower()} {count:,}" for word, count in owed)
        lines.append(Text(f"待办: {zh}", f"open: {en}"))
    return lines
