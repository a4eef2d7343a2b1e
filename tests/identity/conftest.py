"""Raw records, as a source gives them, to what the solver reads."""

import dataclasses

import polars as pl
import pytest

from mappings.identity.digest import Keys
from mappings.identity.normalise import normalise
from mappings.identity.partition import DECISIONS, LINKS, RECORDS, Partition
from mappings.identity.rules import DEFAULT
from mappings.identity.solve import resolve
from mappings.model import IDENTIFIER_KINDS

KEYS = Keys(bytes(range(32)))


@dataclasses.dataclass(frozen=True)
class Known:
    records: pl.DataFrame
    links: pl.DataFrame
    decisions: pl.DataFrame

    def resolve(self, rules=DEFAULT) -> Partition:
        return resolve(self.records, self.links, rules, self.decisions)

    def customers(self, rules=DEFAULT) -> list[set[int]]:
        """The customers as sets of record numbers, in the order of their ids."""
        members = self.resolve(rules).members
        sets = members.group_by("customer_id").agg("record_no").sort("customer_id")
        assert sets["customer_id"].to_list() == sets["record_no"].list.min().to_list()
        return [set(numbers) for numbers in sets["record_no"]]


def know(rows, must_link=(), cannot_link=()) -> Known:
    """From dicts with record_no, connector, name, kind and raw identifiers: phone="138 0001 0001",
    unionid="...", shop_buyer=("...", "shop2"); a list gives several of a kind. unionid's scope is wx."""
    links = [
        (row["record_no"], kind, *_scoped(kind, value, row.get("connector", "erp")))
        for row in rows
        for kind in IDENTIFIER_KINDS
        for value in (row[kind] if isinstance(row.get(kind), list) else [row[kind]] if kind in row else [])
    ]
    schema = {"record_no": pl.Int64, "kind": pl.String, "scope": pl.String, "raw": pl.String}
    raw = pl.DataFrame(links, schema=schema, orient="row")
    classified = [
        pl.concat([part.drop("raw"), normalise(part["raw"], str(kind))], how="horizontal")
        for (kind,), part in raw.group_by("kind")
    ]
    empty = pl.DataFrame(
        schema={**LINKS, "mask": pl.String, "value": pl.String, "reason": pl.String, "digest": pl.Binary}
    )
    protected = [KEYS.protect(part, seal=False).select(empty.columns) for part in classified]
    return Known(
        pl.DataFrame(
            [(row["record_no"], row.get("connector", "erp"), row.get("name"), row.get("kind")) for row in rows],
            schema=RECORDS,
            orient="row",
        ),
        pl.concat([empty, *protected]).filter(pl.col("value").is_not_null()),
        pl.DataFrame(
            [(*pair, "must_link") for pair in must_link] + [(*pair, "cannot_link") for pair in cannot_link],
            schema=DECISIONS,
            orient="row",
        ),
    )


def _scoped(kind, value, connector):
    if isinstance(value, tuple):
        return value[1], value[0]
    return DEFAULT.default_scope(kind, connector) if kind != "unionid" else "wx", value


@pytest.fixture(scope="session", name="know")
def know_fixture():
    return know
