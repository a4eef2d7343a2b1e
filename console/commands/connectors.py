"""liuke connectors: which systems can be connected, and the settings of one of them, straight from its code."""

from __future__ import annotations

from typing import Any

import click

from connectors import registry
from connectors.registry import Connector
from connectors.settings import Kind, Setting, json_schema
from console.screen import say, say_problems, say_table, text_of
from console.session import Session, command
from mappings.problems import Text


@command(
    "connectors",
    example="liuke connectors\nliuke connectors sql",
    short_help="可接入的系统。 Systems that can be connected.",
)
@click.argument("name", required=False)
def connectors(session: Session, name: str | None) -> None:
    """可接入的系统; 加名称则显示它的全部设置。

    Systems that can be connected; with a name, all settings of that one.
    """
    if name is not None:
        connector = registry.connector(name)
        session.show(
            _about(connector) | {"settings": json_schema(connector.settings)}, lambda _about: _show_one(connector)
        )
        return
    found = registry.connectors()
    say_problems(found.problems)
    session.show([_about(one) for one in found.connectors.values()], _show_all)


def _about(connector: Connector) -> dict[str, Any]:
    return {
        "name": connector.name,
        "title": text_of(connector.title),
        "pull": connector.pull,
        "push": connector.push,
        "write_back": connector.write_back,
        "streams": [stream.name for stream in connector.streams()],
    }


def _show_all(found: list[dict[str, Any]]) -> None:
    say_table(
        [
            Text("连接器", "connector"),
            Text("名称", "title"),
            Text("拉取", "pull"),
            Text("推送", "push"),
            Text("回写", "write-back"),
            Text("同步对象", "streams"),
        ],
        [
            [
                one["name"],
                Text(**one["title"]),
                *(_yes(one[what]) for what in ("pull", "push", "write_back")),
                ", ".join(one["streams"]) or Text("由设置决定", "as configured"),
            ]
            for one in found
        ],
    )
    say()
    say(Text("查看某个连接器的设置: liuke connectors 名称", "settings of one: liuke connectors NAME"))


def _yes(value: bool) -> Text:
    return Text("是", "yes") if value else Text("—", "-")


def _show_one(connector: Connector) -> None:
    say(Text(f"{connector.name}  {connector.title.zh}", connector.title.en))
    for stream in connector.streams():
        kind = Text("增量", "incremental") if stream.modified_since else Text("全量", "full")
        say(f"  {stream.name}  {stream.title.zh}  {kind.zh} {kind.en}")
    say()
    say("settings:")
    for setting in connector.settings:
        _show_setting(setting, "  ")


def _show_setting(setting: Setting, indent: str) -> None:
    for sentence in dict.fromkeys(setting.meaning):
        say(f"{indent}# {sentence}")
    say(f"{indent}{setting.name}: {_remark(setting)}".rstrip())
    below = indent + "  "
    if setting.kind is Kind.NAMED:
        say(f"{below}NAME:")
        below += "  "
    for one in setting.settings:
        _show_setting(one, below)


def _remark(setting: Setting) -> str:
    parts = []
    if setting.example is not None and not setting.settings:
        parts.append(f"{setting.example}")
    if setting.required:
        parts.append("# 必填 required")
    elif setting.default is not None and not setting.settings:
        parts.append(f"# 默认 default: {_plain(setting.default)}")
    if setting.choices and setting.kind is not Kind.MAP:
        parts.append("# " + " | ".join(setting.choices))
    return "  ".join(parts)


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple, dict)) else str(value)
