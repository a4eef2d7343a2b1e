"""What resolution reads and answers, as frames with fixed columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import polars as pl

from mappings.problems import Text

IDENTIFIER = ["kind", "scope", "digest"]
"""The columns that name one identifier."""

RECORDS: Mapping[str, pl.DataType] = {
    "record_no": pl.Int64(),
    "connector": pl.String(),
    "name": pl.String(),
    "kind": pl.String(),
}
"""Records that take part: no erased ones. kind is person, company or channel; null counts as person. For a
company or channel, name is its own name."""

LINKS: Mapping[str, pl.DataType] = {
    "record_no": pl.Int64(),
    "kind": pl.String(),
    "scope": pl.String(),
    "digest": pl.Binary(),
    "class": pl.String(),
}
"""Which record carries which identifier. An extra column `mask` is used for proposals and explanations."""

DECISIONS: Mapping[str, pl.DataType] = {"record_a": pl.Int64(), "record_b": pl.Int64(), "kind": pl.String()}
"""Decisions in force, kind must_link or cannot_link. Where both exist for a pair, cannot_link holds."""


class Member(NamedTuple):
    """A record's component (all that hangs together under the caps, before refusals; its smallest record_no)
    and customer (smallest record_no of its set)."""

    record_no: int
    component_id: int
    customer_id: int


MEMBERS: Mapping[str, pl.DataType] = dict.fromkeys(Member._fields, pl.Int64())


class Refused(NamedTuple):
    """Two records that share the identifier (with_name: and the name), or that a must_link names (kind
    must_link, digest empty), and yet were not united.

    `code` is the reason (CODES). against_*: what stands against it: the records of the two customers that
    carry two values of an exclusive identifier, or that a cannot_link names. `open`: waits for a person.
    """

    component_id: int
    record_a: int
    record_b: int
    customer_a: int
    customer_b: int
    kind: str
    scope: str
    digest: bytes
    with_name: bool
    code: str
    against_kind: str
    against_scope: str
    against_a: int | None
    against_b: int | None
    open: bool


REFUSED: Mapping[str, pl.DataType] = {
    "component_id": pl.Int64(),
    "record_a": pl.Int64(),
    "record_b": pl.Int64(),
    "customer_a": pl.Int64(),
    "customer_b": pl.Int64(),
    "kind": pl.String(),
    "scope": pl.String(),
    "digest": pl.Binary(),
    "with_name": pl.Boolean(),
    "code": pl.String(),
    "against_kind": pl.String(),
    "against_scope": pl.String(),
    "against_a": pl.Int64(),
    "against_b": pl.Int64(),
    "open": pl.Boolean(),
}
CODES: Mapping[str, Text] = {
    "exclusive": Text("排他标识不同", "they differ in an exclusive identifier"),
    "cannot_link": Text("已人工确认不是同一客户", "a person decided that they are not the same customer"),
    "ambiguous": Text("这个号码在两位客户之间有冲突", "the identifier stands between two customers"),
    "customer_kind": Text("客户类型不同(个人、公司、渠道)", "they are of different kinds (person, company, channel)"),
    "several_values": Text("一条记录带有多个排他标识", "one record carries several values of an exclusive identifier"),
}


class Capped(NamedTuple):
    """An identifier that more records carry than its kind's cap allows."""

    kind: str
    scope: str
    digest: bytes
    records: int
    cap: int


CAPPED: Mapping[str, pl.DataType] = {
    "kind": pl.String(),
    "scope": pl.String(),
    "digest": pl.Binary(),
    "records": pl.Int64(),
    "cap": pl.Int64(),
}
PROPOSALS: Mapping[str, pl.DataType] = {
    "record_a": pl.Int64(),
    "record_b": pl.Int64(),
    "customer_a": pl.Int64(),
    "customer_b": pl.Int64(),
    "kind": pl.String(),
    "mask": pl.String(),
    "code": pl.String(),
}
"""Two customers that share a weak key (masked phone, or a number without area code) and the full name."""


@dataclass(frozen=True)
class Partition:
    """Who is one customer, as frames of Member, Refused and Capped.

    `members` is sorted by record_no. `refused`: unions that were not made, each with its reason.
    `conflicts`: those that wait for a person, one row per pair of customers (and per record with several
    values of an exclusive identifier), same columns.
    """

    members: pl.DataFrame
    refused: pl.DataFrame
    conflicts: pl.DataFrame
    capped: pl.DataFrame
    proposals: pl.DataFrame
    rules_version: str


def shaped(frame: pl.DataFrame, schema: Mapping[str, pl.DataType], *optional: str) -> pl.DataFrame:
    """The frame's columns of that schema, in order and type; KeyError-like failure if one is missing."""
    kept = [name for name in optional if name in frame.columns]
    return frame.select(*(pl.col(name).cast(dtype) for name, dtype in schema.items()), *kept)
