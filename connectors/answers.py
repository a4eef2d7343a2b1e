"""Reads a vendor's answer: what its HTTP status and the code in its body mean, by a table of the vendor's own.

In China nearly every business error arrives as HTTP 200, and every vendor has another success flag. So a
vendor is described as data: where its code stands, which codes mean success, and rules from status, code and
message to outcome, each with the remedy a person needs. What no rule names falls back on HTTP's own meaning.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any

import msgspec

from connectors.outcomes import Outcome
from connectors.ports import Per
from connectors.ports_memory import window_end
from connectors.problems import NOTHING, Text

__all__ = ["Answers", "ComeBack", "Rule", "Verdict", "decoded", "judge", "read_path"]


class ComeBack(StrEnum):
    """When to come back after LATER."""

    HEADER = "header"
    """As Retry-After says; without one after a minute."""
    NEXT_MINUTE = "next minute"
    NEXT_DAY = "next day"
    """Midnight in Beijing, when daily quotas start anew."""
    NEXT_MONTH = "next month"
    MESSAGE = "message"
    """As the first number in the message says, in seconds, and one more."""


_WINDOWS = {ComeBack.NEXT_MINUTE: Per.MINUTE, ComeBack.NEXT_DAY: Per.DAY, ComeBack.NEXT_MONTH: Per.MONTH}


@dataclass(frozen=True)
class Rule:
    """An answer with one of these statuses, codes and this message (a regex) has this outcome.

    What is left empty matches anything. `what` and `do` are for the person who has to act.
    """

    outcome: Outcome
    status: Collection[int] = ()
    code: Collection[str] = ()
    message: str = ""
    come_back: ComeBack = ComeBack.HEADER
    what: Text = NOTHING
    do: Text = NOTHING
    name: str = ""


@dataclass(frozen=True)
class Answers:
    """One vendor's way of answering.

    `code` and `message` are dotted paths into the body, the first that is there counts. Success is a code in
    `success`, or no code at all if `no_code_is_success`, and every field in `must_be_true` being true.
    """

    vendor: str
    code: Sequence[str] = ()
    message: Sequence[str] = ()
    success: Collection[str] = ("0",)
    no_code_is_success: bool = True
    must_be_true: Sequence[str] = ()
    rules: Sequence[Rule] = ()
    json_body: bool = True


@dataclass(frozen=True)
class Verdict:
    """What an answer means, and its body (see `decoded`). `until` is set for LATER."""

    outcome: Outcome
    code: str = ""
    message: str = ""
    rule: Rule | None = None
    until: datetime | None = None
    value: Any = None


@dataclass(frozen=True)
class _Said:
    """What the body says, as far as the table asks."""

    code: str | None = None
    message: str = ""
    all_true: bool = True
    readable: bool = True
    empty: bool = False
    value: Any = None


def judge(answers: Answers, status: int, headers: Mapping[str, str], body: bytes, now: datetime) -> Verdict:
    """The verdict on one answer; `headers` have lower-case names."""
    said = _said(answers, body)
    for rule in answers.rules:
        if _matches(rule, status, said):
            until = _until(rule.come_back, headers, said.message, now) if rule.outcome is Outcome.LATER else None
            return Verdict(rule.outcome, said.code or str(status), said.message, rule, until, said.value)
    return _by_http(answers, status, headers, said, now)


def _matches(rule: Rule, status: int, said: _Said) -> bool:
    if rule.status and status not in rule.status:
        return False
    if rule.code and said.code not in rule.code:
        return False
    return not rule.message or re.search(rule.message, said.message) is not None


def _by_http(answers: Answers, status: int, headers: Mapping[str, str], said: _Said, now: datetime) -> Verdict:
    code = said.code or str(status)
    if status == 429 or (status == 503 and "retry-after" in headers):
        return Verdict(Outcome.LATER, code, said.message, until=_until(ComeBack.HEADER, headers, "", now))
    if status >= 300:
        return Verdict(_of_status(status), code, said.message)
    if said.empty:
        return Verdict(Outcome.EMPTY, code)
    if not said.readable:
        # Cut short on its way, or an error page of something in between: the next try may bring the answer.
        return Verdict(Outcome.RETRIABLE, "unreadable", said.message)
    succeeded = said.code in answers.success if said.code is not None else answers.no_code_is_success
    outcome = Outcome.OK if succeeded and said.all_true else Outcome.REJECTED
    return Verdict(outcome, code, said.message, value=said.value)


def _of_status(status: int) -> Outcome:
    if status >= 500 or status in {408, 425}:
        return Outcome.RETRIABLE
    if status == 401:
        return Outcome.AUTH
    if status == 403 or status < 400:
        return Outcome.FATAL
    return Outcome.REJECTED


def _said(answers: Answers, body: bytes) -> _Said:
    if not body.strip():
        return _Said(empty=True)
    if not answers.json_body:
        return _Said(message=body[:500].decode("utf-8", "replace"))
    try:
        whole = decoded(body)
    except ValueError:
        return _Said(message=body[:500].decode("utf-8", "replace"), readable=False)
    return _Said(
        _first(whole, answers.code),
        _first(whole, answers.message) or "",
        all(read_path(whole, path) is True for path in answers.must_be_true),
        value=whole,
    )


def decoded(body: bytes) -> Any:
    """The body as `dict[str, Raw]` or `list[Raw]` where it is clean JSON, else as plain values.

    Vendors pass control characters and wrong bytes on in names that people gave themselves: one such name
    must not make a page of records unreadable. ValueError if it is no JSON at all.
    """
    body = body.removeprefix(b"\xef\xbb\xbf")
    kind: Any = list[msgspec.Raw] if body.lstrip()[:1] == b"[" else dict[str, msgspec.Raw]
    try:
        body.decode()  # msgspec leaves the bytes inside of Raw unlooked at
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError):
        text = body.decode("utf-8", "surrogateescape")
        return json.loads(text, strict=False, parse_float=Decimal, parse_constant=str)


def read_path(value: Any, path: str) -> Any:
    """The value at a dotted path, decoded; None if it is not there."""
    for name in path.split("."):
        if isinstance(value, msgspec.Raw):
            value = _open(value)
        if not isinstance(value, Mapping) or name not in value:
            return None
        value = value[name]
    return msgspec.json.decode(value) if isinstance(value, msgspec.Raw) else value


def _open(raw: msgspec.Raw) -> Any:
    try:
        return msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    except msgspec.ValidationError:
        return None


def _first(whole: Any, paths: Sequence[str]) -> str | None:
    for path in paths:
        found = read_path(whole, path)
        if found is not None:
            return str(found).lower() if isinstance(found, bool) else str(found)
    return None


def _until(come_back: ComeBack, headers: Mapping[str, str], message: str, now: datetime) -> datetime:
    if come_back in _WINDOWS:
        return window_end(_WINDOWS[come_back], now)
    if come_back is ComeBack.MESSAGE:
        found = re.search(r"\d+", message)
        return now + timedelta(seconds=int(found[0]) + 1 if found else 60)
    after = headers.get("retry-after", "").strip()
    if after.isdigit():
        return now + timedelta(seconds=int(after))
    try:
        at = parsedate_to_datetime(after)
    except (ValueError, TypeError):
        return now + timedelta(seconds=60)
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)
