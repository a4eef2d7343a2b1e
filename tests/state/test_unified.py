"""Rows become visible exactly once, whatever the order and however often they come."""

import itertools

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event

from mappings.hashing import content_hash
from mappings.model import ENTITIES
from state import schema, unified
from state.bulk import execute
from state.quarantine import BadRecord, Reason, close_superseded, settle
from state.store import Store
from state.unified import Rows, apply, drop_children

T = 1_763_740_800_000_000
_TYPES = {"money": pl.Int64, "quantity": pl.Int64, "time": pl.Int64, "flag": pl.Int64, "integer": pl.Int64}


def rows(entity, *records, partial=False, **about):
    """Mapped rows with the columns a load would give them; a record names what matters, the rest is null."""
    fields = [f for f in ENTITIES[entity].content() if f.name != "deleted"]
    names = ["source_id", "source_updated_at", "extracted_at", "landing_no", "line_no", "deleted"]
    data = {
        name: [record.get(name, 0 if name == "deleted" and not partial else None) for record in records]
        for name in [*names, *(f.name for f in fields)]
    }
    types = {f.name: _TYPES.get(str(f.type), pl.String) for f in fields}
    types |= dict.fromkeys(names[1:], pl.Int64) | {"source_id": pl.String}
    frame = pl.DataFrame(data, schema_overrides=types).with_columns(
        pl.lit("r1").alias("run_id"), pl.lit(T).alias("committed_at")
    )
    hashed = content_hash(frame, ENTITIES[entity].content()).alias("content_hash")
    return Rows(entity, frame.with_columns(hashed), partial, **about)


def product(version, name, *, updated=None, source_id="P1", line=1, **more):
    return {
        "source_id": source_id,
        "code": source_id,
        "name": name,
        "source_updated_at": updated,
        "extracted_at": T + version,
        "landing_no": version,
        "line_no": line,
        **more,
    }


def table(store, entity, *columns, connector="erp"):
    with store.reading() as tx:
        sql = f'SELECT {", ".join(columns)} FROM "{entity}" WHERE connector = ? ORDER BY source_id'
        return [tuple(row) for row in execute(tx, sql, (connector,))]


def put(store, *batches, connector="erp"):
    done = []
    for batch in batches:
        with store.transaction() as tx:
            done.append(apply(tx, connector, batch))
    return done


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """One store for many deliveries, each into a connector of its own."""
    opened = Store.open(f"sqlite:///{tmp_path_factory.mktemp('shared')}/liuke.db")
    # Thousands of small transactions: what is tested here is order, not durability.
    event.listen(opened.engine, "connect", lambda raw, _: raw.execute("PRAGMA synchronous=OFF"))
    opened.engine.dispose()
    yield opened
    opened.close()


_numbers = itertools.count()


def fresh():
    return f"c{next(_numbers)}"


def test_new_changed_seen_and_stale_are_told_apart(store):
    first, second, third, fourth = put(
        store,
        rows("product", product(1, "茶")),
        rows("product", product(2, "茶")),
        rows("product", product(3, "绿茶")),
        rows("product", product(2, "红茶")),
    )
    assert (first.new, second.seen, third.changed, fourth.stale) == (1, 1, 1, 1)
    assert table(store, "product", "name", "landing_no") == [("绿茶", 3)]
    assert second.rows.is_empty()  # seen: no latency entry, no outbox


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_three_versions_of_one_key_end_the_same_in_all_six_orders(store, order):
    versions = [product(1, "茶", updated=T), product(2, "绿茶", updated=T + 5), product(3, "茶", updated=T + 9)]
    put(store, *(rows("product", versions[i]) for i in order))
    assert table(store, "product", "name", "landing_no", "source_updated_at") == [("茶", 3, T + 9)]


def test_the_sources_own_time_counts_before_ours(store):
    put(store, rows("product", product(9, "旧", updated=T + 1)), rows("product", product(2, "新", updated=T + 2)))
    assert table(store, "product", "name") == [("新",)]


def test_several_versions_in_one_file_leave_the_newest(store):
    (done,) = put(store, rows("product", product(1, "一"), product(1, "二", line=2), product(1, "三", line=3)))
    assert (done.new, table(store, "product", "name", "line_no")) == (1, [("三", 3)])


def test_the_same_line_read_by_another_map_replaces_what_it_said(store):
    put(store, rows("product", product(1, "茶")), rows("product", product(1, "绿茶")))
    assert table(store, "product", "name") == [("绿茶",)]


def test_two_connectors_do_not_meet(store):
    with store.transaction() as tx:
        apply(tx, "erp", rows("product", product(1, "茶")))
        apply(tx, "shop", rows("product", product(1, "咖啡")))
    assert table(store, "product", "name") == [("茶",)]
    assert table(store, "product", "name", connector="shop") == [("咖啡",)]


# --- elements of one line -----------------------------------------------------------------------------


def order(version, lines):
    head = {"source_id": "O1", "extracted_at": T + version, "landing_no": version, "line_no": 1, "status": "paid"}
    about = {k: head[k] for k in ("extracted_at", "landing_no", "line_no")}
    return head, [
        {"source_id": f"O1-{key}", "order_source_id": "O1", "line_key": key, "amount": amount, **about}
        for key, amount in lines.items()
    ]


def load_order(store, version, lines, connector="erp"):
    head, children = order(version, lines)
    with store.transaction() as tx:
        parent = apply(tx, connector, rows("order", head))
        below = rows("order_line", *children, child_of="order_source_id", parent="order")
        apply(tx, connector, below)
        drop_children(tx, connector, below, parent.known)


ORDERS = [(1, {"a": 10, "b": 20}), (2, {"a": 10}), (3, {"a": 11, "c": 30}), (4, {"b": 20, "c": 30})]


@pytest.mark.parametrize("sequence", list(itertools.permutations(ORDERS)))
def test_lines_that_an_order_no_longer_has_are_deleted_in_any_order_of_arrival(shared, sequence):
    connector = fresh()
    for version, lines in sequence:
        load_order(shared, version, lines, connector)
    found = table(shared, "order_line", "line_key", "amount", "deleted", connector=connector)
    assert found == [("a", 11, 1), ("b", 20, 0), ("c", 30, 0)]


def test_a_line_that_comes_back_is_there_again(store):
    for version, lines in [(1, {"a": 1, "b": 2}), (2, {"a": 1}), (3, {"a": 1, "b": 2})]:
        load_order(store, version, lines)
    assert table(store, "order_line", "line_key", "deleted") == [("a", 0), ("b", 0)]


# --- partial records ----------------------------------------------------------------------------------


def push(version, **fields):
    about = {"source_id": "P1", "code": "P1", "extracted_at": T + version, "landing_no": version, "line_no": 1}
    return rows("product", {**about, **fields}, partial=True)


PUSHES = [
    rows("product", product(1, "茶", category="饮品", unit="盒")),
    push(2, name="绿茶"),
    push(3, unit="袋"),
    rows("product", product(4, "红茶", category="茶叶")),  # full: clears unit, which only older records had
    push(5, category="进口"),
]


@pytest.mark.parametrize("sequence", list(itertools.permutations(range(5))))
def test_partial_and_full_records_give_the_same_row_in_any_order(shared, sequence):
    connector = fresh()
    put(shared, *(PUSHES[i] for i in sequence), connector=connector)
    assert table(shared, "product", "name", "category", "unit", connector=connector) == [("红茶", "进口", None)]


def test_the_same_value_pushed_later_is_not_undone_by_one_in_between(store):
    put(store, PUSHES[0], push(3, name="绿茶"), push(7, name="绿茶"), push(5, name="白茶"))
    assert table(store, "product", "name") == [("绿茶",)]


def test_a_push_for_a_record_nobody_has_sent_yet_is_visible(store):
    put(store, push(2, name="绿茶"))
    assert table(store, "product", "name", "deleted") == [("绿茶", 0)]


# --- any order, any repetition ------------------------------------------------------------------------

_version = st.tuples(
    st.integers(1, 6),
    st.sampled_from(["P1", "P2"]),
    st.sampled_from([None, T, T + 1, T + 2]),
    st.sampled_from(["a", "b"]),
    st.sampled_from(["full", "partial"]),
)


def _deliver(store, deliveries):
    connector = fresh()
    for number, key, updated, value, kind in deliveries:
        record = {"source_id": key, "code": key, "source_updated_at": updated, "extracted_at": T + number % 3}
        record |= {"landing_no": number, "line_no": 1, "name": value}
        if kind == "full":
            record["category"] = f"c{number}"
        put(store, rows("product", record, partial=kind == "partial"), connector=connector)
    columns = "source_id, name, category, deleted, content_hash, source_updated_at, landing_no, field_versions"
    return table(store, "product", columns, connector=connector)


@given(st.lists(_version, min_size=1, max_size=7, unique_by=lambda v: v[0]), st.data())
def test_any_order_and_repetition_gives_the_same_rows(shared, versions, data):
    again = data.draw(st.permutations([*versions, *data.draw(st.lists(st.sampled_from(versions), max_size=4))]))
    assert _deliver(shared, versions) == _deliver(shared, again)


# --- quarantine ---------------------------------------------------------------------------------------


def bad(version, updated=None, code="cell.money-unreadable", key="P1"):
    return BadRecord("products", "product", key, version, 1, updated, T + version, (Reason(code, "product.x", "?"),))


def held(store, connector="erp"):
    sql = "SELECT record_key, landing_no, status FROM quarantine WHERE connector = ? ORDER BY record_key"
    with store.reading() as tx:
        return [tuple(row) for row in execute(tx, sql, (connector,))]


def settle_all(store, *records, connector="erp"):
    with store.transaction() as tx:
        settle(tx, connector, records, "r1", T)


def test_a_bad_version_newer_than_the_visible_one_is_held_until_a_good_one_comes(store):
    put(store, rows("product", product(1, "茶")))
    settle_all(store, bad(2))
    assert held(store) == [("P1", 2, "open")]
    put(store, rows("product", product(3, "绿茶")))
    settle_all(store)
    assert held(store) == [("P1", 2, "closed")]


def test_a_bad_version_older_than_the_visible_one_is_not_owed(store):
    put(store, rows("product", product(3, "茶")))
    settle_all(store, bad(2))
    assert [status for _, _, status in held(store)] in ([], ["closed"])


def test_a_line_that_a_mended_map_reads_is_settled(store):
    settle_all(store, bad(2))
    put(store, rows("product", product(2, "茶")))
    with store.transaction() as tx:
        assert close_superseded(tx, "erp", T) == 1
    assert held(store) == [("P1", 2, "closed")]


def test_loading_the_same_bad_line_again_does_not_open_what_is_closed(store):
    settle_all(store, bad(2))
    put(store, rows("product", product(3, "茶")))
    settle_all(store, bad(2))
    assert held(store) == [("P1", 2, "closed")]


@given(
    st.lists(st.tuples(st.integers(1, 5), st.booleans()), min_size=1, max_size=5, unique_by=lambda v: v[0]), st.data()
)
def test_what_is_open_does_not_depend_on_the_order(shared, versions, data):
    def deliver(deliveries):
        connector = fresh()
        for number, good in deliveries:
            if good:
                put(shared, rows("product", product(number, f"n{number}")), connector=connector)
                settle_all(shared, connector=connector)
            else:
                settle_all(shared, bad(number), connector=connector)
        return [row for row in held(shared, connector) if row[2] == "open"]

    assert deliver(versions) == deliver(data.draw(st.permutations(versions * 2)))


def test_every_unified_table_has_its_columns():
    for name, entity in ENTITIES.items():
        assert {f.name for f in entity.content()} <= set(schema.unified[name].c.keys()), name
    assert set(schema.unified["customer_record"].c.keys()) >= unified.KEPT
