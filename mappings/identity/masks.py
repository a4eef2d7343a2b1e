"""What may be shown of an identifier or a name: 138****0001, 张*, z***@qq.com."""

from __future__ import annotations

import polars as pl


def mask(kind: str, values: pl.Series) -> pl.Series:
    """The shown form of normalised values of that kind; never enough of one to be used. Null for null."""
    frame = pl.DataFrame({"value": values.cast(pl.String)})
    if kind == "phone":
        return _phone(frame)
    if kind == "email":
        return frame.select(_email(pl.col("value")).alias("mask")).to_series()
    return _generic(frame)


def mask_name(name: pl.Expr) -> pl.Expr:
    """张三 -> 张*, 欧阳修文 -> 欧***: the first character and one star for each of the others."""
    stripped = name.str.strip_chars()
    # A very long "name" would show its length; nobody's name needs more than four stars.
    stars = (stripped.str.len_chars().cast(pl.Int64) - 1).clip(1, 4)
    return pl.when(stripped.str.len_chars() > 0).then(stripped.str.slice(0, 1) + pl.lit("****").str.slice(0, stars))


def _phone(frame: pl.DataFrame) -> pl.Series:
    """Chinese numbers without +86, three digits and four; a number that came masked shows as it came."""
    value = pl.col("value")
    mobile = (value.str.len_bytes() == 14) & value.str.starts_with("+861")
    frame = frame.with_row_index().with_columns(
        mask=pl.when(mobile).then(value.str.slice(3, 3) + "****" + value.str.slice(10))
    )
    odd = frame.filter(pl.col("mask").is_null() & value.is_not_null())
    if odd.height:
        frame = frame.update(odd.select("index", mask=_odd_phone(odd.select("value"))), on="index")
    return frame["mask"]


def _odd_phone(frame: pl.DataFrame) -> pl.Series:
    number = pl.col("value").str.replace(r";ext=\d+$", "")
    local = number.str.replace(r"^\+86(1\d{10})$", "${1}").str.replace(r"^\+86([2-9]|10)", "0${1}")
    frame = frame.with_columns(local=local, generic=_generic(frame))
    whole = pl.col("local").str.contains(r"^\+?\d{10,}$")
    # A value that hides at least four digits already may be shown; one that hides fewer is masked again.
    hidden = pl.col("value").str.count_matches(r"\*") >= 4
    three_and_four = pl.col("local").str.slice(0, 3) + "****" + pl.col("local").str.slice(-4)
    shown = pl.when(hidden).then("value").when(whole).then(three_and_four).otherwise("generic")
    return frame.select(shown.alias("mask")).to_series()


def _email(value: pl.Expr) -> pl.Expr:
    address = value.str.replace(r"^(.).*(@.*)$", "${1}***${2}")
    return pl.when(value.str.contains("@", literal=True)).then(address).when(value.is_not_null()).then(pl.lit("****"))


def _generic(frame: pl.DataFrame) -> pl.Series:
    """At most a quarter of the characters on either side, at most four each: never half of the value."""
    shown = frame.with_columns(shown=(pl.col("value").str.len_chars() // 4).clip(0, 4).cast(pl.Int64))
    value, length = pl.col("value"), pl.col("shown")
    last = pl.when(length > 0).then(value.str.tail(length)).otherwise(pl.lit(""))
    return shown.select(pl.concat_str(value.str.head(length), pl.lit("****"), last).alias("mask")).to_series()
