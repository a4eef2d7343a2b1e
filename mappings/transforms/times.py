"""Times and days: ISO 8601, what databases and spreadsheets write, and unix times.

A time without an offset is Beijing time (UTC+8 all year since 1992). Times are microseconds UTC; further digits
of a fraction are cut off. Impossible dates (2026-02-30, 0000-00-00) and years that no shop has known are
unreadable: they are placeholders, or seconds taken for milliseconds.
"""

from __future__ import annotations

import re

import polars as pl

from mappings.model import Type
from mappings.problems import Text
from mappings.transforms.numbers import scaled
from mappings.transforms.parts import then, where
from mappings.transforms.registry import Options, transform

TIME_UNREADABLE = "cell.time-unreadable"
DAY_UNREADABLE = "cell.day-unreadable"

SECOND = 1_000_000
BEIJING = 8 * 3600 * SECOND
"""What is added to UTC, in microseconds."""

_DAY = 86_400 * SECOND
_YEAR_1800 = -5_364_662_400 * SECOND
_YEAR_1900 = -2_208_988_800 * SECOND
_YEAR_1980 = 315_532_800 * SECOND
_YEAR_2200 = 7_258_118_400 * SECOND


@transform(
    "time",
    Type.TIME,
    TIME_UNREADABLE,
    Text(
        "时间: ISO 8601、2026-01-31 12:00[:00]、2026/1/31、20260131120000、10 位或 13 位时间戳; 无时区即北京时间",
        "A time: ISO 8601, 2026-01-31 12:00[:00], 2026/1/31, 20260131120000, unix time of 10 or 13 digits;"
        " Beijing time unless it has an offset",
    ),
)
def time(cells: pl.Series, options: Options) -> pl.Series:
    """Microseconds UTC, of the years 1900 to 2199."""
    return _within(_microseconds(cells), _YEAR_1900)


@transform(
    "unix_s",
    Type.TIME,
    TIME_UNREADABLE,
    Text("时间戳(秒), 1980 年起", "Seconds since 1970, from 1980 on; a fraction is kept to the microsecond"),
)
def unix_s(cells: pl.Series, options: Options) -> pl.Series:
    """Microseconds UTC of unix seconds."""
    return _within(scaled(cells, 6), _YEAR_1980)


@transform(
    "unix_ms",
    Type.TIME,
    TIME_UNREADABLE,
    Text("时间戳(毫秒), 1980 年起", "Milliseconds since 1970, from 1980 on"),
)
def unix_ms(cells: pl.Series, options: Options) -> pl.Series:
    """Microseconds UTC of unix milliseconds."""
    return _within(scaled(cells, 3), _YEAR_1980)


@transform(
    "day",
    Type.DAY,
    DAY_UNREADABLE,
    Text("日期; 写成时间的取北京时间当天", "A day; of a time, its day in Beijing. Years 1800 to 2199"),
)
def day(cells: pl.Series, options: Options) -> pl.Series:
    """YYYY-MM-DD."""
    dates = where(cells.str.contains(r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"), cells)
    quick = _as_day(dates.str.to_datetime("%Y-%m-%d", time_unit="us", strict=False, cache=False).cast(pl.Int64))
    return then(cells, quick, lambda left: _as_day(_microseconds(left) + BEIJING))


def _as_day(local: pl.Series) -> pl.Series:
    return _within(local, _YEAR_1800).cast(pl.Datetime("us")).dt.strftime("%Y-%m-%d")


def _within(times: pl.Series, first: int) -> pl.Series:
    return where(times.is_between(first, _YEAR_2200, closed="left"), times)


def _microseconds(cells: pl.Series) -> pl.Series:
    """Microseconds UTC of each cell that is a time in any known form."""
    first = cells.drop_nulls().head(1).to_list()
    separators = ("T", " ") if first and first[0][10:11] == "T" else (" ", "T")
    values = _written_out(cells, separators[0])
    values = then(cells, values, lambda left: _written_out(left, separators[1]))
    return then(cells, values, lambda left: _otherwise(left.str.strip_chars()))


_CLOCK = "(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"


def _written_out(cells: pl.Series, separator: str) -> pl.Series:
    """Times with all their digits: 2026-01-31 12:00:00, and a fraction or offset that is one of a few."""
    shape = rf"^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}{separator}{_CLOCK}(?:[.+Z-][0-9.:+Z-]*)?$"
    fitting = where(cells.str.contains(shape), cells)
    if fitting.null_count() == fitting.len():
        return pl.repeat(None, cells.len(), dtype=pl.Int64, eager=True)
    local = fitting.str.slice(0, 19).str.to_datetime(
        f"%Y-%m-%d{separator}%H:%M:%S", time_unit="us", strict=False, cache=False
    )
    moments = local.cast(pl.Int64)
    endings = fitting.str.slice(19)
    kinds = endings.unique().drop_nulls()
    if kinds.len() > 64:  # fractions: as many as there are times
        fraction = endings.str.extract(r"^\.([0-9]{1,9})(?:[^0-9]|$)").str.pad_end(6, "0").str.slice(0, 6)
        moments += fraction.cast(pl.Int64).fill_null(0)
        endings = endings.str.replace(r"^\.[0-9]{1,9}", "")
        kinds = endings.unique().drop_nulls()
    shifts = pl.Series([_shift(ending) for ending in kinds.to_list()], dtype=pl.Int64)
    if kinds.len() == 1 and shifts.null_count() == 0:
        moments += shifts[0]
    else:
        moments += endings.replace_strict(kinds, shifts, default=None)
    return moments


_ENDING = re.compile(r"(?:\.([0-9]{1,9}))?(?:(Z)|([+-])([0-9]{2}):?([0-5][0-9])?)?")


def _shift(ending: str) -> int | None:
    """Microseconds from the digits of a time, taken as UTC, to the moment it means."""
    found = _ENDING.fullmatch(ending)
    if found is None:
        return None
    fraction, utc, sign, hours, minutes = found.groups()
    shift = int((fraction or "").ljust(6, "0")[:6])
    if utc:
        return shift
    if sign is None:
        return shift - BEIJING
    if int(hours) > 14:
        return None
    offset = (int(hours) * 3600 + int(minutes or 0) * 60) * SECOND
    return shift - offset if sign == "+" else shift + offset


_PARTS = (
    r"^(?P<year>[0-9]{4})(?:[-/.年](?P<month>[0-9]{1,2})[-/.月](?P<day>[0-9]{1,2})日?|(?P<monthday>[0-9]{4}))"
    r"(?:(?:T|\s+)?(?P<hour>[0-9]{1,2})[:时](?P<minute>[0-9]{1,2})(?:[:分](?P<second>[0-9]{1,2})?秒?)?"
    r"|(?:T|\s*)(?P<clock>[0-9]{6}))?"
    r"(?:[.,](?P<fraction>[0-9]{1,9}))?\s*(?P<offset>Z|z|UTC|[+-][0-9]{2}(?::?[0-9]{2})?)?$"
)


def _otherwise(cells: pl.Series) -> pl.Series:
    """Unix times and whatever else can be read without a guess."""
    unix = _unix(cells)
    return then(cells, unix, _from_parts)


def _unix(cells: pl.Series) -> pl.Series:
    seconds = where(cells.str.contains(r"^[0-9]{10}$"), cells).cast(pl.Int64, strict=False) * SECOND
    milliseconds = where(cells.str.contains(r"^[0-9]{13}$"), cells).cast(pl.Int64, strict=False) * 1000
    return seconds.zip_with(seconds.is_not_null(), milliseconds)


def _from_parts(cells: pl.Series) -> pl.Series:
    part = {name: pl.col("parts").struct.field(name) for name in _GROUPS}

    def two(name: str, otherwise: pl.Expr) -> pl.Expr:
        return pl.coalesce(part[name].str.zfill(2), otherwise)

    clock, monthday = part["clock"], part["monthday"]
    zero = pl.lit("00")
    canonical = pl.concat_str(
        part["year"],
        pl.lit("-"),
        two("month", monthday.str.slice(0, 2)),
        pl.lit("-"),
        two("day", monthday.str.slice(2, 2)),
        pl.lit(" "),
        two("hour", pl.coalesce(clock.str.slice(0, 2), zero)),
        pl.lit(":"),
        two("minute", pl.coalesce(clock.str.slice(2, 2), zero)),
        pl.lit(":"),
        two("second", pl.coalesce(clock.str.slice(4, 2), zero)),
    )
    fraction = pl.coalesce(part["fraction"].str.pad_end(6, "0").str.slice(0, 6).cast(pl.Int64), pl.lit(0))
    offset = part["offset"].str.replace_all(":", "")
    minutes = pl.coalesce(offset.str.slice(3, 2).replace("", "0").cast(pl.Int64, strict=False), pl.lit(0))
    hours = offset.str.slice(1, 2).cast(pl.Int64, strict=False)
    shift = (
        pl.when(offset.is_null())
        .then(pl.lit(BEIJING))
        .when(offset.is_in(["Z", "z", "UTC"]))
        .then(pl.lit(0))
        .when((hours > 14) | (minutes > 59))
        .then(pl.lit(None, dtype=pl.Int64))
        .when(offset.str.starts_with("-"))
        .then(-(hours * 60 + minutes) * 60 * SECOND)
        .otherwise((hours * 60 + minutes) * 60 * SECOND)
    )
    frame = cells.to_frame("cell").select(pl.col("cell").str.extract_groups(_PARTS).alias("parts"))
    text = pl.when(canonical.str.contains(rf"^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}} {_CLOCK}$")).then(canonical)
    local = text.str.to_datetime("%Y-%m-%d %H:%M:%S", time_unit="us", strict=False).cast(pl.Int64)
    return frame.select((local + fraction - shift).alias("time")).to_series()


_GROUPS = ("year", "month", "day", "monthday", "hour", "minute", "second", "clock", "fraction", "offset")
