"""What may be shown of an identifier or a name: 138****0001, 张*, z***@qq.com."""

from __future__ import annotations

import polars as pl


def mask(kind: str, value: pl.Expr) -> pl.Expr:
    """The shown form of a normalised value of that kind; never enough of it to be used."""
    if kind == "phone":
        return _phone(value)
    if kind == "email":
        return _email(value)
    return _generic(value)


def mask_name(name: pl.Expr) -> pl.Expr:
    """张三 -> 张*, 欧阳修文 -> 欧***: the first character and one star for each of the others."""
    stripped = name.str.strip_chars()
    # A very long "name" would show its length; nobody's name needs more than four stars.
    stars = (stripped.str.len_chars().cast(pl.Int64) - 1).clip(1, 4)
    return pl.when(stripped.str.len_chars() > 0).then(stripped.str.slice(0, 1) + pl.lit("****").str.slice(0, stars))


def _phone(value: pl.Expr) -> pl.Expr:
    """Chinese numbers without +86, three digits and four; a number that came masked shows as it came."""
    number = value.str.replace(r";ext=\d+$", "")
    local = number.str.replace(r"^\+86(1\d{10})$", "${1}").str.replace(r"^\+86([2-9]|10)", "0${1}")
    return (
        pl.when(value.str.contains("*", literal=True))
        .then(_generic_unless_masked(value))
        .when(local.str.contains(r"^\+?\d{10,}$"))
        .then(local.str.slice(0, 3) + "****" + local.str.slice(-4))
        .otherwise(_generic(local))
    )


def _generic_unless_masked(value: pl.Expr) -> pl.Expr:
    """A value that hides at least four digits already may be shown; one that hides fewer is masked again."""
    return pl.when(value.str.count_matches(r"\*") >= 4).then(value).otherwise(_generic(value))


def _email(value: pl.Expr) -> pl.Expr:
    parts = value.str.extract_groups(r"^(.).*(@.*)$")
    whole = parts.struct.field("1") + "***" + parts.struct.field("2")
    return pl.when(value.str.contains("@", literal=True)).then(whole).otherwise(_generic(value))


def _generic(value: pl.Expr) -> pl.Expr:
    """At most a quarter of the characters on either side, at most four each: never half of the value."""
    shown = (value.str.len_chars() // 4).clip(0, 4).cast(pl.Int64)
    return value.str.slice(0, shown) + "****" + pl.when(shown > 0).then(value.str.tail(shown)).otherwise(pl.lit(""))
