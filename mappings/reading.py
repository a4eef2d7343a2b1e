"""Reads landing lines into frames of text, exactly as the records say it.

Every column is String, so that one wrong cell cannot stop a file. Polars reads the lines (2 to 4 us a line);
those that it would change (mappings/suspects.py), and those that it refuses, go through mappings/exactjson.py
one by one. A line that nobody can read becomes a rejected line with its bytes and a reason.
tests/mappings/test_polars_facts.py pins every habit of Polars that this rests on.
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec
import polars as pl

from mappings.exactjson import BROKEN
from mappings.lines import REJECTED_START
from mappings.objects import LINE_NO, read_objects

CHUNK_LINES = 10_000
"""Lines read at once: enough for Polars to be fast, few enough to read again when one line is bad."""

EXTRACTED_AT = "_extracted_at"
NO_TIME = "no-extraction-time"
"""A line that the lander did not write: it has no time of extraction."""

_REJECTED = "_rejected"
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])


class _RejectedLine(msgspec.Struct):
    code: str = msgspec.field(name="_rejected")
    extracted_at: int = msgspec.field(name="_extracted_at")
    record: str = msgspec.field(name="_bytes")


_REJECTED_LINE = msgspec.json.Decoder(_RejectedLine)


@dataclass(frozen=True)
class Rejected:
    """A line that is no record: its number in the file, why, and the bytes that came."""

    line_no: int
    code: str
    extracted_at: int | None
    record: bytes


@dataclass(frozen=True)
class Frame:
    """The records of some lines.

    `rows` has `_line_no` (from 1, in the file), `_extracted_at` (microseconds UTC) and the wanted columns as
    String, in the order of the lines; lines = rows + rejected + blank. `exact` lines took the slow way; `nuls`
    counts NUL characters taken out of them. `absent` are wanted fields that no line has, `unknown` the fields
    of a few sampled lines that nobody wants.
    """

    rows: pl.DataFrame
    lines: int
    rejected: tuple[Rejected, ...] = ()
    blank: int = 0
    exact: int = 0
    nuls: int = 0
    absent: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


def read_chunks(lines: bytes, columns: Sequence[str], *, first_line: int = 1) -> Iterator[Frame]:
    """The lines of a landing file as frames of at most CHUNK_LINES lines."""
    start = 0
    while start < len(lines):
        end = _end_of_chunk(lines, start)
        frame = read(lines[start:end], columns, first_line=first_line)
        first_line += frame.lines
        start = end
        yield frame


def read(lines: bytes, columns: Sequence[str], *, first_line: int = 1) -> Frame:
    """The fields `columns` (top level; nested values as JSON text) of all lines, as one frame.

    `first_line` is the number of the first line in its file.
    """
    wanted = [name for name in dict.fromkeys(columns) if name != EXTRACTED_AT]
    objects = read_objects(lines, list(dict.fromkeys([EXTRACTED_AT, *wanted, _REJECTED])))
    rows = objects.rows.with_columns(
        pl.col(EXTRACTED_AT).cast(pl.Int64, strict=False), pl.col(LINE_NO) + (first_line - 1)
    )
    rejected = [Rejected(r.line_no + first_line - 1, r.code, None, r.line) for r in objects.refused]
    doubtful = rows.filter(pl.col(_REJECTED).is_not_null() | pl.col(EXTRACTED_AT).is_null())
    if doubtful.height:
        parts = lines.split(b"\n")
        found = [
            _rejected_line(number, parts[number - first_line], at)
            for number, at in doubtful.select(LINE_NO, EXTRACTED_AT).iter_rows()
        ]
        rejected += [line for line in found if line]
        rows = rows.filter(~pl.col(LINE_NO).is_in([line.line_no for line in found if line]))
    rows = rows.select(LINE_NO, EXTRACTED_AT, *wanted)
    absent = [name for name in wanted if rows[name].null_count() == rows.height and not _names(lines, name)]
    return Frame(
        rows=rows,
        lines=objects.lines,
        rejected=tuple(sorted(rejected, key=lambda r: r.line_no)),
        blank=objects.blank,
        exact=objects.exact,
        nuls=objects.nuls,
        absent=tuple(absent) if rows.height else (),
        unknown=_unknown(lines, wanted),
    )


def _end_of_chunk(lines: bytes, start: int) -> int:
    position = start
    for _ in range(CHUNK_LINES):
        position = lines.find(b"\n", position) + 1
        if position == 0:
            return len(lines)
    return position


def _rejected_line(number: int, line: bytes, extracted_at: int | None) -> Rejected | None:
    """What a doubtful line is, if it is no record: what a record calls itself counts for nothing."""
    if line.startswith(REJECTED_START):
        try:
            found = _REJECTED_LINE.decode(line)
            return Rejected(number, found.code, found.extracted_at, b64decode(found.record, validate=True))
        except (msgspec.MsgspecError, ValueError):
            return Rejected(number, BROKEN, extracted_at, line)
    return Rejected(number, NO_TIME, None, line) if extracted_at is None else None


def _names(lines: bytes, name: str) -> bool:
    """Whether some line may have a member of that name (written plainly or in ASCII)."""
    spellings = {json.dumps(name, ensure_ascii=ascii_only).encode() for ascii_only in (False, True)}
    return any(spelling in lines for spelling in spellings)


def _unknown(lines: bytes, wanted: Sequence[str]) -> tuple[str, ...]:
    """Members of the first, the middle and the last line that are not wanted."""
    middle = lines.find(b"\n", len(lines) // 2) + 1
    last = lines.rfind(b"\n", 0, len(lines) - 1) + 1
    known = {EXTRACTED_AT, *wanted}
    unknown: dict[str, None] = {}
    for start in (0, middle, last):
        end = lines.find(b"\n", start)
        line = lines[start : end if end >= 0 else len(lines)]
        if line.startswith(REJECTED_START):
            continue
        try:
            unknown.update(dict.fromkeys(name for name in _FIELDS.decode(line) if name not in known))
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
            continue  # the line is among the rejected
    return tuple(unknown)
