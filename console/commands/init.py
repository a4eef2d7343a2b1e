"""liuke init: starts a configuration of one's own; what is there already stays as it is."""

from __future__ import annotations

import os
from importlib.resources import files
from pathlib import Path
from typing import Any

import click

from console.screen import say
from console.session import Session, command
from mappings.problems import LiukeError, Problem, Text
from sync.config import FILE
from sync.hub import KEY_FILE

STARTER = {
    FILE: "liuke.yaml",
    ".gitignore": "gitignore",
    "mappings/README.md": "mappings.md",
    "contracts/README.md": "contracts.md",
    "crosswalk.csv": "crosswalk.csv",
}
"""What a new folder holds, by its place there and its name in console/starter."""

KEY = f"keys/{KEY_FILE}"


@command(
    "init",
    example="liuke init\nliuke init --folder hub --company 示例商贸有限公司",
    short_help="建立自己的配置。 Start a configuration of your own.",
)
@click.option("--company", help="公司名称, 显示在报告上。 Name of the company, shown in reports.")
def init(session: Session, company: str | None) -> None:
    """建立配置文件夹: 带注释的 liuke.yaml、映射、质量规则、编码对照表与身份密钥。已有的文件一律不动。

    Makes a folder with a commented liuke.yaml, places for mappings, contracts and the crosswalk, and an identity
    key. What exists is never overwritten.
    """
    made = start(session.folder, company)
    session.show(made, lambda found: _page(session.folder, found))


def start(folder: Path, company: str | None = None) -> dict[str, Any]:
    """Makes what is missing; gives {"folder", "made": [...], "kept": [...]}."""
    if not folder.exists():
        folder.mkdir(parents=True, mode=0o700)  # it will hold customers: for its owner only
    _check_key(folder)
    made: list[str] = []
    kept: list[str] = []
    for place, name in STARTER.items():
        content = files("console.starter").joinpath(name).read_text(encoding="utf-8")
        if company and place == FILE:
            content = content.replace("company: 我的公司", f"company: {_quoted(company)}")
        (made if _write(folder / place, content.encode(), 0o644) else kept).append(place)
    (made if _write_key(folder / KEY) else kept).append(KEY)
    return {"folder": str(folder.resolve()), "made": made, "kept": kept}


def _write(file: Path, content: bytes, mode: int) -> bool:
    """Writes a new file; False, and nothing done, where one is there."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:
        return False
    with os.fdopen(handle, "wb") as open_file:
        open_file.write(content)
    return True


def _write_key(file: Path) -> bool:
    if file.exists():
        return False
    from mappings.identity.digest import Keys

    return _write(file, Keys.generate().to_bytes(), 0o600)


def _check_key(folder: Path) -> None:
    """A new key beside an old database would make every stored identifier unreadable: that is never done."""
    if (folder / "liuke.db").exists() and not (folder / KEY).exists():
        raise LiukeError(
            Problem(
                "identity.key-missing",
                Text("已有数据库, 但身份密钥不见了", "there is a database already, and its identity key is gone"),
                str(folder / KEY),
                Text(
                    "从备份恢复密钥; 若数据可以丢弃, 先删除 liuke.db 与 landing/",
                    "restore the key from the backup; if the data may go, remove liuke.db and landing/ first",
                ),
            )
        )


def _quoted(text: str) -> str:
    """A YAML scalar that is that text, whatever it holds."""
    return "'" + text.replace("'", "''") + "'"


def _page(folder: Path, found: dict[str, Any]) -> None:
    say(Text("配置文件夹", "configuration folder"), before=f"{found['folder']}  ")
    for place in found["made"]:
        say(Text("新建", "made"), before=f"  {place}  ")
    for place in found["kept"]:
        say(Text("已有, 未改动", "was there, unchanged"), before=f"  {place}  ")
    say()
    where = "" if folder == Path() else f" --folder {folder}"
    say(Text("下一步:", "next steps:"))
    say("  liuke connectors")
    say(f"  $EDITOR {folder / FILE}")
    say(f"  liuke doctor{where}")
    say()
    say(
        Text(
            f"请把 {KEY} 纳入备份: 没有它, 已存的手机号等标识无法再识别。",
            f"Keep {KEY} in the backup: without it no stored identifier can be recognised again.",
        )
    )
