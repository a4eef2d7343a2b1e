"""Money, quantities and other numbers, exactly: scale and size are tested on the text before any cast.

(A Polars cast to Decimal rounds silently; one to Float64 loses digits from the 16th on.) Read are plain numbers,
full-width digits, thousands separators in their places, a currency sign, accounting parentheses as minus, and
exponents if the value is exact.
"""

from __future__ import annotations

import re
from decimal import Decimal
from functools import partial

import polars as pl

from mappings.model import Type
from mappings.problems import Text
from mappings.transforms.parts import each, then, where
from mappings.transforms.registry import Options, transform

MONEY_UNREADABLE = "cell.money-unreadable"
QUANTITY_UNREADABLE = "cell.quantity-unreadable"
DECIMAL_UNREADABLE = "cell.decimal-unreadable"
INTEGER_UNREADABLE = "cell.integer-unreadable"

LARGEST = 2**63 - 1
"""What an integer column can hold, in either direction."""


@transform(
    "money",
    Type.MONEY,
    MONEY_UNREADABLE,
    Text("金额(元), 最多四位小数", "An amount in yuan, at most four decimals that are not zero"),
)
def money(cells: pl.Series, options: Options) -> pl.Series:
    """Yuan as text to 1/10,000 yuan."""
    return scaled(cells, 4)


@transform(
    "fen",
    Type.MONEY,
    MONEY_UNREADABLE,
    Text("金额(分)", "An amount in fen, 1/100 yuan, at most two decimals"),
)
def fen(cells: pl.Series, options: Options) -> pl.Series:
    """Fen as text to 1/10,000 yuan."""
    return scaled(cells, 2)


@transform(
    "wan",
    Type.MONEY,
    MONEY_UNREADABLE,
    Text("金额(万元)", "An amount in 10,000 yuan, at most eight decimals"),
)
def wan(cells: pl.Series, options: Options) -> pl.Series:
    """Units of 10,000 yuan as text to 1/10,000 yuan."""
    return scaled(cells, 8)


@transform(
    "quantity",
    Type.QUANTITY,
    QUANTITY_UNREADABLE,
    Text("数量, 最多四位小数", "A number of pieces, at most four decimals that are not zero"),
)
def quantity(cells: pl.Series, options: Options) -> pl.Series:
    """Pieces as text to 1/10,000."""
    return scaled(cells, 4)


@transform(
    "integer",
    Type.INTEGER,
    INTEGER_UNREADABLE,
    Text("整数 (5.0 也是)", "A whole number (5.0 is one)"),
)
def integer(cells: pl.Series, options: Options) -> pl.Series:
    """Whole numbers up to 2^63-1."""
    return scaled(cells, 0)


@transform(
    "decimal",
    Type.DECIMAL,
    DECIMAL_UNREADABLE,
    Text("任意位小数, 不丢位", "A number with any decimals; kept as exact text without needless zeros"),
)
def decimal(cells: pl.Series, options: Options) -> pl.Series:
    """The canonical text of the number: 012.50 is 12.5, -0 is 0, 1.5e3 is 1500. At most 60 digits a side."""
    canonical = where(cells.str.contains(_CANONICAL), cells)
    return then(cells, canonical, lambda left: each(_plain(left), _canonical, pl.String()))


def scaled(cells: pl.Series, places: int) -> pl.Series:
    """value * 10**places as Int64; null if that is not a whole number, too large, or no number."""

    in_parts = partial(_scaled_in_parts, places=places)

    def from_plain(left: pl.Series) -> pl.Series:
        plain = _plain(left)
        return then(plain, in_parts(plain), partial(_scaled_slowly, places=places))

    values = then(cells, _scaled_quickly(cells, places), in_parts)
    return then(cells, values, from_plain)


_CANONICAL = r"^-?[1-9][0-9]{0,59}(?:\.[0-9]{0,59}[1-9])?$|^-?0\.[0-9]{0,59}[1-9]$|^0$"


def _scaled_quickly(cells: pl.Series, places: int) -> pl.Series:
    """Through Float64, which is exact here: the result is whole and below 10^15, so rounding finds it."""
    digits = f"[0-9]{{1,{15 - places}}}"
    shape = rf"^-?{digits}(?:\.[0-9]{{0,{places}}}0*)?$" if places else rf"^-?{digits}(?:\.0*)?$"
    plain = where(cells.str.contains(shape), cells)
    values: pl.Series = (plain.cast(pl.Float64, strict=False) * 10**places).round()
    return values.cast(pl.Int64, strict=False)


def _scaled_in_parts(cells: pl.Series, places: int) -> pl.Series:
    """Whole part and fraction as integers: exact up to 18 digits in the result."""
    shape = rf"^-?[0-9]{{1,{18 - places}}}(?:\.[0-9]{{0,{places}}}0*)?$"
    plain = where(cells.str.contains(shape), cells)
    parts = plain.str.strip_prefix("-").str.split_exact(".", 1).struct
    fraction = parts.field("field_1").fill_null("").str.pad_end(places, "0").str.slice(0, places)
    values: pl.Series = parts.field("field_0").cast(pl.Int64) * 10**places
    if places:
        values += fraction.cast(pl.Int64)
    return values.zip_with(~plain.str.starts_with("-").fill_null(False), -values)


def _scaled_slowly(cells: pl.Series, places: int) -> pl.Series:
    def exactly(cell: str) -> int | None:
        number = _number(cell)
        if number is None:
            return None
        sign, digits, exponent = number.as_tuple()
        whole = int("".join(map(str, digits)))
        shift = int(exponent) + places
        if shift < 0:
            whole, rest = divmod(whole, 10**-shift)
            if rest:
                return None
        else:
            whole *= 10**shift
        return (-whole if sign else whole) if whole <= LARGEST else None

    return each(cells, exactly, pl.Int64())


def _canonical(cell: str) -> str | None:
    number = _number(cell)
    if number is None:
        return None
    text = format(number, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


_NUMBER = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]{1,4})?")


def _number(cell: str) -> Decimal | None:
    """The exact number that a text is; None if it is none, or has more than 60 digits on a side of its point."""
    if len(cell) > 200 or not _NUMBER.fullmatch(cell):
        return None
    number = Decimal(cell)
    if not number:
        return Decimal(0)
    _, digits, exponent = number.as_tuple()
    trailing = len(digits) - len("".join(map(str, digits)).rstrip("0"))
    return number if number.adjusted() < 60 and int(exponent) + trailing >= -60 else None


_WIDE = "０１２３４５６７８９．，－−＋（）￥"
_NARROW = "0123456789.,--+()¥"


def _plain(cells: pl.Series) -> pl.Series:
    """Numbers as people and spreadsheets write them, as plain ones; what is none stays what it was."""
    text = cells.str.strip_chars().str.replace_many(list(_WIDE), list(_NARROW))
    text = text.str.replace(r"^\(\s*([^()+-]+?)\s*\)$", "-$1")
    text = text.str.replace(r"^([-+]?)\s*(?:¥|RMB|CNY|人民币)\s*", "$1")
    text = text.str.replace(r"\s*(?:元|RMB|CNY)$", "").str.replace(r"^\+([0-9.])", "$1")
    return (
        text.to_frame("t")
        .select(
            pl.when(pl.col("t").str.contains(r"^-?[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?$"))
            .then(pl.col("t").str.replace_all(",", "", literal=True))
            .otherwise(pl.col("t"))
        )
        .to_series()
    )
