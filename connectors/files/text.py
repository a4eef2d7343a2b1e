"""Reads CSV and other delimited text: rows of cells, each with the lines it came from."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from connectors.files.source import find_encoding, opened

__all__ = ["TextRow", "delimiter_of", "text_rows"]

TextRow = tuple[list[str], bytes]
"""Cells, and the bytes of the lines they stood in."""

_LONGEST_CELL = 16 * 1024 * 1024
_DELIMITERS = {"tab": "\t", "space": " "}


def text_rows(path: Path, encoding: str, delimiter: str) -> Iterator[TextRow]:
    """The file's rows in order, blank ones left out. Bytes that do not decode stay visible in `raw`."""
    if encoding == "auto":
        encoding = find_encoding(path)
    elif encoding == "utf-8":
        encoding = "utf-8-sig"
    # Excel writes cells longer than the csv module's default; the limit is the process's own.
    csv.field_size_limit(_LONGEST_CELL)
    with opened(path) as content:
        text = io.TextIOWrapper(content, encoding, errors="surrogateescape", newline="")
        lines = _Lines(text)
        if delimiter == "auto":
            delimiter = lines.peek_delimiter()
        separator = _DELIMITERS.get(delimiter, delimiter)
        rows = csv.reader(lines, delimiter=separator, skipinitialspace=separator == " ")
        back = "utf-8" if encoding == "utf-8-sig" else encoding
        for cells in rows:
            raw = lines.taken()
            if raw and any(cells):
                yield cells, raw.encode(back, "surrogateescape")


def delimiter_of(line: str) -> str:
    """What separates the cells of a header line: the most frequent candidate outside quotes."""
    plain = "".join(line.split('"')[::2])
    counts = {candidate: plain.count(candidate) for candidate in (",", "\t", ";", "|")}
    best = max(counts, key=lambda candidate: counts[candidate])
    return best if counts[best] else ","


class _Lines:
    """Lines for the csv module, which keeps those of the row being read."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text
        self._taken: list[str] = []
        self._ahead: list[str] = []

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._ahead.pop(0) if self._ahead else next(self._text)
        self._taken.append(line)
        return line

    def taken(self) -> str:
        """The lines since the last call, as one text without its final line end."""
        text = "".join(self._taken)
        self._taken.clear()
        return text.rstrip("\r\n")

    def peek_delimiter(self) -> str:
        """The delimiter of the first line that has one; lines looked at are given again."""
        for _ in range(20):
            line = next(self._text, None)
            if line is None:
                break
            self._ahead.append(line)
        return delimiter_of(max(self._ahead, key=len, default=""))
