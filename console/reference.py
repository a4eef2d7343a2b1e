"""Writes the reference pages from the code: docs/commands.md, the tables of docs/configuration.md, the JSON Schema.

    python -m console.reference

A test compares what is there with what this makes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from connectors.settings import Setting
from console.cli import liuke
from console.screen import say
from console.session import EXAMPLE
from sync.config_schema import schema
from sync.settings import HUB, INSTANCE, WRITE_BACK

DOCS = Path(__file__).parents[1] / "docs"
_COMMON = {"folder", "as_json", "debug", "help", "version"}

_COMMANDS_HEAD = """\
# 命令 · Commands

每个命令都可加 `--folder 文件夹`、`--json`、`--debug`, 写在命令前后都可以。
本页由代码生成: `python -m console.reference`。
Every command takes `--folder`, `--json` and `--debug`, before or after its name. This page is made from the code.

| 退出码 exit code | 含义 meaning |
|---|---|
| 0 | 做完了 · done |
| 1 | 工具出错, 原因在 stderr · the tool failed; stderr says why |
| 2 | 用法错误 · wrong use |
| 10, 20, 30 | 只有 `check`: 预警 (加 `--fail-on warn`)、未达标、无数据 · only `check`: warning, breach, no data |
| 130, 143 | 被 Ctrl-C 或 SIGTERM 中断, 已落地的数据已封存 · stopped; what had landed is sealed |

输出不会因终端编码而失败: GBK 终端用 √ × 等符号, 不支持中文的终端用英文。`--json` 的结构有测试保证。
No console can make output fail: GBK consoles get symbols they know, those without Chinese get English.
"""


def commands_page() -> str:
    """docs/commands.md: every command with its options and examples."""
    return "\n".join([_COMMANDS_HEAD, *_sections()]).rstrip() + "\n"


def settings_table(settings: Sequence[Setting]) -> str:
    """Settings as a Markdown table: key, meaning, default."""
    rows = ["| 设置 setting | 含义 meaning | 默认 default |", "|---|---|---|"]
    for setting in settings:
        meaning = _cell("<br>".join(dict.fromkeys(setting.meaning)))
        if setting.choices:
            meaning += "<br>" + " ".join(f"`{one}`" for one in setting.choices)
        rows.append(f"| `{setting.name}` | {meaning} | {_default(setting)} |")
    return "\n".join(rows)


def tables() -> dict[str, str]:
    """The generated parts of docs/configuration.md, by the names of their marks."""
    return {
        "hub": settings_table(HUB),
        "instance": settings_table(INSTANCE),
        "write_back": settings_table(WRITE_BACK),
    }


def with_tables(page: str) -> str:
    """The page with each generated part written anew between its marks."""
    for name, table in tables().items():
        before, begin, rest = page.partition(f"<!-- {name} -->\n")
        _, end, after = rest.partition(f"<!-- /{name} -->\n")
        if begin and end:
            page = f"{before}{begin}{table}\n{end}{after}"
    return page


def schema_text() -> str:
    """The JSON Schema of liuke.yaml as it is published."""
    return json.dumps(schema(), ensure_ascii=False, indent=2) + "\n"


def _sections() -> Iterator[str]:
    root = click.Context(liuke)
    for name in liuke.list_commands(root):
        command = liuke.get_command(root, name)
        if isinstance(command, click.Group):
            yield f"## {name}\n\n{_sentences(command)}\n"
            for below, one in sorted(command.commands.items()):
                yield _section(f"### {name} {below}", one)
        elif command is not None:
            yield _section(f"## {name}", command)


def _section(head: str, command: click.Command) -> str:
    example = (command.epilog or "").partition(EXAMPLE)[2]
    lines = [line.strip() for line in example.splitlines() if line.strip()]
    parts = [head, _sentences(command), "```sh\n" + "\n".join(lines) + "\n```"]
    options = [one for one in command.params if isinstance(one, click.Option) and one.name not in _COMMON]
    if options:
        rows = [f"| `{', '.join(one.opts)}` | {_cell(one.help or '')} |" for one in options]
        parts.append("\n".join(["| 选项 option | 含义 meaning |", "|---|---|", *rows]))
    return "\n\n".join(parts) + "\n"


def _sentences(command: click.Command) -> str:
    paragraphs = (command.help or "").split("\n\n")
    return "\n\n".join(" ".join(part.split()) for part in paragraphs)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _default(setting: Setting) -> str:
    if setting.required:
        return "必填 required"
    if setting.default is None:
        return "—"
    return f"`{setting.default}`"


def write() -> None:
    """Writes all reference pages."""
    (DOCS / "commands.md").write_text(commands_page(), encoding="utf-8")
    (DOCS / "liuke.schema.json").write_text(schema_text(), encoding="utf-8")
    page = DOCS / "configuration.md"
    page.write_text(with_tables(page.read_text(encoding="utf-8")), encoding="utf-8")
    say("docs/commands.md  docs/configuration.md  docs/liuke.schema.json")


if __name__ == "__main__":
    write()
