"""liuke test NAME: logs in and reads one record of each stream; with --write also writes to a test customer."""

from __future__ import annotations

import sys
from typing import Any

import click

from console.screen import problem_of, say, say_problems
from console.session import Session, command
from console.symbols import symbols_for
from mappings.problems import Problem, Text


@command(
    "test",
    example="liuke test erp\nliuke test crm --write TEST-001",
    short_help="试连接一个系统。 Try a connection.",
)
@click.argument("name")
@click.option(
    "--write",
    "customer",
    metavar="CUSTOMER",
    help="用这个测试客户试回写, 之后还原。 Try write-back with this test customer and restore it.",
)
def test(session: Session, name: str, customer: str | None) -> None:
    """登录并从每个同步对象读一条记录, 不保存任何数据; 加 --write 则对一个测试客户写入并还原。

    Logs in and reads one record of each stream, keeping nothing; with --write also writes to one test customer
    and puts its values back.
    """
    hub = session.reading_hub
    instance = hub.instance(name)
    ports = hub.ports(name)
    streams: list[dict[str, Any]] = []
    if instance.streams:
        tried = instance.connector.test(instance.settings, ports)
        streams = [
            {
                "stream": one.stream,
                "records": one.records,
                "problem": problem_of(one.problem) if one.problem else None,
            }
            for one in tried
        ]
    writes: list[dict[str, Any]] | None = None
    if customer is not None:
        from sync.write_test import try_writing

        writer = instance.connector.writer(instance.settings, ports)
        try:
            writes = [
                {
                    "field": one.field,
                    "written": one.written,
                    "restored": one.restored,
                    "problem": problem_of(one.problem) if one.problem else None,
                }
                for one in try_writing(writer, customer, name)
            ]
        finally:
            writer.close()
    found = {"name": name, "streams": streams, "writes": writes}
    session.show(found, _page)
    if any(one["problem"] for one in (*streams, *(writes or ()))):
        click.get_current_context().exit(1)


def _page(found: dict[str, Any]) -> None:
    symbols = symbols_for(sys.stdout)
    for one in found["streams"]:
        read = Text("读到 1 条", "read 1 record") if one["records"] else Text("可读, 暂无记录", "readable, no record")
        _line(symbols.breach if one["problem"] else symbols.ok, one["stream"], read, one["problem"])
    for one in found["writes"] or ():
        wrote = Text("已写入、回查并还原", "written, read back and restored")
        _line(symbols.breach if one["problem"] else symbols.ok, one["field"], wrote, one["problem"])
    if not found["streams"] and not found["writes"]:
        say(Text("这个实例没有配置同步对象", "this instance has no streams"))


def _line(symbol: str, name: str, good: Text, problem: dict[str, Any] | None) -> None:
    if problem is None:
        say(good, before=f"{symbol} {name}  ")
        return
    say(f"{symbol} {name}")
    say_problems(
        [Problem(problem["code"], Text(**problem["what"]), problem["where"], Text(**problem["do"]))], error=False
    )
