"""liuke report: the data health report, as a page, as JSON, or as its most urgent lines."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from console.screen import say
from console.session import Session, command
from console.symbols import symbols_for
from mappings.problems import LiukeError, Problem, Text


@command(
    "report",
    example="liuke report\nliuke report --html reports/health.html\nliuke report --json",
    short_help="数据健康报告。 The data health report.",
)
@click.option(
    "--html",
    "page_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="写成一个网页文件。 Write it as one HTML file.",
)
def report(session: Session, page_file: Path | None) -> None:
    """数据健康报告: 先说结论与最要紧的事项; --html 写成可打印、可转发的单个网页, 不含未脱敏的个人信息。

    The data health report: its verdict and what to do first; --html writes a page that can be printed and mailed.
    No person in it is unmasked.
    """
    from quality.report import report
    from sync.expectations import expectations
    from sync.scoring import contracts_of
    from sync.waiting import unregistered

    hub = session.hub
    with hub.store.reading() as tx:
        made = report(
            tx,
            hub.now(),
            expectations(hub.config),
            contracts_of(hub),
            run_id=hub.new_run_id(),
            unregistered=unregistered(tx, hub.landing, hub.config.instances),
        )
    if page_file is not None:
        write_page(made, page_file)
    session.show(made, lambda found: _page(found, page_file))


def write_page(made: dict[str, Any], file: Path) -> None:
    """Writes the page whole: a reader never sees half of one."""
    from console.report.render import render
    from state.durable import write_durably

    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_durably(file, render(made).encode())
    except OSError as error:
        raise LiukeError(
            Problem(
                "report.unwritable",
                Text("报告无法写入", "the report cannot be written"),
                str(file),
                Text(f"检查文件夹权限: {error.strerror}", f"check the folder: {error.strerror}"),
            )
        ) from error


def _page(made: dict[str, Any], file: Path | None) -> None:
    symbols = symbols_for(sys.stdout)
    say(Text(**made["headline"]), before=f"{symbols.status(made['status'])} ")
    for number, item in enumerate(made["do_first"], start=1):
        say()
        say(Text(**item["title"]), before=f"{number}. {symbols.status(item['status'])} ")
        for part in ("evidence", "impact", "action"):
            if item.get(part) and (item[part]["zh"] or item[part]["en"]):
                say(Text(**item[part]), before="   ")
        if item.get("command"):
            say(f"   $ {item['command']}")
    if file is not None:
        say()
        say(Text("报告网页", "the page"), before=f"{file.resolve()}  ")
