"""Reads crosswalk.csv, the user's own links from the codes of ERP and shops to the product library.

Columns: connector, sku, product_code, kind, factor, share, valid_from, valid_to; only the first three are needed.
A code on several lines is a bundle. As Excel saves it, UTF-8 or GBK.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation
from pathlib import Path

from mappings.documents import near
from mappings.problems import LiukeError, Problem, Text
from state.crosswalk import import_links
from state.store import Store
from sync.clock import microseconds
from sync.config import Config

FILE = "crosswalk.csv"
COLUMNS = ("connector", "sku", "product_code", "kind", "factor", "share", "valid_from", "valid_to")
KINDS = ("exact", "barcode", "manual", "bundle", "unit")

_SHANGHAI = timezone(timedelta(hours=8))


@dataclass(frozen=True)
class Link:
    """One line of the file; times are microseconds UTC of the day's first instant in Shanghai."""

    connector: str
    sku: str
    product_code: str
    kind: str
    factor: str | None
    share: str | None
    valid_from: int | None
    valid_to: int | None

    @property
    def row(self) -> tuple[object, ...]:
        """As the store takes it."""
        return (
            self.connector, self.sku, self.product_code, self.kind,
            self.factor, self.share, self.valid_from, self.valid_to,
        )  # fmt: skip


def take(store: Store, config: Config, now: int) -> int:
    """Makes the store's links of this file those that stand in it now; how many changed."""
    links = read(config.folder, config.instances)
    with store.transaction() as tx:
        return import_links(tx, [link.row for link in links], FILE, now)


def read(folder: Path, instances: Collection[str]) -> list[Link]:
    """Every link in the file, none without a file; LiukeError with every line that is wrong."""
    file = folder / FILE
    if not file.exists():
        return []
    reader = csv.reader(io.StringIO(_text(file), newline=""))
    head = [name.strip() for name in next(reader, [])]
    problems = list(_head_problems(head))
    if problems:
        raise LiukeError(*problems)
    links: list[Link] = []
    seen: dict[tuple[str, str, str], int] = {}
    for cells in reader:
        if not any(cell.strip() for cell in cells):
            continue
        row = dict(zip(head, (cell.strip() for cell in cells), strict=False))
        line = _Line(reader.line_num, row)
        link = line.link(instances)
        key = (row.get("connector", ""), row.get("sku", ""), row.get("product_code", ""))
        if key in seen:
            line.wrong("crosswalk.twice", f"与第 {seen[key]} 行重复", f"the same link stands on line {seen[key]}")
        seen.setdefault(key, reader.line_num)
        problems += line.problems
        if link is not None:
            links.append(link)
    if problems:
        raise LiukeError(*problems)
    return links


def _text(file: Path) -> str:
    data = file.read_bytes()
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise LiukeError(
        Problem(
            "crosswalk.encoding",
            Text("文件既不是 UTF-8 也不是 GBK 编码", "the file is neither UTF-8 nor GBK"),
            FILE,
            Text("在 Excel 里另存为 “CSV UTF-8”", "save it as “CSV UTF-8” in Excel"),
        )
    )


def _head_problems(head: list[str]) -> Iterator[Problem]:
    for name in COLUMNS[:3]:
        if name not in head:
            yield Problem(
                "crosswalk.column-missing",
                Text(f"缺少列 {name}", f"the column {name} is missing"),
                f"{FILE}:1",
                Text(f"第一行写成 {','.join(COLUMNS)}", f"write {','.join(COLUMNS)} on the first line"),
            )
    for name in head:
        if name and name not in COLUMNS:
            yield Problem(
                "crosswalk.column-unknown",
                Text(f"没有列 {name}", f"there is no column {name}"),
                f"{FILE}:1",
                near(name, COLUMNS),
            )


class _Line:
    """One line: reads its cells and collects what is wrong with them."""

    def __init__(self, number: int, row: dict[str, str]) -> None:
        self._number = number
        self._row = row
        self.problems: list[Problem] = []

    def link(self, instances: Collection[str]) -> Link | None:
        connector, sku, product_code = (self._needed(name) for name in COLUMNS[:3])
        if connector and connector not in instances:
            self.wrong(
                "crosswalk.unknown-instance",
                f"没有名为 {connector} 的连接器实例",
                f"there is no connector instance {connector}",
                near(connector, instances) if instances else None,
            )
        kind = self._row.get("kind") or "manual"
        if kind not in KINDS:
            self.wrong("crosswalk.kind", f"没有对照类型 {kind}", f"there is no kind {kind}", near(kind, KINDS))
        factor, share = self._number_in("factor"), self._number_in("share")
        valid_from, valid_to = self._day_in("valid_from"), self._day_in("valid_to")
        if self.problems:
            return None
        return Link(connector, sku, product_code, kind, factor, share, valid_from, valid_to)

    def wrong(self, code: str, zh: str, en: str, do: Text | None = None) -> None:
        self.problems.append(
            Problem(
                code,
                Text(zh, en),
                f"{FILE}:{self._number}",
                do or Text("改好这一行后重试: liuke doctor", "correct the line and try again: liuke doctor"),
            )
        )

    def _needed(self, name: str) -> str:
        value = self._row.get(name, "")
        if not value:
            self.wrong("crosswalk.cell-missing", f"{name} 是空的", f"{name} is empty")
        return value

    def _number_in(self, name: str) -> str | None:
        text = self._row.get(name, "")
        try:
            good = not text or Decimal(text) > 0
        except InvalidOperation:
            good = False
        if not good:
            self.wrong("crosswalk.number", f"{name} 应为正数, 实际是 {text}", f"{name} must be over 0, found {text}")
        return text or None

    def _day_in(self, name: str) -> int | None:
        text = self._row.get(name, "").replace("/", "-")
        if not text:
            return None
        try:
            year, month, day = (int(part) for part in text.split("-"))
            first = date(year, month, day)
        except ValueError:
            self.wrong("crosswalk.day", f"{name} 应为日期, 实际是 {text}", f"{name} must be a day, found {text}")
            return None
        return microseconds(datetime(first.year, first.month, first.day, tzinfo=_SHANGHAI))
