"""Amounts as explanations and tables show them."""

from __future__ import annotations

import polars as pl

from mappings.model import MONEY_SCALE


def yuan(amount: pl.Expr) -> pl.Expr:
    """Stored money (1/10,000 yuan) as "1234.50"; a rest below a fen shows all four decimals."""
    size = amount.abs()
    fen, rest = size % MONEY_SCALE // 100, size % 100
    sign = pl.when(amount < 0).then(pl.lit("-")).otherwise(pl.lit(""))
    decimals = fen.cast(pl.String).str.zfill(2)
    decimals = pl.when(rest == 0).then(decimals).otherwise(decimals + rest.cast(pl.String).str.zfill(2))
    return pl.format("{}{}.{}", sign, size // MONEY_SCALE, decimals)
