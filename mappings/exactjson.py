"""Reads and writes JSON without changing a number: tokens stay the text they were.

Slower than Polars (about 15 us a record of 500 bytes) and used for what Polars cannot read exactly. The first of
duplicate members wins, control characters inside strings are accepted, NaN and the infinities become text.
"""

from __future__ import annotations

import json
import re
from json.decoder import JSONDecodeError
from typing import Any

import msgspec

# Why bytes are not one JSON object; the code of a rejected line.
NOT_AN_OBJECT = "not-an-object"
BROKEN = "broken-json"
TRUNCATED = "truncated"
NOT_UTF8 = "not-utf8"
TOO_DEEP = "too-deep"

encode = msgspec.json.Encoder().encode
"""Compact UTF-8 JSON of a value that `decode` made; number tokens as they were."""

ESCAPE = re.compile(rb"\\(?:(u0000)|.)", re.DOTALL)
"""Every escape sequence, one by one (so that an escaped backslash hides nothing); group 1 is an escaped NUL."""


def first_wins(members: list[tuple[str, Any]]) -> dict[str, Any]:
    """The members as a dict in which the first of equal names stays (dict() would keep the last)."""
    record = dict(members)
    if len(record) < len(members):
        record.update(reversed(members))
    return record


def plain_number(number: str) -> str:
    """The token as Polars shows the number: 1.10 is 1.1, 5.0 is 5. With an exponent it stays what it was.

    So the way a record was read cannot be seen in it.
    """
    if "e" in number or "E" in number:
        return number
    if "." in number:
        return number.rstrip("0").rstrip(".")
    return "0" if number == "-0" else number


def _number(token: str) -> msgspec.Raw:
    return msgspec.Raw(token)


def _plain_number(token: str) -> msgspec.Raw:
    return msgspec.Raw(plain_number(token))


decode = json.JSONDecoder(
    strict=False,  # control characters inside strings
    parse_int=_number,
    parse_float=_number,
    parse_constant=str,  # NaN, Infinity, -Infinity
    object_pairs_hook=first_wins,
).decode
"""The value of a JSON text; a number is a msgspec.Raw of its token. Raises JSONDecodeError, RecursionError."""

decode_plain = json.JSONDecoder(
    strict=False,
    parse_int=_plain_number,
    parse_float=_plain_number,
    parse_constant=str,
    object_pairs_hook=first_wins,
).decode
"""The same with numbers as `plain_number` shows them."""


def text(value: Any) -> str | None:
    """A decoded value as the text of a cell: nested values as compact JSON, null as None."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, msgspec.Raw):
        return bytes(value).decode()
    if isinstance(value, bool):
        return "true" if value else "false"
    return encode(value).decode()


def is_cut_off(error: JSONDecodeError) -> bool:
    """Whether the text ends where more was expected, as a file does that was cut off."""
    return error.pos >= len(error.doc.rstrip()) or error.msg.startswith("Unterminated string")


def whole(value: Any) -> tuple[Any, int]:
    """`value` with each lone surrogate replaced by U+FFFD, and how many there were."""
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            # A pair that reached us as two halves is one character: only what stays alone is lost.
            mended = value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
            return mended, mended.count("\ufffd") - value.count("\ufffd")
        return value, 0
    if isinstance(value, dict):
        found = 0
        members = []
        for name, member in value.items():
            whole_name, in_name = whole(name)
            whole_member, in_member = whole(member)
            members.append((whole_name, whole_member))
            found += in_name + in_member
        return first_wins(members), found
    if isinstance(value, (list, tuple)):
        items = [whole(item) for item in value]
        return [item for item, _ in items], sum(count for _, count in items)
    return value, 0
