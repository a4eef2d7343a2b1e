"""Reads Excel sheets: the text a person sees in each cell, and what Excel has damaged."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from connectors.problems import ConnectorError, Problem, Text

__all__ = ["DAMAGED", "excel_rows"]

DAMAGED = "\x00"
"""Begins a cell whose value is lost; the rest of it is what the file still holds."""

_EXACT = 10**15
"""Excel keeps 15 digits of a number: a longer one has lost its last digits for good."""


def excel_rows(path: Path, sheet: str | None, where: str) -> Iterator[list[str]]:
    """The rows of one sheet, blank ones left out; merged cells give their value to every row they cover."""
    try:
        import python_calamine as calamine
    except ModuleNotFoundError:
        raise ConnectorError(_not_installed(where)) from None
    try:
        book = calamine.load_workbook(str(path))
        names = book.sheet_names
        if sheet is not None and sheet not in names:
            raise ConnectorError(_no_sheet(where, path, sheet, names))
        found = book.get_sheet_by_name(sheet) if sheet is not None else book.get_sheet_by_index(0)
        rows: list[list[Any]] = [list(row) for row in found.to_python(skip_empty_area=False)]
        merged = getattr(found, "merged_cell_ranges", None) or []
    except (calamine.CalamineError, zipfile.BadZipFile, OSError) as error:
        raise ConnectorError(_unreadable(where, path, type(error).__name__)) from None
    for (top, left), (bottom, right) in merged:
        _spread(rows, top, left, bottom, right)
    errors = _error_cells(path, found.name)
    for number, row in enumerate(rows):
        cells = [_text(value) for value in row]
        for column, shown in errors.get(number, {}).items():
            if column < len(cells):
                cells[column] = DAMAGED + shown
        if any(cells):
            yield cells


def _spread(rows: list[list[Any]], top: int, left: int, bottom: int, right: int) -> None:
    if top >= len(rows) or left >= len(rows[top]):
        return
    value = rows[top][left]
    for row in rows[top : bottom + 1]:
        # Downwards only: a title over several columns is no value of each of them.
        if left < len(row) and (right == left or row is rows[top]):
            row[left] = value


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return _number(value)
    if isinstance(value, datetime):
        return value.isoformat(" ")
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return str(value)
    return "" if value is None else str(value)


def _number(value: float) -> str:
    if abs(value) >= _EXACT:
        return f"{DAMAGED}{value:.15g}"
    if value == int(value):
        return str(int(value))
    # 15 digits are what Excel shows: 0.1 + 0.2 is 0.3 to the person who wrote it.
    return format(Decimal(f"{value:.15g}"), "f")


def _error_cells(path: Path, sheet: str) -> dict[int, dict[int, str]]:
    """Cells that hold #N/A, #REF! and the like, which the fast reader shows as empty."""
    if path.suffix.lower() not in {".xlsx", ".xlsm"} or not _has_errors(path):
        return {}
    try:
        import openpyxl
    except ModuleNotFoundError:
        return {}
    book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    try:
        found: dict[int, dict[int, str]] = {}
        for row in book[sheet].iter_rows():
            for cell in row:
                if cell.data_type == "e" and cell.row is not None and cell.column is not None:
                    found.setdefault(cell.row - 1, {})[cell.column - 1] = str(cell.value)
        return found
    finally:
        book.close()


def _has_errors(path: Path) -> bool:
    with zipfile.ZipFile(path) as parts:
        return any(b't="e"' in parts.read(name) for name in parts.namelist() if name.startswith("xl/worksheets/sheet"))


def _not_installed(where: str) -> Problem:
    command = "pip install 'liuke[excel]'"
    return Problem(
        "files.excel-not-installed",
        Text("缺少读取 Excel 的组件", "what reads Excel files is not installed"),
        where,
        Text(command, command),
    )


def _no_sheet(where: str, path: Path, sheet: str, names: list[str]) -> Problem:
    listed = ", ".join(names)
    return Problem(
        "files.no-sheet",
        Text(f"{path.name} 里没有工作表 {sheet}", f"{path.name} has no sheet {sheet}"),
        where,
        Text(f"现有的工作表: {listed}", f"sheets there are: {listed}"),
    )


def _unreadable(where: str, path: Path, reason: str) -> Problem:
    return Problem(
        "files.excel-unreadable",
        Text(f"{path.name} 不是完整的 Excel 文件 ({reason})", f"{path.name} is no whole Excel file ({reason})"),
        where,
        Text(
            "用 Excel 打开并另存为 .xlsx; 有密码的先去掉密码", "open it in Excel and save it as .xlsx, without password"
        ),
    )
