"""Records and the elements of their lists as tables of text, with nested fields by path."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property

import msgspec
import polars as pl

from mappings import exactjson
from mappings.fieldmap import Source
from mappings.objects import LINE_NO, read_objects

NOT_AN_OBJECT = "cell.not-an-object"
NOT_A_LIST = "cell.not-a-list"

ROW = "_row"
_ITEMS = msgspec.json.Decoder(list[msgspec.Raw])

Failure = tuple[int, str, str]
"""A row (from 0), the code, and the cell."""


class Table:
    """Rows of text. `rows` has the top-level fields; nested ones are read when first asked for.

    `paths` are all fields that will be asked for, so that a nested object is read once for all of them.
    `parent` and `parent_rows` say which record an element belongs to, `positions` its place in the list, from 1.
    """

    def __init__(
        self,
        rows: pl.DataFrame,
        paths: Iterable[tuple[str, ...]],
        parent: Table | None = None,
        parent_rows: pl.Series | None = None,
        positions: pl.Series | None = None,
    ) -> None:
        self.rows = rows
        self.paths = tuple(paths)
        self.parent = parent
        self.parent_rows = parent_rows
        self.positions = positions
        self.failures: dict[tuple[str, ...], list[Failure]] = {}
        """Of each nested object: the cells that are none."""
        self._nested: dict[tuple[str, ...], pl.DataFrame] = {}

    @property
    def height(self) -> int:
        """Number of rows."""
        return self.rows.height

    @cached_property
    def line_no(self) -> pl.Series:
        """The line of each row's record."""
        return self.rows[LINE_NO] if self.parent is None else self.of_parent(self.parent.line_no)

    def of_parent(self, values: pl.Series) -> pl.Series:
        """Values of the records, for each of their elements (of the table itself if it holds records)."""
        return values if self.parent_rows is None else values.gather(self.parent_rows)

    def cells(self, source: Source) -> pl.Series:
        """The text of a field in each row."""
        if not source.path:
            if self.positions is None:
                raise ValueError("only elements of a list have a position")
            return self.positions.cast(pl.String)
        if source.parent and self.parent is not None:
            return self.of_parent(self.parent.cells(source))
        return self._level(source.path[:-1])[source.path[-1]]

    def elements(self, path: tuple[str, ...], paths: Iterable[tuple[str, ...]]) -> tuple[Table, Sequence[Failure]]:
        """The elements of a list in each row, in order, and the cells that are no list of objects."""
        cells = self._level(path[:-1])[path[-1]]
        lines: list[bytes] = []
        counts: list[int] = []
        failures: list[Failure] = []
        for row, cell in enumerate(cells.to_list()):
            items = _items(cell) if cell else ()
            if items is None:
                failures.append((row, NOT_A_LIST, cell))
                items = ()
            lines += items
            counts.append(len(items))
        paths = tuple(paths)
        objects = read_objects(_joined(lines), list(dict.fromkeys(path[0] for path in paths)) or [ROW])
        heights = pl.Series(counts, dtype=pl.Int64)
        parents = pl.int_range(self.height, eager=True).repeat_by(heights).explode().drop_nulls()
        positions = pl.int_ranges(1, heights + 1, eager=True).explode().drop_nulls()
        if objects.rows.height < len(lines):
            failures += [(parents[r.line_no - 1], NOT_AN_OBJECT, r.line.decode()) for r in objects.refused]
            there = objects.rows[LINE_NO] - 1
            parents, positions = parents.gather(there), positions.gather(there)
        return Table(objects.rows, paths, self, parents, positions), failures

    def filtered(self, mask: pl.Series) -> Table:
        """The rows where `mask` is true; they keep their records."""
        rows = mask.fill_null(False).arg_true()
        parents = self.parent_rows.gather(rows) if self.parent_rows is not None else None
        positions = self.positions.gather(rows) if self.positions is not None else None
        table = Table(self.rows[rows], self.paths, self.parent, parents, positions)
        for prefix in self._nested:
            table._level(prefix)
        return table

    def _level(self, prefix: tuple[str, ...]) -> pl.DataFrame:
        """The members of the nested object at `prefix`, in each row."""
        if not prefix:
            return self.rows
        if prefix not in self._nested:
            depth = len(prefix)
            names = [path[depth] for path in self.paths if len(path) > depth and path[:depth] == prefix]
            cells = self._level(prefix[:-1])[prefix[-1]]
            self._nested[prefix] = self._members(cells, list(dict.fromkeys(names)), prefix)
        return self._nested[prefix]

    def _members(self, cells: pl.Series, names: list[str], prefix: tuple[str, ...]) -> pl.DataFrame:
        there = (cells.str.strip_chars() != "").arg_true()
        lines = [cell.encode() for cell in cells.gather(there).to_list()]
        objects = read_objects(_joined(lines), names)
        rows = there.gather(objects.rows[LINE_NO] - 1)
        self.failures[prefix] = [(there[r.line_no - 1], NOT_AN_OBJECT, r.line.decode()) for r in objects.refused]
        members = objects.rows.drop(LINE_NO)
        if members.height == cells.len():
            return members
        everywhere = pl.DataFrame({ROW: pl.int_range(cells.len(), dtype=pl.UInt32, eager=True)})
        members = members.with_columns(rows.cast(pl.UInt32).alias(ROW))
        return everywhere.join(members, on=ROW, how="left", maintain_order="left").drop(ROW)


def _items(cell: str) -> Sequence[bytes] | None:
    """The elements of a JSON list, null ones left out; None if the text is no list."""
    try:
        items = [bytes(item) for item in _ITEMS.decode(cell)]
    except (msgspec.MsgspecError, RecursionError):
        try:
            value = exactjson.decode_plain(cell)
        except (ValueError, RecursionError):
            return () if not cell.strip() else None
        if not isinstance(value, list):
            return () if value is None else None
        try:
            items = [exactjson.encode(exactjson.whole(item)[0]) for item in value]
        except RecursionError:
            return None
    return [item for item in items if item != b"null"]


def _joined(lines: list[bytes]) -> bytes:
    """The JSON texts as lines. A text with line breaks (JSON inside a string) loses those between its tokens."""
    joined = b"\n".join(lines)
    if joined.count(b"\n") >= len(lines) > 0 or b"\r" in joined:
        joined = b"\n".join(_one_line(line) if b"\n" in line or b"\r" in line else line for line in lines)
    return joined + b"\n" if lines else b""


def _one_line(line: bytes) -> bytes:
    try:
        return exactjson.encode(exactjson.whole(exactjson.decode(line.decode()))[0])
    except (ValueError, RecursionError):
        return line.replace(b"\n", b" ").replace(b"\r", b" ")
