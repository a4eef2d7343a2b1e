"""Incremental resolution answers what a full one answers, whatever happened and in whatever portions."""

import dataclasses
import hashlib

import hypothesis.strategies as st
import polars as pl
import pytest
from hypothesis import given
from polars.testing import assert_frame_equal

from mappings.identity.graph import Identifier, MemoryGraph
from mappings.identity.incremental import Change, resolve_incremental, touched
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


IDENTIFIERS = [
    *(("unionid", "wx", value) for value in "ABC"),
    ("unionid", "other", "A"),
    *(("openid", "oa", value) for value in "AB"),
    ("customer_no", "erp", "K1"),
    *(("phone", "", value) for value in "1234"),
    ("phone", "", "*"),
    *(("email", "", value) for value in "12"),
]
NUMBER = st.integers(1, 12)
DECISION = st.tuples(NUMBER, NUMBER, st.sampled_from(["must_link", "cannot_link", "cannot_link"]))


@st.composite
def histories(draw):
    """A first load of a few records that share few identifiers, then small changes of any sort."""
    identifiers = draw(st.lists(st.sampled_from(IDENTIFIERS), min_size=1, max_size=5, unique=True))
    names = draw(st.sampled_from([["张三"], ["张三", "李四"], [None, "张三", "李四", "王先生"]]))
    kinds = draw(st.sampled_from([["person"], [None, "person", "company"], ["company"], ["person", "channel"]]))
    person = st.tuples(
        st.sampled_from(names),
        st.sampled_from(kinds),
        st.frozensets(st.sampled_from(identifiers), max_size=draw(st.integers(1, 3))),
    )
    first = draw(st.dictionaries(NUMBER, person, min_size=4, max_size=12))
    change = st.tuples(
        st.dictionaries(NUMBER, st.one_of(person, person, st.none()), max_size=3),
        st.one_of(st.just(set()), st.sets(DECISION, max_size=2)),
    )
    return [(first, set()), *draw(st.lists(change, min_size=1, max_size=6))]


@given(histories())
def test_incremental_resolution_is_full_resolution(history):
    store = Store()
    for people, toggled in history:
        store.resolve(store.apply(people, toggled), SMALL_CAPS)
        assert_same(store, resolve(store.records(), store.links(), SMALL_CAPS, store.decided()))


@given(histories(), st.data())
def test_every_way_to_cut_the_same_changes_into_batches_ends_the_same(history, data):
    people = {number: person for change, _ in history for number, person in change.items() if person is not None}
    decisions = {decision for _, toggled in history for decision in toggled}
    store = Store()
    left, waiting = data.draw(st.permutations(sorted(people))), data.draw(st.permutations(sorted(decisions)))
    while left or waiting:
        size = data.draw(st.integers(1, 6))
        portion = {number: people[number] for number in left[:size]}
        store.resolve(store.apply(portion, set(waiting[:size])), SMALL_CAPS)
        left, waiting = left[size:], waiting[size:]
    at_once = Store()
    at_once.resolve(at_once.apply(people, decisions), SMALL_CAPS)
    assert_same(store, resolve(at_once.records(), at_once.links(), SMALL_CAPS, at_once.decided()))


@given(histories())
def test_naming_more_records_as_changed_than_did_change_does_no_harm(history):
    store = Store()
    for people, toggled in history:
        change = store.apply(people, toggled)
        store.resolve(dataclasses.replace(change, records={*change.records, 1, 5, 99}), SMALL_CAPS)
        assert_same(store, resolve(store.records(), store.links(), SMALL_CAPS, store.decided()))


@pytest.fixture
def store():
    return Store()


def person(*identifiers, name=None, kind=None):
    return name, kind, frozenset(identifiers)


PHONE, OTHER_PHONE = ("phone", "", "1"), ("phone", "", "2")
UNIONID_A, UNIONID_B = ("unionid", "wx", "A"), ("unionid", "wx", "B")


def customers(store):
    rows = store.members.sort("record_no").group_by("customer_id", maintain_order=True).agg("record_no")
    return [set(numbers) for numbers in rows["record_no"]]


def change(store, people, toggled=()):
    answer = store.resolve(store.apply(people, toggled), SMALL_CAPS)
    assert_same(store, resolve(store.records(), store.links(), SMALL_CAPS, store.decided()))
    return answer


def test_a_new_holder_takes_a_phone_over_its_cap_and_its_removal_brings_it_back(store):
    change(store, {n: person(PHONE) for n in (1, 2, 3)})
    assert customers(store) == [{1, 2, 3}]
    answer = change(store, {9: person(PHONE)})
    assert customers(store) == [{1}, {2}, {3}, {9}]
    assert [member.record_no for member in answer.members] == [1, 2, 3, 9]
    answer = change(store, {2: None})
    assert customers(store) == [{1, 3, 9}]
    assert answer.removed == [2]
    assert answer.vanished_components == [2, 3, 9]


def test_a_holder_far_over_the_cap_touches_nobody_else(store):
    change(store, {n: person(PHONE, name=f"顾客{n}") for n in range(1, 10)})
    answer = change(store, {10: person(PHONE, name="王芳")})
    assert [member.record_no for member in answer.members] == [10]


def test_names_beside_a_capped_phone_join_and_part(store):
    change(store, {n: person(PHONE, name="顾客") for n in range(1, 6)})
    change(store, {6: person(PHONE, name="王芳"), 7: person(PHONE, name="王芳")})
    assert {6, 7} in customers(store)
    change(store, {7: person(PHONE, name="李强")})
    assert {6} in customers(store)
    change(store, {n: person(PHONE, name="王芳") for n in (7, 8, 9)})  # four namesakes, one over their cap
    assert {6} in customers(store)
    change(store, {9: person(PHONE)})
    assert {6, 7, 8} in customers(store)


def test_a_chain_over_a_refused_union_is_solved_whole(store):
    """1 and 4 are refused by the chain 1-2-3-4; taking 3's phone away frees 2, far from the change."""
    change(
        store,
        {
            1: person(UNIONID_A, PHONE),
            2: person(PHONE, OTHER_PHONE),
            3: person(OTHER_PHONE, ("email", "", "1")),
            4: person(("email", "", "1"), UNIONID_B),
        },
    )
    assert customers(store) == [{1, 2, 3}, {4}]
    assert store.conflicts["record_b"].to_list() == [4]
    answer = change(store, {1: person(PHONE)})
    assert customers(store) == [{1, 2, 3, 4}]
    assert answer.vanished_customers == [4]
    assert store.conflicts.is_empty()
    change(store, {1: person(UNIONID_A, PHONE)}, {(2, 3, "cannot_link")})
    assert customers(store) == [{1, 2}, {3, 4}]
    change(store, {}, {(2, 3, "cannot_link")})
    assert customers(store) == [{1, 2, 3}, {4}]


def test_an_old_id_leads_to_the_customer_that_now_contains_the_record(store):
    change(store, {1: person(PHONE), 2: person(OTHER_PHONE)})
    answer = change(store, {3: person(PHONE, OTHER_PHONE)})
    assert answer.vanished_customers == [2]
    assert customers(store) == [{1, 2, 3}]
    answer = change(store, {3: None})
    assert customers(store) == [{1}, {2}]
    assert answer.vanished_customers == []


def test_unmerge_by_decision_and_its_withdrawal(store):
    change(store, {1: person(PHONE), 2: person(PHONE)})
    change(store, {}, {(1, 2, "cannot_link")})
    assert customers(store) == [{1}, {2}]
    change(store, {}, {(1, 2, "cannot_link")})
    assert customers(store) == [{1, 2}]


def test_only_whole_components_are_touched(store):
    change(store, {1: person(PHONE), 2: person(PHONE), 3: person(OTHER_PHONE), 4: person(UNIONID_A)})
    what = store.apply({5: person(OTHER_PHONE)}, ())
    assert touched(store.graph(), what, SMALL_CAPS) == {3, 5}


def test_no_change_is_no_answer(store):
    change(store, {1: person(PHONE)})
    answer = change(store, {})
    assert (answer.members, answer.refused, answer.vanished_components) == ([], [], [])
