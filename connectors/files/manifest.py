"""Compares what was imported from files with what was handed over: names, rows, hashes.

Whoever exports history writes a manifest beside the files; the import is complete when nothing differs.

    file,rows,sha256
    orders-2025.csv,40210,9f86d081884c7d65...
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from connectors.problems import ConnectorError, Problem, Text

__all__ = ["Expected", "Imported", "differences", "imported", "read_manifest"]


@dataclass(frozen=True)
class Expected:
    """One file as it was handed over. An empty `sha256` is not compared."""

    file: str
    rows: int
    sha256: str = ""


@dataclass(frozen=True)
class Imported:
    """One file as it was read: `rows` are its rows of data, rejected ones included, sums and blank ones not."""

    stream: str
    file: str
    rows: int
    rejected: int
    sha256: str
    complete: bool


def read_manifest(path: Path) -> tuple[Expected, ...]:
    """The manifest, or a ConnectorError with every line of it that is wrong."""
    problems: list[Problem] = []
    expected: list[Expected] = []
    with path.open(encoding="utf-8-sig", newline="") as text:
        for number, row in enumerate(csv.DictReader(text), start=2):
            rows = (row.get("rows") or "").strip()
            file = (row.get("file") or "").strip()
            if not file or not rows.isdigit():
                problems.append(_bad_line(path.name, number))
            else:
                expected.append(Expected(file, int(rows), (row.get("sha256") or "").strip().lower()))
    if problems:
        raise ConnectorError(*problems)
    return tuple(expected)


def imported(state: Mapping[str, Any]) -> tuple[Imported, ...]:
    """The files in a tap's state, with what was read of them."""
    return tuple(
        Imported(stream, file, entry["rows"] - entry["skipped"], entry["rejected"], entry["sha256"], entry["done"])
        for stream, kept in state.get("bookmarks", {}).items()
        for file, entry in (kept.get("files") or {}).items()
    )


def differences(expected: Sequence[Expected], found: Iterable[Imported]) -> tuple[Problem, ...]:
    """What is missing, incomplete or not the same; nothing, if the import is complete.

    Files are compared by name: the folder they were handed over in need not be the same.
    """
    by_name = {PurePosixPath(one.file).name: one for one in found}
    problems: list[Problem] = []
    for wanted in expected:
        one = by_name.get(PurePosixPath(wanted.file).name)
        if one is None:
            problems.append(_differs(wanted, "files.not-imported", "没有导入", "was not imported"))
        elif not one.complete:
            problems.append(_differs(wanted, "files.not-complete", "尚未读完", "has not been read to its end"))
        elif wanted.sha256 and one.sha256 != wanted.sha256:
            problems.append(
                _differs(wanted, "files.other-content", "内容与清单不一致", "is not the file of the manifest")
            )
        elif one.rows != wanted.rows:
            zh = f"读到 {one.rows:,} 行, 清单是 {wanted.rows:,} 行"
            en = f"has {one.rows:,} rows, the manifest says {wanted.rows:,}"
            problems.append(_differs(wanted, "files.other-count", zh, en))
    return tuple(problems)


def _differs(wanted: Expected, code: str, zh: str, en: str) -> Problem:
    return Problem(
        code,
        Text(f"{wanted.file} {zh}", f"{wanted.file} {en}"),
        wanted.file,
        Text("向数据提供方核对该文件, 放入后重新同步", "check the file with whoever handed it over, then sync again"),
    )


def _bad_line(name: str, number: int) -> Problem:
    return Problem(
        "files.bad-manifest",
        Text("清单的这一行缺少 file 或 rows", "the line of the manifest has no file or no rows"),
        f"{name}:{number}",
        Text("每行: 文件名,行数,sha256", "each line: file,rows,sha256"),
    )
