"""Reads lines of JSON objects into a frame of text: by Polars where it is exact, one by one where it is not."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
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
    odd = suspects(lines)
    slow = {index: lines[start:end] for index, start, end in odd}
    plain = _without(lines, odd)
    rows = _read(plain, columns, count)
    blank: list[int] = []
    if rows is None:
        parts = plain.split(b"\n")[:count]
        blank = [index for index, part in enumerate(parts) if not part.strip(b" \t\r")]
        for index in blank:
            parts[index] = b"{}"
        for index in _guilty(parts, columns):
            slow[index] = parts[index]
            parts[index] = b"{}"
        rows = _read(b"\n".join(parts), columns, count)
    if rows is None:
        raise RuntimeError("Polars refuses lines together that it accepts in parts")
    rows = rows.with_columns(pl.int_range(1, count + 1, dtype=pl.Int64, eager=True).alias(LINE_NO))
    return _with_exact(rows.select(LINE_NO, *columns), slow, blank) if slow or blank else Objects(rows, count)


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


def _without(lines: bytes, odd: Sequence[tuple[int, int, int]]) -> bytes:
    """The lines with an empty object in place of each odd one."""
    if not odd:
        return lines
    parts = []
    done = 0
    for _, start, end in odd:
        parts += [lines[done:start], b"{}"]
        done = end
    parts.append(lines[done:])
    return b"".join(parts)


def _with_exact(rows: pl.DataFrame, slow: Mapping[int, bytes], blank: Sequence[int]) -> Objects:
    """`rows` with the lines `slow` (by index) read one by one, without those that are blank or no objects."""
    columns = rows.columns[1:]
    cells: dict[int, list[str | None]] = {}
    refused = []
    nuls = 0
    for index, line in sorted(slow.items()):
        try:
            value, dropped = decoded(line)
            if not isinstance(value, dict):
                raise ValueError(NOT_AN_OBJECT)
            cells[index] = [exactjson.text(value.get(name)) for name in columns]
            nuls += dropped
        except ValueError as error:
            refused.append(Refused(index + 1, str(error), line))
        except RecursionError:  # a nested value that could just be read cannot be written again
            refused.append(Refused(index + 1, TOO_DEEP, line))
    lines = rows.height
    if cells:
        at = pl.Series(list(cells), dtype=pl.UInt32)
        exact = pl.DataFrame(list(cells.values()), schema=dict.fromkeys(columns, pl.String), orient="row")
        rows = rows.with_columns(rows[name].scatter(at, exact[name]) for name in columns)
    if refused or blank:
        gone = [*(found.line_no for found in refused), *(index + 1 for index in blank)]
        rows = rows.filter(~pl.col(LINE_NO).is_in(gone))
    return Objects(rows, lines, tuple(refused), len(blank), len(slow), nuls)
