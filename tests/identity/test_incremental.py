"""Incremental resolution answers what a full one answers, whatever happened and in whatever portions."""

import hashlib

import hypothesis.strategies as st
import polars as pl
from hypothesis import given, settings
from polars.testing import assert_frame_equal

from mappings.identity.graph import Identifier, MemoryGraph
from mappings.identity.incremental import Change, resolve_incremental
from mappings.identity.partition import CAPPED, DECISIONS, IDENTIFIER, LINKS, MEMBERS, RECORDS, REFUSED
from mappings.identity.rules import KindRule, Rules
from mappings.identity.solve import resolve

SMALL_CAPS = Rules(
    (
        KindRule("unionid", exclusive=True, cap=4),
        KindRule("openid", cap=4),
        KindRule("customer_no", joins=("person", "company", "channel"), cap=4),
        KindRule("phone", joins_with_name=("company",), cap=3, with_name=True, name_cap=3),
        KindRule("email", cap=2, with_name=True, name_cap=2),
    )
)
"""Caps that a handful of records cross."""


def digest(kind: str, scope: str, value: str) -> bytes:
    return hashlib.blake2b(f"{kind}/{scope}/{value}".encode(), digest_size=16).digest()


class Store:
    """Keeps what a store keeps: records, links, decisions, and the last resolution."""

    def __init__(self):
        self.people = {}  # record_no -> (name, kind, {(identifier kind, scope, value), ...})
        self.decisions = set()  # (record_a, record_b, kind)
        self.members = pl.DataFrame(schema=MEMBERS)
        self.refused = pl.DataFrame(schema=REFUSED)
        self.conflicts = pl.DataFrame(schema=REFUSED)
        self.capped = pl.DataFrame(schema=CAPPED)

    def records(self, numbers=None):
        rows = [(n, "erp", p[0], p[1]) for n, p in self.people.items() if numbers is None or n in numbers]
        return pl.DataFrame(rows, schema=RECORDS, orient="row")

    def links(self, numbers=None):
        rows = [
            (n, kind, scope, digest(kind, scope, value), "usable" if value[0] != "*" else "masked")
            for n, person in self.people.items()
            if numbers is None or n in numbers
            for kind, scope, value in person[2]
        ]
        return pl.DataFrame(rows, schema=LINKS, orient="row")

    def decided(self):
        return pl.DataFrame(list(self.decisions), schema=DECISIONS, orient="row")

    def apply(self, people, toggled):
        """Changes records (None removes one) and makes or withdraws decisions; tells what changed."""
        numbers = {*people, *(n for a, b, _ in toggled for n in (a, b))}
        names = {n: self.people[n][0] for n in numbers if n in self.people}
        links = [(row[0], Identifier(*row[1:4])) for row in self.links(numbers).iter_rows() if row[4] == "usable"]
        for number, person in people.items():
            if person is None:
                self.people.pop(number, None)
            else:
                self.people[number] = person
        self.decisions ^= set(toggled)
        return Change.of(numbers, names, links)

    def graph(self):
        return MemoryGraph(self.records(), self.links(), self.decided(), self.members)

    def resolve(self, change, rules):
        answer = resolve_incremental(self.graph(), change, rules)
        gone = {*answer.vanished_components, *(member.component_id for member in answer.members)}
        for name, schema in (("members", MEMBERS), ("refused", REFUSED), ("conflicts", REFUSED)):
            kept = getattr(self, name).filter(~pl.col("component_id").is_in(gone))
            new = pl.DataFrame(getattr(answer, name), schema=schema, orient="row")
            setattr(self, name, pl.concat([kept, new]))
        kept = [row for row in self.capped.rows() if Identifier(*row[:3]) not in answer.checked]
        self.capped = pl.DataFrame(kept + answer.capped, schema=CAPPED, orient="row")
        return answer


def assert_same(store, full):
    assert_frame_equal(store.members.sort("record_no"), full.members)
    key = ["component_id", "record_a", "record_b", "kind", "scope", "digest"]
    assert_frame_equal(store.refused.sort(key), full.refused.sort(key))
    assert_frame_equal(store.conflicts.sort(key), full.conflicts.sort(key))
    assert_frame_equal(store.capped.sort(IDENTIFIER), full.capped)


IDENTIFIERS = st.sampled_from(
    [
        *[("unionid", "wx", v) for v in "ABC"],
        ("unionid", "other", "A"),
        *[("openid", "oa", v) for v in "ABC"],
        ("customer_no", "erp", "K1"),
        *[("phone", "", v) for v in "1234"],
        ("phone", "", "*"),
        *[("email", "", v) for v in "12"],
    ]
)
PERSON = st.tuples(
    st.sampled_from([None, "张三", "李四", "王先生"]),
    st.sampled_from([None, "person", "person", "person", "company", "channel"]),
    st.frozensets(IDENTIFIERS, max_size=4),
)
NUMBER = st.integers(1, 12)
DECISION = st.tuples(NUMBER, NUMBER, st.sampled_from(["must_link", "cannot_link"]))
BATCH = st.tuples(
    st.dictionaries(NUMBER, st.one_of(PERSON, PERSON, PERSON, st.none()), max_size=8), st.sets(DECISION, max_size=2)
)


@settings(max_examples=80, deadline=None)
@given(st.lists(BATCH, min_size=1, max_size=5))
def test_incremental_resolution_is_full_resolution(batches):
    store = Store()
    for people, toggled in batches:
        store.resolve(store.apply(people, toggled), SMALL_CAPS)
        assert_same(store, resolve(store.records(), store.links(), SMALL_CAPS, store.decided()))


@settings(max_examples=40, deadline=None)
@given(st.lists(BATCH, min_size=1, max_size=3), st.data())
def test_every_way_to_cut_the_same_changes_into_batches_ends_the_same(batches, data):
    people = {n: p for batch in batches for n, p in batch[0].items() if p is not None}
    decisions = {d for batch in batches for d in batch[1]}
    ends = []
    for _ in range(2):
        store, left = Store(), data.draw(st.permutations(sorted(people)))
        waiting = data.draw(st.permutations(sorted(decisions)))
        while left or waiting:
            size = data.draw(st.integers(1, 6))
            portion = {number: people[number] for number in left[:size]}
            store.resolve(store.apply(portion, set(waiting[:size])), SMALL_CAPS)
            left, waiting = left[size:], waiting[size:]
        ends.append(store)
    assert_frame_equal(ends[0].members.sort("record_no"), ends[1].members.sort("record_no"))
    key = ["component_id", "record_a", "record_b", "kind", "scope", "digest"]
    assert_frame_equal(ends[0].refused.sort(key), ends[1].refused.sort(key))
