"""Reads lines of JSON objects into a frame of text: by Polars where it is exact, one by one where it is not."""

from __future__ import annotations

import io
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from json.decoder import JSONDecodeError

import polars as pl

from mappings import exactjson
from mappings.exactjson import BROKEN, NOT_AN_OBJECT, NOT_UTF8, TOO_DEEP, TRUNCATED
from mappings.suspects import suspects

LINE_NO = "_line_no"


@dataclass(frozen=True)
class Refused:
    """A line that is not one JSON object."""

    line_no: int
    code: str
    line: bytes


@dataclass(frozen=True)
class Objects:
    """`rows` has `_line_no` (from 1) and the wanted members as String; nested members are JSON text.

    lines = rows + refused + blank. `exact` lines took the slow way, `nuls` characters were taken out of them.
    """

    rows: pl.DataFrame
    lines: int
    refused: tuple[Refused, ...] = ()
    blank: int = 0
    exact: int = 0
    nuls: int = 0


def read_objects(lines: bytes, columns: Sequence[str]) -> Objects:
    """The members `columns` of each line. What cannot be read is in `refused`; nothing is left out."""
    count = lines.count(b"\n") + (1 if lines and not lines.endswith(b"\n") else 0)
    odd = set(suspects(lines))
    rows = None if odd else _read(lines, columns, count)
    if rows is not None:
        return Objects(rows.with_row_index(LINE_NO, offset=1).cast({LINE_NO: pl.Int64}), count)
    parts = lines.split(b"\n")[:count]
    blank = {index for index, part in enumerate(parts) if not part.strip(b" \t\r")}
    plain = [b"{}" if index in odd or index in blank else part for index, part in enumerate(parts)]
    guilty: list[int] = []
    rows = _read(b"\n".join(plain), columns, count)
    if rows is None:
        guilty = _guilty(plain, columns)
        for index in guilty:
            plain[index] = b"{}"
        rows = _read(b"\n".join(plain), columns, count)
    if rows is None:
        raise RuntimeError("Polars refuses lines together that it accepts in parts")
    return _with_exact(rows, parts, columns, sorted(odd.union(guilty) - blank), blank)


def decoded(line: bytes) -> tuple[object, int]:
    """The value of one line, numbers as `exactjson.plain_number` shows them, and how many NULs were dropped.

    Raises ValueError with the code of what is wrong.
    """
    nuls = 0
    if b"\\u0000" in line:
        nuls = sum(1 for match in exactjson.ESCAPE.finditer(line) if match[1])
        line = exactjson.ESCAPE.sub(lambda match: b"" if match[1] else match[0], line)
    try:
        value = exactjson.decode_plain(line.decode())
        if b"\\ud" in line or b"\\uD" in line:
            value, _ = exactjson.whole(value)
    except UnicodeDecodeError:
        raise ValueError(NOT_UTF8) from None
    except JSONDecodeError as error:
        raise ValueError(TRUNCATED if exactjson.is_cut_off(error) else BROKEN) from None
    except RecursionError:
        raise ValueError(TOO_DEEP) from None
    return value, nuls


def _read(lines: bytes, columns: Sequence[str], count: int) -> pl.DataFrame | None:
    """What Polars makes of the lines; None if it refuses one, or drops one as blank."""
    try:
        rows = pl.read_ndjson(io.BytesIO(lines), schema=dict.fromkeys(columns, pl.String))
    except pl.exceptions.PolarsError:
        return None
    return rows if rows.height == count else None


def _guilty(parts: list[bytes], columns: Sequence[str]) -> list[int]:
    """Indexes of the lines that Polars refuses, by halves: few bad lines cost few readings."""
    if _read(b"\n".join(parts), columns, len(parts)) is not None:
        return []
    if len(parts) == 1:
        return [0]
    half = len(parts) // 2
    return _guilty(parts[:half], columns) + [half + index for index in _guilty(parts[half:], columns)]


def _with_exact(
    rows: pl.DataFrame, parts: list[bytes], columns: Sequence[str], slow: list[int], blank: Collection[int]
) -> Objects:
    """`rows` with the lines `slow` read one by one in place of what stands there."""
    cells: list[list[str | int | None]] = []
    refused = []
    nuls = 0
    for index in slow:
        try:
            value, dropped = decoded(parts[index])
            if not isinstance(value, dict):
                raise ValueError(NOT_AN_OBJECT)
            cells.append([index + 1, *(exactjson.text(value.get(name)) for name in columns)])
            nuls += dropped
        except ValueError as error:
            refused.append(Refused(index + 1, str(error), parts[index]))
    rows = rows.with_row_index(LINE_NO, offset=1).cast({LINE_NO: pl.Int64})
    elsewhere = pl.Series([*(index + 1 for index in slow), *(index + 1 for index in blank)], dtype=pl.Int64)
    exact = pl.DataFrame(cells, schema=rows.schema, orient="row")
    rows = pl.concat([rows.filter(~pl.col(LINE_NO).is_in(elsewhere.implode())), exact]).sort(LINE_NO)
    return Objects(rows, len(parts), tuple(refused), len(blank), len(slow), nuls)
