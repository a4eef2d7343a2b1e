"""Finds the landing lines that Polars would not read exactly.

Polars 2.1 takes JSON numbers through a double unless they are integers, so a token with a point is exact only
below 16 characters, and one with an exponent may become 0; it turns a lone surrogate into NUL; and when it writes
nested values back it escapes neither backslashes nor anything in names. Whatever is found here is read by
mappings/exactjson.py instead: finding too much costs time, finding too little would cost data.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_PIECE = 1 << 16
_OVERLAP = 64
"""Pieces fit the processor's cache (three times as fast as the whole) and overlap by more than a token."""


def _classes() -> bytes:
    table = bytearray(b"x" * 256)
    for characters, kind in ((b"0123456789", b"0"), (b".", b"."), (b":,[ \t\r", b":"), (b"-", b"-"), (b"eE", b"e")):
        for character in characters:
            table[character] = kind[0]
    return bytes(table)


_CLASSES = _classes()
"""Digits as 0, exponents as e, what may stand before a number as a colon, the rest as x."""

_ODD_ESCAPE = re.compile(rb"\\(?:\\|u(?:0000|005[cC]|[dD](?:[89abAB]..\\u[dD][c-fC-F]..()|[89a-fA-F])))", re.DOTALL)
"""A backslash, NUL or surrogate by its escape; group 1 matches (empty) for a pair, which is one good character."""

_NAME_WITH_ESCAPE = re.compile(rb'\\.(?:[^"\\]++|\\.)*+"(\s*:)?', re.DOTALL)
"""From the first escape in a string to its end; group 1 if the string is a name."""


def suspects(lines: bytes) -> list[tuple[int, int, int]]:
    """Each line with a number, an escape or a name that Polars might change: its index (from 0), start and end."""
    positions = set(_long_numbers(lines))
    if b"\\" in lines:
        positions.update(m.start() for m in _ODD_ESCAPE.finditer(lines) if m[1] is None)
        positions.update(m.start() for m in _NAME_WITH_ESCAPE.finditer(lines) if m[1])
    found: list[tuple[int, int, int]] = []
    index = end = counted = 0
    for position in sorted(positions):
        if found and position < end:
            continue
        start = lines.rfind(b"\n", 0, position) + 1
        index += lines.count(b"\n", counted, start)
        counted = start
        end = lines.find(b"\n", position)
        end = len(lines) if end < 0 else end
        found.append((index, start, end))
    return found


def _long_numbers(lines: bytes) -> Iterator[int]:
    """Positions in number tokens with an exponent, or with a point and 16 characters or more.

    Such a token has 8 digits in a row beside its point, which is quick to look for.
    """
    for start in range(0, len(lines), _PIECE):
        piece = lines[max(start - _OVERLAP, 0) : start + _PIECE].translate(_CLASSES)
        offset = max(start - _OVERLAP, 0)
        for needle, point in ((b".00000000", 0), (b"00000000.", 8)):
            found = piece.find(needle)
            while found >= 0:
                if _is_long(piece, found + point):
                    yield offset + found
                found = piece.find(needle, found + 1)
        found = piece.find(b"0e")
        while found >= 0:
            if _digits_before(piece, found + 1) is not None:
                yield offset + found
            found = piece.find(b"0e", found + 1)


def _is_long(piece: bytes, point: int) -> bool:
    """Whether the token around the point at that position has 15 characters or more, its sign not counted."""
    right = piece[point + 1 : point + _OVERLAP]
    whole = _digits_before(piece, point)
    return whole is not None and whole + 1 + len(right) - len(right.lstrip(b"0")) >= 15


def _digits_before(piece: bytes, end: int) -> int | None:
    """How many digits and points stand before `end`, if a number can begin with them or they are too many."""
    left = piece[max(end - _OVERLAP, 0) : end]
    before = left.rstrip(b"0.")
    if before and not before.endswith((b":", b":-")):
        return None
    return len(left) - len(before)
