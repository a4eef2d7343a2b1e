"""Writes numbers, shares, durations and times the way the report says them.

No figure is ever prettier than the truth: a share is cut, not rounded, so that 98.996 % never reads as the
99 % it missed; 100 % stands only where nothing is missing, and a rate of failure is never rounded down to 0.
None is 无数据 everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal

from jinja2 import Undefined

NO_DATA = "无数据"
NOT_GIVEN = "—"
"""For what a source cannot give, as against what it did not give today."""

WAN = 10_000
YI = 100_000_000
SHORTEN_FROM = 1_000_000


def is_missing(value: object) -> bool:
    """Whether a report says nothing here. A key that a report lacks reads like null."""
    return value is None or isinstance(value, Undefined)


def number(value: int | None) -> str:
    """12,840."""
    return NO_DATA if is_missing(value) else f"{value:,}"


def short_number(value: int | None) -> str:
    """12,840, from a million on 128.40 万, then 1.28 亿, for places where a long number would not fit."""
    if value is None or is_missing(value) or abs(value) < SHORTEN_FROM:
        return number(value)
    unit, word = (YI, "亿") if abs(value) >= YI else (WAN, "万")
    return f"{(Decimal(value) / unit).quantize(Decimal('0.01'), ROUND_HALF_UP):,} {word}"


def yuan(value: str | None) -> str:
    """¥ 12,840.50 from the exact decimal text of an amount."""
    if value is None or is_missing(value):
        return NO_DATA
    amount = Decimal(value).quantize(Decimal("0.01"), ROUND_HALF_UP)
    return f"{'−' if amount < 0 else ''}¥{abs(amount):,}"


def percent(share: Mapping[str, int] | None, digits: int = 2) -> str:
    """The good part of a share, cut after `digits`; nothing judged (total 0) is no data, not 0 %."""
    if share is None or not has_total(share):
        return NO_DATA
    good, total = share["good"], share["total"]
    if good >= total:
        return "100%"
    scale = 10**digits
    cut = good * 100 * scale // total
    if cut == 0:
        return "0%" if good <= 0 else f"<{_plain(Decimal(1) / scale)}%"
    return f"{_plain(Decimal(cut) / scale)}%"


def rate(part: int | None, total: int | None, digits: int = 2) -> str:
    """The bad part of a total, raised to the next of `digits`: the mirror of percent()."""
    if part is None or total is None or is_missing(part) or is_missing(total) or total <= 0:
        return NO_DATA
    scale = 10**digits
    raised = -(-part * 100 * scale // total)
    if raised >= 100 * scale and part < total:
        raised = 100 * scale - 1
    return f"{_plain(Decimal(raised) / scale)}%"


def has_total(share: Mapping[str, int] | None) -> bool:
    """Whether there was anything to judge."""
    return share is not None and not is_missing(share) and not is_missing(share.get("total")) and share["total"] > 0


def limit(value: float | None) -> str:
    """99.5% from 0.995, exactly as somebody wrote it."""
    return NO_DATA if is_missing(value) else f"{_plain(Decimal(str(value)) * 100)}%"


def _plain(value: Decimal) -> str:
    """Without trailing zeros and without an exponent."""
    return f"{value.normalize():f}"


def duration(seconds: float | None) -> str:
    """48 秒, 9 分 40 秒, 2 小时 5 分, 3 天 4 小时: the two largest units. Part of a second counts as one."""
    if seconds is None or is_missing(seconds):
        return NO_DATA
    left = int(-(-seconds // 1))
    for size, unit, rest_size, rest_unit in (
        (86_400, "天", 3_600, "小时"),
        (3_600, "小时", 60, "分"),
        (60, "分", 1, "秒"),
    ):
        if left >= size:
            rest = left % size // rest_size
            alone = "分钟" if unit == "分" else unit
            return f"{left // size} {unit} {rest} {rest_unit}" if rest else f"{left // size} {alone}"
    return f"{left} 秒"


def moment(value: str | None) -> str:
    """2026-11-21 17:05, in the offset in which the report writes it."""
    return NO_DATA if value is None or is_missing(value) else f"{_at(value):%Y-%m-%d %H:%M}"


def day(value: str | None) -> str:
    """2026-11-21."""
    return NO_DATA if value is None or is_missing(value) else f"{_at(value):%Y-%m-%d}"


def hour(value: str | None) -> str:
    """17:00."""
    return NO_DATA if value is None or is_missing(value) else f"{_at(value):%H}:00"


def beside(value: str | None, now: str) -> str:
    """今天, 明天, 昨天 or nothing: how a day stands to the report's own."""
    if value is None or is_missing(value):
        return ""
    return {0: "今天", 1: "明天", -1: "昨天"}.get((_at(value).date() - _at(now).date()).days, "")


def seconds_between(earlier: str | None, later: str) -> float | None:
    """How long before `later` it was; negative where it is still to come."""
    return None if earlier is None or is_missing(earlier) else (_at(later) - _at(earlier)).total_seconds()


def _at(value: str) -> datetime:
    return datetime.fromisoformat(value)


_MOBILE = re.compile(r"(?<![0-9A-Za-z])((?:\+?86[- ]?)?1[3-9]\d)[- ]?(\d{4})[- ]?(\d{4})(?![0-9A-Za-z])")
_EMAIL = re.compile(r"(?<![\w.+-])(\w)[\w.+-]*(@[\w-]+(?:\.[\w-]+)+)")


def masked(value: str) -> str:
    """The text with what looks like a mobile number or an e-mail address masked: 138****0001.

    report.json is masked where it is made. This is the second lock: many a member number *is* a phone number.
    """
    return _EMAIL.sub(r"\1***\2", _MOBILE.sub(r"\1****\3", value))
