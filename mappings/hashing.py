"""Says with 16 bytes whether the content of a row changed.

The digest is BLAKE2b-128 over the names and values of the columns that are not null, in the order of the model.
It depends on nothing else: not on the platform, not on versions of libraries, not on columns that the model gains
later and that a row leaves empty. Empty text is a value and differs from null.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import polars as pl

from mappings.model import Field

DIGEST_BYTES = 16

_END = "\x00"
_ESCAPE = "\x01"
_PLAIN = [_ESCAPE, _END]
_ESCAPED = [_ESCAPE + "b", _ESCAPE + "a"]


def content_hash(frame: pl.DataFrame, fields: Sequence[Field]) -> pl.Series:
    """The digest of each row's `fields`, as Binary. A field without a column counts as null.

    Every value is written as name=value and ended by NUL; a NUL inside a value is escaped, so that no two
    contents are written alike. Numbers are decimal text.
    """
    written = [
        pl.concat_str(pl.lit(f"{field.name}="), _value(frame[field.name]), pl.lit(_END))
        for field in fields
        if field.name in frame.columns and frame[field.name].null_count() < frame.height
    ]
    if not written:
        return pl.Series("content_hash", [_digest(b"")] * frame.height, dtype=pl.Binary)
    contents = frame.select(pl.concat_str(written, ignore_nulls=True).cast(pl.Binary).alias("c"))["c"]
    return pl.Series("content_hash", [_digest(content) for content in contents.to_list()], dtype=pl.Binary)


def _value(column: pl.Series) -> pl.Expr:
    value = pl.col(column.name)
    if column.dtype != pl.String:
        return value.cast(pl.String)
    if column.str.contains(f"[{_END}{_ESCAPE}]").any():
        return value.str.replace_many(_PLAIN, _ESCAPED)
    return value


def _digest(content: bytes) -> bytes:
    return blake2b(content, digest_size=DIGEST_BYTES).digest()
