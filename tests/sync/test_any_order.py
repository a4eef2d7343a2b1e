"""Landing files may be loaded in any order and as often as one likes: what is, is the same.

The registry of record numbers is an input: both hubs are given the same numbers first.
"""

import itertools
import json
from hashlib import blake2b

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import event

from mappings import documents
from mappings.fieldmap_parse import parse
from mappings.identity.digest import Keys
from mappings.identity.rules import DEFAULT, KindRule, Rules
from quality.contract_reading import load as contracts
from state.bulk import execute
from state.landing import Lander
from state.landing_files import SealedGroup
from state.records import record_numbers
from state.register import register
from state.store import Store
from sync.load import load_file
from sync.reader import Reader
from sync.resolve import resolve

NOW = 1_795_000_000_000_000
MAP = """
version: 1
streams:
  customers:
    key: [id]
    updated_at: modified
    entities:
      customer_record:
        source_id: id
        name: name
        kind: {value: person}
        identifiers: {phone: phone, unionid: {from: unionid, scope: wx}, email: email}
  orders:
    key: [id]
    updated_at: modified
    entities:
      order:
        source_id: id
        paid_amount: paid
        goods_amount: paid
        currency: {value: CNY}
        buyer: {phone: buyer_phone, name: buyer}
      order_line:
        each: lines
        source_id: {from: [^id, no], join: "-"}
        order_source_id: ^id
        sku: sku
        amount: amount
        quantity: quantity
"""
RULES = Rules(tuple(KindRule(**{**r.__dict__, "cap": 3}) if r.kind == "phone" else r for r in DEFAULT.kinds))
READER = Reader("shop", parse(documents.parse(MAP, "map.yaml")), contracts(), Keys(bytes(32)))

PHONES = [f"1381234000{n}" for n in range(4)]
_customer = st.fixed_dictionaries(
    {
        "id": st.sampled_from(["C1", "C2", "C3", "C4", "C5"]),
        "modified": st.sampled_from([None, "2026-11-21 10:00:00", "2026-11-21 10:00:01", "2026-11-21 10:00:02"]),
        "name": st.sampled_from(["张三", "李四", None]),
        "phone": st.sampled_from([*PHONES, "138****0001", "nonsense", None]),
        "unionid": st.sampled_from(["oUnionAAAAAAAAAAAAAAAAAAA", "oUnionBBBBBBBBBBBBBBBBBBB", None]),
        "email": st.sampled_from(["a@example.com", None]),
    }
)
_order = st.fixed_dictionaries(
    {
        "id": st.sampled_from(["O1", "O2", "O3"]),
        "modified": st.sampled_from(["2026-11-21 10:00:00", "2026-11-21 10:00:01", "not a time"]),
        "paid": st.sampled_from(["1.5", "2", "-3", "abc"]),
        "buyer": st.sampled_from(["张三", "王五"]),
        "buyer_phone": st.sampled_from([*PHONES, None]),
        "lines": st.lists(
            st.fixed_dictionaries(
                {
                    "no": st.sampled_from(["1", "2", "3"]),
                    "sku": st.just("S1"),
                    "amount": st.sampled_from(["1", "x"]),
                    "quantity": st.just("1"),
                }
            ),
            max_size=3,
        ),
    }
)
_file = st.one_of(
    st.tuples(st.just("customers"), st.lists(_customer, min_size=1, max_size=3)),
    st.tuples(st.just("orders"), st.lists(_order, min_size=1, max_size=3)),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("any-order")


_numbers = itertools.count()


def land(root, files):
    """Each (stream, records) as a sealed landing file of its own."""
    groups: list[SealedGroup] = []
    lander = Lander(root, "shop", fence=1, run_id="r", now=lambda: NOW, on_seal=groups.append)
    for number, (stream, records) in enumerate(files):
        lander.page(stream, [json.dumps(record, ensure_ascii=False).encode() for record in records], NOW + number)
        lander.seal()
    return groups


def deliver(folder, root, groups, order, resolve_after, people):
    store = Store.open(f"sqlite:///{folder}/{next(_numbers)}.db")
    event.listen(store.engine, "connect", lambda raw, _: raw.execute("PRAGMA synchronous=OFF"))
    store.engine.dispose()
    with store.transaction() as tx:
        record_numbers(tx, "shop", pl.Series(people, dtype=pl.String))
    for group in groups:
        register(store, group, None, NOW)
    for place, number in enumerate(order):
        load_file(store, READER, root, groups[number].files[0], lambda: NOW, "r", again=True)
        if place in resolve_after:
            resolve(store, NOW, RULES)
    resolve(store, NOW, RULES)
    incremental = what_is(store)
    resolve(store, NOW, RULES, full=True)
    assert what_is(store) == incremental  # incremental = full, over the store
    store.close()
    return incremental


def what_is(store):
    def rows(sql):
        return sorted((tuple(row) for row in execute(tx, sql)), key=repr)

    with store.reading() as tx:
        return {
            "customer": rows(
                "SELECT source_id, name, identifier_set, component_id, customer_id, landing_no, line_no "
                "FROM customer_record"
            ),
            "identifier": rows("SELECT source_id, kind, digest, mask, class FROM identifier"),
            "order": rows('SELECT source_id, paid_amount, customer_source_id, buyer_record_no FROM "order"'),
            "line": rows("SELECT source_id, amount, deleted FROM order_line"),
            "quarantine": rows(
                "SELECT entity, record_key, landing_no, line_no, reasons FROM quarantine WHERE status = 'open'"
            ),
            "conflict": rows("SELECT component_id, record_a, record_b, kind, code FROM identity_conflict"),
            "shared": rows("SELECT kind, digest, records FROM identity_shared"),
            "queue": rows("SELECT record_no FROM resolve_queue"),
        }


def people_in(files):
    """Every customer record that can come of these files, so that numbers do not depend on the order."""
    usable = [f"phone:{READER.keys.digest('phone', '', '+86' + phone).hex()}" for phone in PHONES]
    minted = [f"buyer:{blake2b(name.encode(), digest_size=16).hexdigest()}" for name in usable]
    return sorted(
        {record["id"] for stream, records in files if stream == "customers" for record in records} | set(minted)
    )


@settings(max_examples=60)
@given(st.lists(_file, min_size=1, max_size=6), st.data())
def test_any_order_and_repetition_of_files_gives_the_same_tables(folder, files, data):
    root = folder / f"landing-{next(_numbers)}"
    groups = land(root, files)
    straight = list(range(len(groups)))
    again = data.draw(st.permutations(straight + data.draw(st.lists(st.sampled_from(straight), max_size=3))))
    pauses = data.draw(st.sets(st.integers(0, 6)))
    people = people_in(files)
    one = deliver(folder, root, groups, straight, set(), people)
    other = deliver(folder, root, groups, again, pauses, people)
    for name, rows in one.items():
        assert other[name] == rows, name


@settings(max_examples=40)
@given(
    st.lists(st.one_of(_order.map(lambda r: json.dumps(r).encode()), st.binary(max_size=60)), min_size=1, max_size=8)
)
def test_every_record_is_visible_or_held_with_a_reason(folder, records):
    """Whatever bytes a source sends, lines = good + bad, and each bad one has a reason that is owed or superseded."""
    root = folder / f"landing-{next(_numbers)}"
    groups: list[SealedGroup] = []
    lander = Lander(root, "shop", fence=1, run_id="r", now=lambda: NOW, on_seal=groups.append)
    lander.page("orders", records, NOW)
    lander.seal()
    store = Store.open(f"sqlite:///{folder}/{next(_numbers)}.db")
    register(store, groups[0], None, NOW)
    loaded = load_file(store, READER, root, groups[0].files[0], lambda: NOW, "r")
    assert loaded.lines == len(records)
    with store.reading() as tx:
        ((good, bad),) = execute(tx, "SELECT visible, quarantined FROM landing_file").all()
        held = execute(tx, "SELECT count(*) FROM quarantine").scalar_one()
        visible = execute(tx, 'SELECT count(*) FROM "order"').scalar_one()
    assert good + bad == len(records)
    # Several versions of one order are one row; a bad version may be older than a good one of its order.
    assert held <= bad
    assert visible <= good
    assert not (bad and not held and not visible)
    store.close()
