"""Writes numbers, durations and times into the sentences of the report."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import ROUND_DOWN, Decimal

from quality.objectives import Share
from quality.times import shanghai

_MOBILE = re.compile(r"(?<![0-9A-Za-z])((?:\+?86)?1[3-9]\d)\d{4}(\d{4})(?![0-9A-Za-z])")
_EMAIL = re.compile(r"(?<![\w.+-])(\w)[\w.+-]*(@[\w-]+(?:\.[\w-]+)+)")


def masked(text: str) -> str:
    """A record's key or note without a person in it: some systems use the phone as the customer's number."""
    return _EMAIL.sub(r"\1***\2", _MOBILE.sub(r"\1****\2", text))


def percent(value: Share) -> str:
    """The good part; cut, not rounded: 98.996 % never reads as the 99 % it missed."""
    if not value.total:
        return "无数据"
    cut = (Decimal(value.good) * 100 / value.total).quantize(Decimal("0.1"), ROUND_DOWN)
    return f"{cut.normalize():f}%"


def limit(share: Decimal) -> str:
    """A threshold as a percentage, as it was written."""
    return f"{(share * 100).normalize():f}%"


def yuan(text: str) -> str:
    """12,840.50 from exact decimal text."""
    return f"{Decimal(text):,.2f}"


def moment(at: int | None) -> str:
    """11-21 09:30, in Beijing."""
    return "—" if at is None else f"{shanghai(at):%m-%d %H:%M}"


def duration(seconds: int | None) -> str:
    """The two largest units: 3 小时 12 分钟."""
    if seconds is None:
        return "—"
    days, rest = divmod(seconds, 86_400)
    hours, minutes = rest // 3600, rest % 3600 // 60
    if days:
        return f"{days} 天 {hours} 小时" if hours else f"{days} 天"
    if hours:
        return f"{hours} 小时 {minutes} 分钟" if minutes else f"{hours} 小时"
    return f"{minutes} 分钟" if seconds >= 60 else f"{seconds} 秒"


def in_hours(seconds: int | None) -> str:
    """The same in English: 3 h 12 min."""
    if seconds is None:
        return "-"
    days, rest = divmod(seconds, 86_400)
    hours, minutes = rest // 3600, rest % 3600 // 60
    if days:
        return f"{days} d {hours} h" if hours else f"{days} d"
    if hours:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{minutes} min" if seconds >= 60 else f"{seconds} s"


def many(count: int, thing: str) -> str:
    """1 record, 1,200 records."""
    return f"{count:,} {thing}" if count == 1 else f"{count:,} {thing}s"


def listed(names: Sequence[str], most: int = 3) -> str:
    """The first names and how many more there are."""
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} (+{len(names) - most})"
