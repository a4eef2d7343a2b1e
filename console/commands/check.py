"""liuke check: judges the data, and says by its exit code whether a schedule may go on."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from console.screen import say, say_table, text_of
from console.session import Session, command
from console.symbols import symbols_for
from console.words import status_word
from mappings.problems import Text

if TYPE_CHECKING:
    from quality.checking import CheckResult

OK, WARNING, BREACH, NO_DATA = 0, 10, 20, 30


@command(
    "check",
    example="liuke check\nliuke check --fail-on warn --json",
    short_help="检查数据质量。 Judge the data.",
)
@click.option(
    "--fail-on",
    type=click.Choice(["breach", "warn"]),
    default="breach",
    help="预警时是否也返回非零。 Whether a warning fails as well.",
)
def check(session: Session, fail_on: str) -> None:
    """逐项检查并保存当天结果。退出码: 0 正常, 10 预警 (加 --fail-on warn), 20 未达标, 30 无数据, 1 工具出错。

    Runs every check and keeps the day's results. Exit code: 0 ok, 10 warning (with --fail-on warn), 20 breach,
    30 no data, 1 the tool failed.
    """
    from quality.checking import run_checks, store_results
    from quality.status import status
    from sync.expectations import expectations
    from sync.scoring import contracts_of
    from sync.waiting import unregistered

    hub = session.hub
    expected, now = expectations(hub.config), hub.now()
    with hub.store.reading() as tx:
        results = run_checks(tx, now, contracts_of(hub), expected)
    with hub.store.transaction() as tx:  # short: judging takes seconds, and nobody else can write meanwhile
        store_results(tx, results, now)
    with hub.store.reading() as tx:
        found = status(tx, now, expected, unregistered(tx, hub.landing, hub.config.instances))
    session.show(found | {"results": [_result(one) for one in results]}, _page)
    click.get_current_context().exit(exit_code(found["status"], fail_on))


def exit_code(status: str, fail_on: str) -> int:
    """What a scheduler is told."""
    if status == "warning":
        return WARNING if fail_on == "warn" else OK
    return {"breach": BREACH, "no_data": NO_DATA}.get(status, OK)


def _result(one: CheckResult) -> dict[str, Any]:
    return {
        "code": one.code,
        "title": text_of(one.title),
        "connector": one.connector,
        "entity": one.entity,
        "field": one.field,
        "status": one.status,
        "blocking": one.severity.value == "blocking",
        "good": one.good,
        "total": one.total,
        "target": None if one.target is None else str(one.target),
        "owner": one.owner,
        "sample": [{"key": sample.key, "note": sample.note} for sample in one.sample],
        "repair": text_of(one.repair),
    }


def _page(found: dict[str, Any]) -> None:
    symbols = symbols_for(sys.stdout)
    say(status_word(found["status"], found["todo"]), before=f"{symbols.status(found['status'])} {found['company']}  ")
    say()
    telling = [one for one in found["results"] if one["status"] not in {"ok", "no_data"}]
    if telling:
        say_table(
            [
                "",
                Text("检查项", "check"),
                Text("说明", "title"),
                Text("连接器", "connector"),
                Text("不合格", "failed"),
                Text("总数", "of"),
                Text("责任人", "owner"),
            ],
            [
                [
                    symbols.status(one["status"]),
                    one["code"],
                    Text(**one["title"]),
                    one["connector"] or symbols.dash,
                    one["total"] - one["good"],
                    one["total"],
                    one["owner"] or symbols.dash,
                ]
                for one in telling
            ],
        )
    good = sum(one["status"] == "ok" for one in found["results"])
    silent = sum(one["status"] == "no_data" for one in found["results"])
    say(Text(f"{good} 项正常, {silent} 项无数据", f"{good} checks ok, {silent} without data"))
