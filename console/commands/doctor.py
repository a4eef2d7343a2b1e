"""liuke doctor: what would stop or harm a run, before it does."""

from __future__ import annotations

import sys
from typing import Any

import click

from console.screen import problem_of, say, say_problems, speaks_chinese, text_of
from console.session import Session, command
from console.symbols import symbols_for
from mappings.problems import Text


@command(
    "doctor",
    example="liuke doctor",
    short_help="检查配置与环境。 Check configuration and environment.",
)
def doctor(session: Session) -> None:
    """检查配置、环境、时钟、磁盘、权限与数据库; 有必须先处理的问题时退出码为 1。

    Checks configuration, environment, clock, disk, permissions and database; exit code 1 if anything must be
    mended before a run.
    """
    from sync.doctor import examine, is_fit

    findings = examine(session.folder)
    fit = is_fit(findings)

    def page(_value: Any) -> None:
        symbols = symbols_for(sys.stdout)
        shown = {"ok": symbols.ok, "warning": symbols.warning, "error": symbols.breach}
        for finding in findings:
            symbol, title, detail = shown[finding.status], finding.title, finding.detail
            if speaks_chinese(sys.stdout):
                say(f"{symbol} {title.zh}  {title.en}  {detail.zh}".rstrip())
            else:
                say(f"{symbol} {title.en}  {detail.en or detail.zh}".rstrip())
            say_problems(finding.problems, error=False)
        say()
        say(
            Text("可以运行。", "Ready to run.")
            if fit
            else Text("请先处理以上标 × 的问题。", "Mend what is marked above first.")
        )

    session.show(
        {
            "ok": fit,
            "findings": [
                {
                    "code": finding.code,
                    "status": finding.status,
                    "title": text_of(finding.title),
                    "detail": text_of(finding.detail),
                    "problems": [problem_of(problem) for problem in finding.problems],
                }
                for finding in findings
            ],
        },
        page,
    )
    if not fit:
        click.get_current_context().exit(1)
