"""What holds of every resolution: independent of order, nothing exclusive mixed, every refusal with a reason."""

import hashlib
import itertools
from collections import defaultdict

import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from mappings.identity.components import components
from mappings.identity.exact import decide, joined
from mappings.identity.layout import Layout
from mappings.identity.partition import CODES, DECISIONS, LINKS, RECORDS
from mappings.identity.rules import KindRule, Rules
from mappings.identity.solve import resolve

RULES = Rules(
    (
        KindRule("unionid", exclusive=True, cap=5),
        KindRule("member_no", joins=("person", "company"), cap=5),
        KindRule("phone", joins_with_name=("company",), cap=4, with_name=True, name_cap=4),
        KindRule("email", cap=3),
    )
)
IDENTIFIERS = [
    *(("unionid", scope, value) for scope in ("wx", "other") for value in "ABC"),
    *(("member_no", "shop", value) for value in "12"),
    *(("phone", "", value) for value in "123"),
    ("email", "", "1"),
]


@st.composite
def worlds(draw):
    """Records of few names, with few identifiers, so that they meet; and decisions about them."""
    usable = draw(st.lists(st.sampled_from(IDENTIFIERS), min_size=1, max_size=6, unique=True))
    names = draw(st.sampled_from([["王芳"], ["王芳", "李强"], [None, "王芳", "李强", "王先生"]]))
    kinds = draw(st.sampled_from([["person"], [None, "person"], ["person", "company"], ["person", "channel"]]))
    numbers = draw(st.lists(st.integers(1, 40), min_size=1, max_size=14, unique=True))
    records = [(n, "erp", draw(st.sampled_from(names)), draw(st.sampled_from(kinds))) for n in numbers]
    links = [
        (n, kind, scope, hashlib.blake2b(f"{kind}{scope}{value}".encode(), digest_size=16).digest(), "usable")
        for n in numbers
        for kind, scope, value in draw(st.lists(st.sampled_from(usable), max_size=3, unique=True))
    ]
    pair = st.tuples(st.sampled_from(numbers), st.sampled_from(numbers), st.sampled_from(["must_link", "cannot_link"]))
    return records, links, draw(st.lists(pair, max_size=3))


def frames(world):
    records, links, decisions = world
    return (
        pl.DataFrame(records, schema=RECORDS, orient="row"),
        pl.DataFrame(links, schema=LINKS, orient="row"),
        pl.DataFrame(decisions, schema=DECISIONS, orient="row"),
    )


def solve(world):
    records, links, decisions = frames(world)
    return resolve(records, links, RULES, decisions)


@given(worlds(), st.randoms(use_true_random=False))
def test_the_order_and_repetition_of_rows_changes_nothing(world, random):
    records, links, decisions = world
    shuffled = (
        random.sample(records, len(records)),
        random.sample(links + links[:3], len(links + links[:3])),
        [(b, a, kind) for a, b, kind in random.sample(decisions, len(decisions))],
    )
    one, other = solve(world), solve(shuffled)
    for name in ("members", "refused", "conflicts", "capped", "proposals"):
        assert_frame_equal(getattr(one, name), getattr(other, name))


@given(worlds())
def test_no_customer_mixes_exclusive_values_unless_a_person_decided_so(world):
    records, links, decisions = world
    partition = solve(world)
    together = joined([r[0] for r in records], [(a, b) for a, b, kind in decisions if kind == "must_link"])
    values = defaultdict(set)
    for record, kind, scope, digest, _ in links:
        if kind == "unionid":
            values[record, scope].add(digest)
    clear = {key: value.pop() for key, value in values.items() if len(value) == 1}
    customer = {record: customer for record, _, customer in partition.members.rows()}
    for scope in ("wx", "other"):
        by_customer, by_decision = defaultdict(set), defaultdict(set)
        for (record, its_scope), value in clear.items():
            if its_scope == scope:
                by_customer[customer[record]].add(value)
                by_decision[together[record]].add(value)
        for mixed in by_customer.values():
            assert len(mixed) == 1 or any(mixed <= decided for decided in by_decision.values())


@given(worlds())
def test_nobody_is_united_with_whom_a_person_keeps_apart_or_with_another_kind_of_customer(world):
    records, _, decisions = world
    customer = {record: customer for record, _, customer in solve(world).members.rows()}
    for a, b, kind in decisions:
        if kind == "cannot_link" and a != b:
            assert customer[a] != customer[b]
    kinds = defaultdict(set)
    for record, _, _, kind in records:
        kinds[customer[record]].add(kind or "person")
    assert all(len(kind) == 1 for kind in kinds.values())


@given(worlds())
def test_every_split_of_a_component_is_explained_by_refused_unions(world):
    """The customers of one component hang together by refusals: for none is it unsaid why it stands alone."""
    partition = solve(world)
    assert set(partition.refused["code"]) <= set(CODES)
    for component in partition.members["component_id"].unique():
        customers = set(partition.members.filter(pl.col("component_id") == component)["customer_id"])
        refused = partition.refused.filter(pl.col("component_id") == component)
        pairs = refused.select("customer_a", "customer_b").rows()
        assert all(a != b for a, b in pairs)
        assert len(set(joined(customers, pairs).values())) == 1


@given(worlds())
def test_refusals_say_what_stands_against_the_union(world):
    records, links, decisions = frames(world)
    partition = resolve(records, links, RULES, decisions)
    customer = {record: customer for record, _, customer in partition.members.rows()}
    apart = {frozenset((a, b)) for a, b, kind in decisions.rows() if kind == "cannot_link"}
    unionid = defaultdict(set)
    for record, kind, scope, digest, _ in links.rows():
        unionid[record, kind, scope].add(digest)
    for row in partition.refused.to_dicts():
        a, b = row["against_a"], row["against_b"]
        if row["code"] == "exclusive":
            (left,), (right,) = (unionid[n, row["against_kind"], row["against_scope"]] for n in (a, b))
            assert left != right
        if row["code"] == "cannot_link":
            assert frozenset((a, b)) in apart
        if row["code"] in ("exclusive", "cannot_link"):
            assert {customer[a], customer[b]} == {row["customer_a"], row["customer_b"]}


@given(worlds())
def test_the_fast_way_and_the_exact_way_agree_where_nothing_is_contested(world):
    records, links, decisions = frames(world)
    layout = Layout(records, links, decisions, RULES)
    label = components(layout.nodes.height, layout.edges())
    everything = decide(layout.case(label, label.unique().sort()))
    numbers = layout.nodes["record_no"].to_list()
    exact = [numbers[everything.customer[node]] for node in range(len(numbers))]
    assert resolve(records, links, RULES, decisions).members["customer_id"].to_list() == exact


@given(worlds())
def test_the_identity_key_has_no_say_in_who_is_one_customer(world):
    """Another key gives other digests in another order; the customers stay the same."""
    records, links, decisions = world
    rekeyed = [(*link[:3], hashlib.blake2b(link[3], digest_size=16).digest(), link[4]) for link in links]
    assert_frame_equal(solve(world).members, solve((records, rekeyed, decisions)).members)


@given(st.integers(1, 30).flatmap(lambda n: st.tuples(st.just(n), st.lists(st.tuples(*[st.integers(0, n - 1)] * 2)))))
def test_components_are_those_of_a_plain_union_find(graph):
    nodes, edges = graph
    frame = pl.DataFrame(edges, schema={"u": pl.Int64, "v": pl.Int64}, orient="row")
    expected = joined(range(nodes), edges)
    assert components(nodes, frame).to_list() == [expected[node] for node in range(nodes)]


def test_a_long_chain_is_one_component():
    chain = pl.DataFrame({"u": range(9_999), "v": range(1, 10_000)})
    assert components(10_000, chain.sample(fraction=1, shuffle=True, seed=1)).unique().to_list() == [0]


def test_two_identifiers_that_agree_in_half_of_their_digest_are_two():
    half = b"\x07" * 8
    rows = [(n, "phone", "", half + bytes([n % 2]) * 8, "usable") for n in range(1, 5)]
    partition = solve(([(n, "erp", None, None) for n in range(1, 5)], rows, []))
    assert partition.members["customer_id"].to_list() == [1, 2, 1, 2]


def test_the_same_digest_under_another_kind_or_scope_is_another_identifier():
    digest = b"\x07" * 16
    kinds = [("phone", ""), ("phone", "x"), ("email", ""), ("unionid", "")]
    rows = [(n, *kind, digest, "usable") for n, kind in enumerate(itertools.chain(kinds, kinds), start=1)]
    partition = solve(([(n, "erp", None, None) for n in range(1, 9)], rows, []))
    assert partition.members["customer_id"].to_list() == [1, 2, 3, 4, 1, 2, 3, 4]


def test_nothing_to_resolve_is_resolved():
    partition = resolve(*(frame.clear() for frame in frames(([], [], []))[:2]))
    assert partition.members.is_empty()
    assert partition.rules_version
