"""Turns the rows of a table file into records: headers, total rows, damaged ids, rows that belong together."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from connectors.bookmarks import BEIJING
from connectors.files.excel import DAMAGED
from connectors.files.templates import Template
from connectors.ports import Rejected
from connectors.problems import ConnectorError, Problem, Text
from connectors.rows import RowEncoder

__all__ = ["Headers", "Table", "read_headers"]

WRONG_CELL_COUNT = "files.wrong-cell-count"
CUT_OFF = "files.cut-off"
NUMBER_DAMAGED = "files.number-damaged"
CELL_ERROR = "files.cell-error"

_TOTAL = re.compile(r"^(合计|总计|小计|汇总|本页合计|total|sum|grand total)\s*[:：]?$", re.IGNORECASE)
_TOTAL_BEGINS = frozenset("合总小汇本tsgTSG")
_SCIENTIFIC = re.compile(r"^[+-]?\d(?:\.\d+)?E\+?(\d{2,3})$", re.IGNORECASE)
_DIGITS_LOST = 11
"""From this exponent on a CSV written by Excel has lost digits: it shows 12 and more as 1.23457E+11."""

_HEADER_ROWS = 10
"""How far down a template's headers are looked for, under titles and notes."""


@dataclass(frozen=True)
class Headers:
    """The field names of a file's columns, and how many rows stand before the data."""

    names: tuple[str, ...]
    rows_before: int


def read_headers(
    rows: Sequence[Sequence[str]], header_row: int, columns: Sequence[str], template: Template | None, where: str
) -> Headers:
    """Names for the columns. With a template, the header line is the first that has its required columns."""
    if header_row == 0:
        return Headers(tuple(columns), 0)
    if template is None:
        if len(rows) < header_row:
            return Headers((), header_row)
        return Headers(_unique(rows[header_row - 1]), header_row)
    for number, row in enumerate(rows[:_HEADER_ROWS]):
        names = _unique(template.names_for([cell.strip() for cell in row]))
        if not template.missing(names):
            return Headers(names, number + 1)
    raise ConnectorError(_no_headers(template, rows, where))


def _unique(cells: Sequence[str]) -> tuple[str, ...]:
    """Names without gaps and doubles: an empty one is named by its place, a second one gets a number."""
    trimmed = [cell.strip() for cell in cells]
    while trimmed and not trimmed[-1]:
        trimmed.pop()
    names: list[str] = []
    for number, cell in enumerate(trimmed, start=1):
        name, again = cell or f"column_{number}", 2
        while name in names:
            name, again = f"{cell or f'column_{number}'}_{again}", again + 1
        names.append(name)
    return tuple(names)


class Table:
    """One file's way from rows to records."""

    def __init__(
        self,
        headers: Headers,
        key: Sequence[str],
        number_columns: Sequence[str],
        template: Template | None,
        where: str,
    ) -> None:
        self.headers = headers
        missing = [name for name in key if name not in headers.names]
        if missing and headers.names:
            raise ConnectorError(_no_key(missing, headers.names, where))
        self._key_at = [headers.names.index(name) for name in key if name in headers.names]
        self._numbers = frozenset(n for n, name in enumerate(headers.names) if name in number_columns)
        self._encoder = RowEncoder(headers.names, BEIJING)
        self._template = template

    @property
    def grouped(self) -> bool:
        return self._template is not None and self._template.grouped

    def key_of(self, cells: Sequence[str]) -> tuple[str, ...]:
        return tuple(cells[n].strip() if n < len(cells) else "" for n in self._key_at)

    def is_total(self, cells: Sequence[str]) -> bool:
        """A sum under the data, no record: it says so in its first cell and has no key of its own."""
        first = cells[0].strip() or next((cell.strip() for cell in cells if cell.strip()), "")
        if first[:1] not in _TOTAL_BEGINS or not _TOTAL.match(first):
            return False
        return all(not part or part == first for part in self.key_of(cells))

    def records(
        self, rows: Sequence[tuple[Sequence[str], bytes]], *, last_is_cut: bool = False
    ) -> tuple[list[bytes], list[Rejected]]:
        """Records of the rows, and rows that cannot be trusted. `last_is_cut`: the last line has no end."""
        width = len(self.headers.names)
        good: list[Sequence[str | None]] = []
        rejected: list[Rejected] = []
        for number, (row, raw) in enumerate(rows):
            cut = last_is_cut and number == len(rows) - 1
            fault = self._fault(row, width, cut)
            if fault is not None:
                rejected.append(Rejected(fault, raw))
            else:
                plain = b"'" not in raw and b"=" not in raw
                good.append([cell.strip() or None if plain else _clean(cell) for cell in row[:width]])
        records, undecodable = self._encoder.encode(good)
        rejected.extend(undecodable)
        return (self._grouped(good), rejected) if self.grouped and not undecodable else (records, rejected)

    def _fault(self, cells: Sequence[str], width: int, cut: bool) -> str | None:
        if len(cells) != width and (len(cells) < width or any(cell.strip() for cell in cells[width:])):
            return CUT_OFF if cut else WRONG_CELL_COUNT
        joined = "\t".join(cells)
        if "+" not in joined and DAMAGED not in joined:
            return None
        for number, cell in enumerate(cells[:width]):
            if cell.startswith(DAMAGED):
                return CELL_ERROR if cell[1:2] == "#" else NUMBER_DAMAGED
            if "+" in cell and number not in self._numbers:
                found = _SCIENTIFIC.match(cell.strip())
                if found and int(found[1]) >= _DIGITS_LOST:
                    return NUMBER_DAMAGED
        return None

    def _grouped(self, rows: Sequence[Sequence[str | None]]) -> list[bytes]:
        """One record for consecutive rows of one key; the template's line columns go into `lines`."""
        assert self._template is not None  # noqa: S101 only templates group
        of_lines = {column.name for column in self._template.lines}
        records: list[bytes] = []
        for group in _by_key(rows, self._key_at):
            head: dict[str, Any] = {}
            lines: list[dict[str, Any]] = []
            for position, row in enumerate(group, start=1):
                line: dict[str, Any] = {}
                for name, value in zip(self.headers.names, row, strict=True):
                    if name in of_lines:
                        line[name] = value
                    elif head.get(name) is None:
                        head[name] = value
                # Without a number of its own a line is named by its place in the order.
                line["line_no"] = line.get("line_no") or str(position)
                lines.append(line)
            records.append(msgspec.json.encode(head | {"lines": lines}))
        return records


def _by_key(rows: Sequence[Sequence[str | None]], key_at: Sequence[int]) -> Iterator[list[Sequence[str | None]]]:
    group: list[Sequence[str | None]] = []
    for row in rows:
        if group and [row[n] for n in key_at] != [group[0][n] for n in key_at]:
            yield group
            group = []
        group.append(row)
    if group:
        yield group


def _clean(cell: str) -> str | None:
    """A cell without what exports put around it: spaces, tabs, ="..." and the apostrophe before a number."""
    text = cell.strip()
    if not text:
        return None
    if text.startswith('="') and text.endswith('"'):
        return text[2:-1].strip() or None
    if text.startswith("'") and text[1:].isdigit():
        return text[1:]
    return text


def explain(code: str) -> Text:
    """What a rejection code of this connector means."""
    return _REASONS[code]


_REASONS: Mapping[str, Text] = {
    WRONG_CELL_COUNT: Text("列数与表头不符", "the row has more or fewer cells than the header"),
    CUT_OFF: Text("文件末尾的一行不完整", "the last line of the file is cut off"),
    NUMBER_DAMAGED: Text(
        "编号被 Excel 变成了科学计数法, 末几位已丢失; 在源文件中把该列设为文本后重新导出",
        "Excel has turned an id into a rounded number: make the column text in the source and export again",
    ),
    CELL_ERROR: Text("单元格是 Excel 错误值 (#N/A 等)", "a cell holds an Excel error such as #N/A"),
}


def _no_headers(template: Template, rows: Sequence[Sequence[str]], where: str) -> Problem:
    needed = ", ".join(column.headers[0] for column in template.all_columns() if column.required)
    found = ", ".join(cell.strip() for cell in (rows[0] if rows else ()) if cell.strip())
    return Problem(
        "files.no-headers",
        Text(
            f"前 {_HEADER_ROWS} 行里找不到表头, 需要: {needed}; 第一行是: {found}",
            f"no header line within {_HEADER_ROWS} rows, needed: {needed}; the first row is: {found}",
        ),
        where,
        Text("按模板改表头, 或不用 template 而写 key", "name the columns as in the template, or use key instead"),
    )


def _no_key(missing: Sequence[str], names: Sequence[str], where: str) -> Problem:
    return Problem(
        "files.no-key-column",
        Text(f"文件里没有主键列 {', '.join(missing)}", f"the file has no key column {', '.join(missing)}"),
        where,
        Text(f"现有的列: {', '.join(names)}", f"columns there are: {', '.join(names)}"),
    )
