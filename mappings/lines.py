"""Makes landing lines: one compact, valid UTF-8 JSON object a line, with the time of extraction in front.

A record that already is one line of JSON costs a splice; one that is not is repaired (pretty-printed,
control characters, NaN, lone surrogates, byte order mark), and what cannot be repaired lands as a *rejected
line* that carries its bytes. Every line ends with a newline. Position decides what is ours: `_extracted_at`
is the first member and the first of duplicate members wins, a rejected line starts with `_rejected`; a
record's own members of these names come later and are never believed.

What msgspec 0.22 checks when it splits a page into `Raw` (tests/mappings/test_msgspec_facts.py): the whole
JSON grammar, control characters in strings, surrogates and depth; it does *not* check that the bytes are
UTF-8, and it keeps the whitespace between tokens, newlines included. Only these two are looked at again.
"""

from __future__ import annotations

import json
import math
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from json.decoder import JSONDecodeError
from typing import Any
from uuid import UUID

import msgspec

from mappings import exactjson
from mappings.exactjson import BROKEN, NOT_AN_OBJECT, NOT_UTF8, TOO_DEEP, TRUNCATED

REJECTED_START = b'{"_rejected":"'
"""How a rejected line starts, and no other line."""

_BOM = b"\xef\xbb\xbf"
_PIECE = 500
"""Records joined at once: about what stays in the processor's cache."""
_VALUE = msgspec.json.Decoder(msgspec.Raw)


@dataclass(frozen=True)
class Counts:
    """What became of records: all of them are lines, `repaired` and `rejected` say how.

    Repaired means that something in the record had to change to make it JSON; taking out whitespace between
    tokens is no repair. `surrogates` counts the lone UTF-16 surrogates that became U+FFFD.
    """

    records: int = 0
    repaired: int = 0
    rejected: int = 0
    surrogates: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.records + other.records,
            self.repaired + other.repaired,
            self.rejected + other.rejected,
            self.surrogates + other.surrogates,
        )


def lines_of_page(
    records: Sequence[msgspec.Raw | bytes], extracted_at: int, *, validated: bool
) -> tuple[bytes, Counts]:
    """The landing lines of all records of a page, in their order, and what became of them.

    `validated` says that msgspec split the page (`Raw`), so that its grammar need not be checked again.
    """
    prefix = _prefix(extracted_at)
    written = []
    counts = Counts()
    for start in range(0, len(records), _PIECE):
        piece = list(map(bytes, records[start : start + _PIECE]))
        lines = _clean_lines(piece, prefix)
        if lines is not None and (validated or _all_valid(piece)):
            written.append(lines)
            counts += Counts(records=len(piece))
            continue
        for record in piece:
            line, found = _line(record, extracted_at, prefix, validated)
            written.append(line)
            counts += found
    return b"".join(written), counts


def line_of_raw(record: bytes, extracted_at: int) -> bytes:
    """The landing line of one record's bytes, whatever they are."""
    prefix = _prefix(extracted_at)
    try:
        _VALUE.decode(record)
    except (msgspec.DecodeError, RecursionError):
        return _line(record, extracted_at, prefix, validated=False)[0]
    lines = _clean_lines([record], prefix)
    return lines or _line(record, extracted_at, prefix, validated=True)[0]


def line_of_record(record: Mapping[Any, Any], extracted_at: int) -> bytes:
    """The landing line of a record that is Python values.

    Decimals become text with all their digits, integers stay exact at any size, times are ISO 8601 (with the
    offset where they have one), bytes are base64, NaN and the infinities are text ("NaN"), keys become text
    and the first of equal ones wins. A value of a type that JSON does not know becomes `str(value)`.
    """
    try:
        body = exactjson.encode(record if type(record) is dict else dict(record))
        if (
            b"null" in body
            and not _NOT_FLOAT.issuperset(map(type, record.values()))
            and any(map(_hides_null, record.values()))
        ):
            body = exactjson.encode(_plain(record))
    except (TypeError, UnicodeEncodeError):
        body = exactjson.encode(exactjson.whole(_plain(record))[0])
    except RecursionError:
        return _rejected(TOO_DEEP, repr(type(record)).encode(), extracted_at)
    return _splice(body, _prefix(extracted_at))


def rejected_line(code: str, record: bytes, extracted_at: int) -> bytes:
    """A line that carries bytes which could not be made one JSON object, with the reason."""
    return _rejected(code, record, extracted_at)


def _prefix(extracted_at: int) -> bytes:
    return b'{"_extracted_at":%d,' % extracted_at


def _clean_lines(records: list[bytes], prefix: bytes) -> bytes | None:
    """The lines of records that need no more than the splice; None if one of them needs more.

    Looks at the records together: each starts as a non-empty object, all of them are UTF-8 on one line each.
    """
    if {record[:2] for record in records} != {b'{"'}:
        return None
    lines = prefix + (b"\n" + prefix).join([record[1:] for record in records]) + b"\n"
    if lines.count(b"\n") != len(records) or b"\r" in lines or b"\t" in lines or not _is_utf8(lines):
        return None
    return lines


def _all_valid(records: Sequence[bytes]) -> bool:
    """Whether each record on its own is one JSON value (a page joined from parts proves nothing)."""
    try:
        for record in records:
            _VALUE.decode(record)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True


def _is_utf8(data: bytes) -> bool:
    if data.isascii():
        return True
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _line(record: bytes, extracted_at: int, prefix: bytes, validated: bool) -> tuple[bytes, Counts]:
    """One record's line, by the cheapest way that is right for it."""
    if not _is_utf8(record):
        return _rejected(NOT_UTF8, record, extracted_at), Counts(records=1, rejected=1)
    if validated or _all_valid((record,)):
        compact = record
        if not (record.startswith(b'{"') and not (b"\n" in record or b"\r" in record or b"\t" in record)):
            compact = msgspec.json.format(record, indent=-1)
        if compact.startswith(b"{"):
            return _splice(compact, prefix), Counts(records=1)
        return _rejected(NOT_AN_OBJECT, record, extracted_at), Counts(records=1, rejected=1)
    return _repaired(record, extracted_at, prefix)


def _splice(record: bytes, prefix: bytes) -> bytes:
    """`record`, a compact JSON object, with our first member."""
    if record == b"{}":
        return prefix[:-1] + b"}\n"
    return prefix + record[1:] + b"\n"


def _rejected(code: str, record: bytes, extracted_at: int) -> bytes:
    return b'%b%b","_extracted_at":%d,"_bytes":"%b"}\n' % (
        REJECTED_START,
        code.encode(),
        extracted_at,
        b64encode(record),
    )


def _repaired(record: bytes, extracted_at: int, prefix: bytes) -> tuple[bytes, Counts]:
    """The line of a record that is UTF-8 but not JSON as it stands."""
    text = record.removeprefix(_BOM).decode()
    try:
        value = exactjson.decode(text)
        if not isinstance(value, dict):
            return _rejected(NOT_AN_OBJECT, record, extracted_at), Counts(records=1, rejected=1)
        value, surrogates = exactjson.whole(value)
        line = _splice(exactjson.encode(value), prefix)
    except JSONDecodeError as error:
        code = TRUNCATED if exactjson.is_cut_off(error) else BROKEN
        return _rejected(code, record, extracted_at), Counts(records=1, rejected=1)
    except RecursionError:
        return _rejected(TOO_DEEP, record, extracted_at), Counts(records=1, rejected=1)
    return line, Counts(records=1, repaired=1, surrogates=surrogates)


_PLAIN = {str, int, float, bool, type(None), Decimal, datetime, date, time, timedelta, UUID, bytes}
"""Types that msgspec writes as we want them, given that a float is finite (it writes NaN as null)."""

_NOT_FLOAT = _PLAIN - {float}


def _hides_null(value: Any) -> bool:
    """Whether the null written for `value` may be a float that is not finite."""
    return not math.isfinite(value) if isinstance(value, float) else type(value) not in _PLAIN


def _plain(value: Any) -> Any:
    """`value` in types that become JSON without loss."""
    if isinstance(value, float):
        return value if math.isfinite(value) else _NOT_FINITE[str(value)]
    if type(value) in _PLAIN:
        return value
    if isinstance(value, Mapping):
        return exactjson.first_wins([(_name(name), _plain(member)) for name, member in value.items()])
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(item) for item in value]
    if isinstance(value, (bytearray, memoryview)):
        return bytes(value)
    if isinstance(value, (str, int)):
        return value
    return str(value)


_NOT_FINITE = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


def _name(name: object) -> str:
    """A member's name as text; what JSON would write for the value (`null`, `true`), else `str`."""
    if isinstance(name, str):
        return name
    if name is None or isinstance(name, bool):
        return json.dumps(name)
    return str(name)
