"""Text, ids, choices, flags, JSON: what is words and not numbers."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import polars as pl

from mappings import exactjson
from mappings.model import Type
from mappings.problems import Text
from mappings.transforms.parts import each, left_over, then
from mappings.transforms.registry import Converted, Option, Options, transform

ID_DAMAGED = "cell.id-damaged"
CONTROL_CHARACTER = "cell.control-character"
CHOICE_UNKNOWN = "cell.choice-unknown"
FLAG_UNREADABLE = "cell.flag-unreadable"
TEXT_UNREADABLE = "cell.text-unreadable"

KEEP_NULL = "keep-null-with-reason"
KEEP_TEXT = "keep-text"

_WORDS = (Type.TEXT, Type.ID, Type.CHOICE)
_CONTROL = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]"
_DAMAGED = r"^[+-]?[0-9]\.[0-9]+[eE]\+?[0-9]{1,3}$|^[+-]?[0-9]E\+[0-9]{2,3}$"
"""What spreadsheets make of long numbers: 1.23457E+18, 1E+15. (3E10 is a code like any other.)"""


@transform(
    "text",
    (Type.TEXT, Type.ID),
    TEXT_UNREADABLE,
    Text("文字: 去首尾空白和控制字符", "Text without surrounding space; control characters are left out and counted"),
)
def text(cells: pl.Series, options: Options) -> Converted:
    """Trimmed text; tabs and line breaks inside it stay."""
    removed = 0
    if cells.str.contains(_CONTROL).any():
        removed = int(cells.str.count_matches(_CONTROL).sum())
        cells = cells.str.replace_all(_CONTROL, "")
    return Converted(_trimmed(cells), removed)


def _why_no_id(cell: str) -> str:
    return CONTROL_CHARACTER if re.search(_CONTROL, cell) else ID_DAMAGED


@transform(
    "id",
    (Type.ID, Type.TEXT),
    ID_DAMAGED,
    Text(
        "编号: 保留前导零, 去掉 Excel 的前导撇号; 1.23E+18 报错",
        "An id as text: leading zeros stay, Excel's leading apostrophe goes, 1.23E+18 is damage",
    ),
    explain=_why_no_id,
)
def identifier(cells: pl.Series, options: Options) -> pl.Series:
    """Trimmed text that is neither damaged nor contains control characters."""
    ids = _trimmed(cells)
    if ids.str.starts_with("'").any():
        ids = _trimmed(ids.str.replace(r"^'+([^'])", "$1"))
    if ids.str.contains(f"{_DAMAGED}|{_CONTROL}").any():
        ids = ids.set(ids.str.contains(f"{_DAMAGED}|{_CONTROL}"), None)
    return ids


@transform("upper", _WORDS, TEXT_UNREADABLE, Text("转大写", "In capitals"))
def upper(cells: pl.Series, options: Options) -> pl.Series:
    """Capitals."""
    return _trimmed(cells).str.to_uppercase()


@transform("lower", _WORDS, TEXT_UNREADABLE, Text("转小写", "In small letters"))
def lower(cells: pl.Series, options: Options) -> pl.Series:
    """Small letters."""
    return _trimmed(cells).str.to_lowercase()


@transform(
    "digits",
    (Type.TEXT, Type.ID),
    TEXT_UNREADABLE,
    Text("只留数字", "The digits alone; a cell without any is unreadable"),
)
def digits(cells: pl.Series, options: Options) -> pl.Series:
    """138-0000 0001 is 13800000001."""
    return _or_null(cells.str.replace_all(r"[^0-9]", ""))


@transform(
    "strip_prefix",
    (Type.TEXT, Type.ID),
    TEXT_UNREADABLE,
    Text("去掉前缀", "Without a prefix, if it is there; a cell that is nothing else is unreadable"),
    options=(Option("prefix", "text", Text("要去掉的前缀", "What to take off"), required=True),),
)
def strip_prefix(cells: pl.Series, options: Options) -> pl.Series:
    """TB-123 is 123 with prefix TB-."""
    return _or_null(_trimmed(cells).str.strip_prefix(options["prefix"]))


@transform(
    "strip_suffix",
    (Type.TEXT, Type.ID),
    TEXT_UNREADABLE,
    Text("去掉后缀", "Without a suffix, if it is there; a cell that is nothing else is unreadable"),
    options=(Option("suffix", "text", Text("要去掉的后缀", "What to take off"), required=True),),
)
def strip_suffix(cells: pl.Series, options: Options) -> pl.Series:
    """123.0 is 123 with suffix .0."""
    return _or_null(_trimmed(cells).str.strip_suffix(options["suffix"]))


@transform(
    "choice",
    (Type.CHOICE, Type.TEXT),
    CHOICE_UNKNOWN,
    Text("按对照表取值", "One of a list: the source's words on the left, ours on the right"),
    options=(
        Option("choices", "map", Text("来源值: 我们的值", "The source's value: ours")),
        Option(
            "other",
            "text",
            Text(
                "其他值: keep-null-with-reason (默认)、keep-text, 或一个固定值",
                "What others become: keep-null-with-reason (the default), keep-text, or one fixed value",
            ),
        ),
    ),
)
def choice(cells: pl.Series, options: Options) -> pl.Series:
    """The values of `closed` also stand for themselves."""
    table = {value: value for value in options.get("closed", ())} | dict(options.get("choices", {}))
    values = _looked_up(cells, table, pl.String())
    values = then(cells, values, lambda left: _looked_up(left.str.strip_chars(), table, pl.String()))
    other = options.get("other", KEEP_NULL)
    if other == KEEP_NULL or (positions := left_over(cells, values)) is None:
        return values
    rest = _trimmed(cells.gather(positions))
    if other != KEEP_TEXT:
        rest = rest.to_frame("r").select(pl.when(pl.col("r").is_not_null()).then(pl.lit(other)))["literal"]
    return values.scatter(positions, rest)


_YES = ("1", "true", "t", "yes", "y", "on", "是", "真", "有", "1.0")
_NO = ("0", "false", "f", "no", "n", "off", "否", "假", "无", "0.0")


@transform(
    "flag",
    (Type.FLAG, Type.INTEGER),
    FLAG_UNREADABLE,
    Text("是/否", "Yes or no: 是/否, true/false, yes/no, Y/N, 1/0; or the words given"),
    options=(
        Option("true", "list", Text("表示是的值 (替代默认)", "What means yes, instead of the usual words")),
        Option("false", "list", Text("表示否的值 (替代默认)", "What means no, instead of the usual words")),
    ),
)
def flag(cells: pl.Series, options: Options) -> pl.Series:
    """1 or 0."""
    own = "true" in options or "false" in options
    yes, no = (options.get("true", ()), options.get("false", ())) if own else (_YES, _NO)
    table = {word.lower(): 0 for word in no} | {word.lower(): 1 for word in yes}
    values = _looked_up(cells, table, pl.Int64())
    return then(
        cells,
        values,
        lambda left: _looked_up(left.str.strip_chars().str.to_lowercase(), table, pl.Int64()),
    )


@transform(
    "json",
    (Type.JSON, Type.TEXT),
    TEXT_UNREADABLE,
    Text("JSON 文本: 嵌套值原样保留, 其他作为字符串", "JSON text: nested values as they are, others as a string"),
)
def as_json(cells: pl.Series, options: Options) -> pl.Series:
    """Compact JSON of each cell that is not blank."""
    return each(_trimmed(cells), lambda cell: exactjson.encode(nested(cell)).decode(), pl.String())


def nested(cell: str) -> Any:
    """The value of a cell that is a JSON object or list, ready to be written; else its text."""
    if cell.startswith(("{", "[")):
        try:
            return msgspec.Raw(exactjson.encode(exactjson.whole(exactjson.decode_plain(cell))[0]))
        except (ValueError, RecursionError):
            return cell
    return cell


def _looked_up(cells: pl.Series, table: dict[str, Any], dtype: pl.DataType) -> pl.Series:
    if not table:
        return pl.repeat(None, cells.len(), dtype=dtype, eager=True)
    old, new = pl.Series(list(table), dtype=pl.String), pl.Series(list(table.values()), dtype=dtype)
    return cells.replace_strict(old, new, default=None, return_dtype=dtype)


def _trimmed(cells: pl.Series) -> pl.Series:
    return _or_null(cells.str.strip_chars())


def _or_null(cells: pl.Series) -> pl.Series:
    """Empty text as null."""
    empty = cells == ""
    return cells.set(empty, None) if empty.any() else cells
