"""Records become rows of the unified model, and nothing is lost silently."""

import json

import polars as pl
import pytest

from mappings.documents import parse as document
from mappings.fieldmap_apply import apply, default_scope, masked, with_buyers
from mappings.fieldmap_parse import parse
from mappings.lines import lines_of_page
from mappings.model import ENTITIES
from mappings.reading import read

AT = 1_767_225_600_000_000


def mapped(stream, *records, connector="shop"):
    """The records, through lines and reading, by the map of one stream given as YAML."""
    text = "version: 1\nstreams:\n  s:\n" + "\n".join("    " + line for line in stream.strip("\n").split("\n"))
    found = parse(document(text, "map.yaml")).streams["s"]
    page = [r if isinstance(r, bytes) else json.dumps(r, ensure_ascii=False).encode() for r in records]
    lines, _ = lines_of_page(page, AT, validated=False)
    return apply(found, read(lines, found.columns), connector)


def columns(frame, *names):
    return frame.select(names).rows()


def reasons(result):
    return result.reasons.select("_line_no", "entity", "field", "code").rows()


ORDER = """
key: [id]
updated_at: {from: mtime, as: unix_s}
entities:
  order:
    source_id: id
    paid_amount: {from: paid, as: fen}
    status: {from: state, as: choice, choices: {已付款: paid}}
    currency: {value: CNY}
    is_gift: {value: false}
    channel: [shop, store]
    ordered_at: created
"""


def test_a_record_becomes_a_row_in_storage_types():
    result = mapped(
        ORDER, {"id": 1, "mtime": 1769832000, "paid": "1250", "state": "已付款", "shop": " ", "store": "淘宝"}
    )
    row = result.entities["order"].to_dicts()[0]
    assert {name: value for name, value in row.items() if value is not None} == {
        "_line_no": 1,
        "_extracted_at": AT,
        "source_id": "1",
        "source_updated_at": 1_769_832_000_000_000,
        "channel": "淘宝",
        "status": "paid",
        "paid_amount": 125_000,
        "currency": "CNY",
        "is_gift": 0,
        "deleted": 0,
    }
    assert list(row) == [
        "_line_no",
        "_extracted_at",
        *(field.name for field in ENTITIES["order"].mapped()),
        "extra",
        "deleted",
        "_buyer",
    ]
    assert (result.primary, reasons(result)) == ("order", [])


def test_each_cell_that_is_lost_is_a_reason_with_a_masked_sample():
    result = mapped(
        ORDER,
        {"id": 1, "paid": "12.345", "state": "?", "mtime": "x"},
        {"id": "1.23E+18", "paid": "call 13800000001"},
        {"id": 3, "paid": " ", "state": None, "created": "2026-02-30 00:00:00"},
    )
    assert sorted(result.reasons.rows()) == [
        (1, "order", "paid_amount", "cell.money-unreadable", "12.345"),
        (1, "order", "source_updated_at", "cell.time-unreadable", "x"),
        (1, "order", "status", "cell.choice-unknown", "?"),
        (2, "order", "key", "cell.id-damaged", "1.23E+18"),
        (2, "order", "key", "row.key-missing", ""),
        (2, "order", "paid_amount", "cell.money-unreadable", "call 138****0001"),
        (2, "order", "source_id", "cell.id-damaged", "1.23E+18"),
        (2, "order", "source_id", "row.key-missing", ""),
        (3, "order", "ordered_at", "cell.time-unreadable", "2026-02-30 00:00:00"),
    ]
    assert result.entities["order"].height == 3


def test_samples_never_show_a_person():
    assert masked("13800000001", personal=True) == "138****0001"
    assert masked("张三", personal=True) == "张***"
    assert masked("tel: 13800000001, a.b@c.cn", personal=False) == "tel: 138****0001, ***@c.cn"


def test_keys_name_records():
    one = "key: [id]\nentities: {product: {source_id: id, code: id}}"
    two = "key: [org, id]\nentities: {product: {source_id: {from: [org, id], join: '/'}, code: id}}"
    assert mapped(one, {"id": 7}).keys.rows() == [(1, "7")]
    result = mapped(two, {"org": "甲", "id": 7}, {"org": None, "id": 8})
    assert result.keys.rows() == [(1, '["甲","7"]'), (2, None)]
    assert reasons(result) == [
        (2, "product", "key", "row.key-missing"),
        (2, "product", "source_id", "cell.part-missing"),
        (2, "product", "source_id", "row.key-missing"),
    ]


def test_several_transforms_run_one_after_the_other():
    stream = (
        "key: [id]\nentities: {product: {source_id: {from: id, as: [strip_prefix, upper, id], prefix: P-}, code: id}}"
    )
    assert columns(mapped(stream, {"id": "P-ab"}).entities["product"], "source_id") == [("AB",)]


def test_source_texts_that_mean_nothing_are_no_reason():
    stream = "key: [id]\nentities: {order: {source_id: id, paid_at: {from: t, as: unix_s, empty: ['0', '-']}}}"
    result = mapped(stream, {"id": 1, "t": 0}, {"id": 2, "t": " - "}, {"id": 3, "t": 1})
    assert columns(result.entities["order"], "paid_at") == [(None,), (None,), (None,)]
    assert reasons(result) == [(3, "order", "paid_at", "cell.time-unreadable")]


NESTED = """
key: [id]
updated_at: at
deleted: {from: gone, as: flag}
entities:
  order:
    source_id: id
    channel: shop.name
    platform_no: shop.trade.no
  order_line:
    each: goods.lines
    source_id: {from: [^id, "#"], join: "-"}
    order_source_id: ^id
    sku: product.sku
    sku_name: ^shop.name
    quantity: qty
    amount: amt
"""
AT_NOON = "2026-01-31 12:00:00"


def test_nested_fields_and_lists_of_children():
    record = {
        "id": 5,
        "at": AT_NOON,
        "gone": "是",
        "shop": {"name": "甲", "trade": {"no": "1234567890123456789"}},
        "goods": {"lines": [{"product": {"sku": "A"}, "qty": 1, "amt": 0.1}, {"qty": "2", "product": {"sku": "B"}}]},
    }
    result = mapped(NESTED, record, {"id": 6, "goods": {}}, {"id": 7, "goods": {"lines": []}})
    assert columns(result.entities["order"], "_line_no", "channel", "platform_no", "deleted") == [
        (1, "甲", "1234567890123456789", 1),
        (2, None, None, 0),
        (3, None, None, 0),
    ]
    noon = 1_769_832_000_000_000
    lines = result.entities["order_line"]
    names = ("_line_no", "source_id", "order_source_id", "sku", "sku_name", "quantity", "amount", "deleted")
    assert columns(lines, *names) == [
        (1, "5-1", "5", "A", "甲", 10_000, 1_000, 1),
        (1, "5-2", "5", "B", "甲", 20_000, None, 1),
    ]
    assert columns(lines, "source_updated_at", "_extracted_at") == [(noon, AT), (noon, AT)]
    assert reasons(result) == []


def test_what_is_no_object_or_no_list_where_the_map_expects_one_is_a_reason():
    result = mapped(
        NESTED,
        {"id": 1, "shop": "甲", "goods": {"lines": {"qty": 1}}},
        {"id": 2, "shop": {"trade": [1]}, "goods": [1]},
        {"id": 3, "goods": {"lines": [1, None, {"qty": 3, "product": "x"}]}},
    )
    assert sorted(reasons(result)) == [
        (1, "order", "channel", "cell.not-an-object"),
        (1, "order", "platform_no", "cell.not-an-object"),
        (1, "order_line", "goods.lines", "cell.not-a-list"),
        (1, "order_line", "sku_name", "cell.not-an-object"),
        (2, "order", "platform_no", "cell.not-an-object"),
        (2, "order_line", "goods.lines", "cell.not-an-object"),
        (3, "order_line", "goods.lines", "cell.not-an-object"),
        (3, "order_line", "sku", "cell.not-an-object"),
    ]
    assert columns(result.entities["order_line"], "source_id", "quantity") == [("3-2", 30_000)]


def test_numbers_inside_lists_are_exact():
    record = b'{"id":1,"goods":{"lines":[{"qty":12345678901234.5678,"amt":1e2},{"qty":0.30000000000000004}]}}'
    result = mapped(NESTED, record)
    assert columns(result.entities["order_line"], "quantity", "amount") == [
        (123_456_789_012_345_678, 1_000_000),
        (None, None),
    ]
    assert reasons(result) == [(1, "order_line", "quantity", "cell.quantity-unreadable")]


def test_json_inside_a_string_is_read_like_json():
    result = mapped(NESTED, {"id": 1, "shop": '{\n "name": "甲\t" }', "goods": {"lines": '[\n{"qty": 1}]'}})
    assert columns(result.entities["order"], "channel") == [("甲",)]
    assert columns(result.entities["order_line"], "quantity") == [(10_000,)]


@pytest.mark.parametrize("depth", [10, 300, 480, 900, 990, 1100, 20_000])
def test_values_of_any_depth_are_kept_or_rejected_and_never_stop_the_others(depth):
    stream = """
key: [id]
entities:
  order: {source_id: id, extra: {from: {x: x}}, platform_no: x.x}
  order_line: {each: x, source_id: {from: [^id, "#"], join: "-"}, order_source_id: ^id, extra: {from: {y: y}}}
"""
    deep = b"[" * depth + b"]" * depth
    deeper = b'[{"y":1e400,"y2":' + b'{"k":' * depth + b"1" + b"}" * depth + b"}]"
    records = [b'{"id":1}', b'{"id":2,"x":' + deep + b"}", b'{"id":3,"x":' + deeper + b"}", b'{"id":4,"x":[{"y":"z"}]}']
    result = mapped(stream, *records)
    ids = [found for (found,) in columns(result.entities["order"], "source_id")]
    assert {"1", "4"} <= set(ids)
    if depth == 10:
        assert ids == ["1", "2", "3", "4"]
        assert columns(result.entities["order_line"], "source_id") == [("3-1",), ("4-1",)]


def test_two_lists_can_fill_one_entity():
    stream = """
key: [id]
entities:
  order: {source_id: id}
  bought: {entity: order_line, each: lines, source_id: no, order_source_id: ^id}
  gifts: {entity: order_line, each: gifts, source_id: no, order_source_id: ^id, is_gift: {value: true}}
"""
    result = mapped(stream, {"id": 1, "lines": [{"no": "a"}], "gifts": [{"no": "b"}]})
    assert columns(result.entities["order_line"], "source_id", "is_gift") == [("a", None), ("b", 1)]


def test_rows_can_be_limited_to_some_values_of_a_field_and_the_others_are_counted():
    stream = """
key: [id]
updated_at: at
entities:
  interaction: {source_id: id, kind: event, only: {event: [SCAN, subscribe]}}
"""
    records = [
        {"id": 1, "event": "SCAN", "at": AT_NOON},
        {"id": 2, "event": "LOCATION"},
        {"id": 3},
        {"id": 4, "event": " SCAN"},
    ]
    result = mapped(stream, *records)
    assert columns(result.entities["interaction"], "_line_no", "kind") == [(1, "SCAN"), (4, "SCAN")]
    assert (result.filtered, result.keys.height) == (2, 4)


def test_in_a_partial_stream_nothing_is_known_that_is_not_said():
    stream = "key: [id]\npartial: true\nentities: {order: {source_id: id}}"
    result = mapped(stream, {"id": 1})
    assert result.partial
    assert columns(result.entities["order"], "deleted") == [(None,)]


def test_uncommon_fields_are_kept_as_exact_json():
    stream = "key: [id]\nentities: {order: {source_id: id, extra: {from: {备注: note, n: n, o: o, gone: gone}}}}"
    record = b'{"id":1,"note":"a\\"b\\u0001","n":1.50,"o":{"k":12345678901234567.5,"k":2,"s":"C:\\\\new"},"gone":null}'
    result = mapped(stream, record, {"id": 2})
    assert columns(result.entities["order"], "extra") == [
        ('{"备注":"a\\"b\\u0001","n":"1.5","o":{"k":12345678901234567.5,"s":"C:\\\\new"}}',),
        (None,),
    ]


# --- identifiers and buyers -------------------------------------------------------------------------------------

CUSTOMER = """
key: [id]
entities:
  customer_record:
    source_id: id
    name: name
    identifiers:
      phone: [mobile, mobile2]
      unionid: {from: wx.unionid, scope: wx-open-1}
      openid: wx.openid
      member_no: {from: card, as: [upper, id]}
"""


def test_identifiers_are_rows_of_their_own_with_their_scope():
    record = {
        "id": 9,
        "mobile": "138 0000 0001",
        "mobile2": "",
        "card": "vip1",
        "wx": {"unionid": "u1", "openid": "o1"},
    }
    result = mapped(CUSTOMER, record, {"id": 10, "mobile": 13800000002}, connector="shop2")
    assert sorted(result.identifiers.rows()) == [
        (1, "9", "member_no", "shop2", "VIP1"),
        (1, "9", "openid", "shop2", "o1"),
        (1, "9", "phone", "", "138 0000 0001"),
        (1, "9", "unionid", "wx-open-1", "u1"),
        (2, "10", "phone", "", "13800000002"),
    ]


def test_a_damaged_identifier_is_a_reason_without_the_number_in_it():
    result = mapped(CUSTOMER, {"id": 9, "mobile": "1.38000E+10"})
    assert result.reasons.rows() == [(1, "customer_record", "identifiers.phone", "cell.id-damaged", "1.3****E+10")]


def test_where_identifiers_are_valid():
    assert [default_scope(kind, "shop") for kind in ("phone", "unionid", "openid", "shop_buyer")] == [
        "",
        "default",
        "shop",
        "shop",
    ]


BUYER = """
key: [id]
updated_at: at
entities:
  order:
    source_id: id
    customer_source_id: cust
    buyer:
      phone: phone
      shop_buyer: {from: nick, scope: tmall}
      name: name
"""


def test_an_order_without_a_customer_makes_one_of_its_buyer():
    result = mapped(
        BUYER,
        {"id": 1, "at": AT_NOON, "phone": "13800000001", "nick": "n1", "name": "张三"},
        {"id": 2, "cust": "c7", "phone": "13800000002"},
        {"id": 3, "name": "nobody"},
        {"id": 4, "nick": "n4"},
    )
    assert columns(result.entities["order"], "customer_source_id", "_buyer") == [
        (None, 0),
        ("c7", None),
        (None, None),
        (None, 1),
    ]
    assert result.buyers.identifiers.sort("_buyer", "kind").rows() == [
        (0, "phone", "", "13800000001"),
        (0, "shop_buyer", "tmall", "n1"),
        (1, "shop_buyer", "tmall", "n4"),
    ]
    made = with_buyers(result, pl.Series(["b-1", None]))
    assert columns(made.entities["order"], "customer_source_id") == [("b-1",), ("c7",), (None,), (None,)]
    assert columns(made.entities["customer_record"], "_line_no", "source_id", "name", "source_updated_at") == [
        (1, "b-1", "张三", 1_769_832_000_000_000)
    ]
    assert made.identifiers.sort("kind").rows() == [
        (1, "b-1", "phone", "", "13800000001"),
        (1, "b-1", "shop_buyer", "tmall", "n1"),
    ]
    assert made.buyers.rows.height == 0


def test_without_buyers_nothing_is_made():
    result = mapped(ORDER, {"id": 1})
    assert with_buyers(result, pl.Series([], dtype=pl.String)) is result


# --- what the source is like ------------------------------------------------------------------------------------


def test_fields_that_disappeared_or_are_new_are_reported():
    result = mapped(ORDER, {"id": 1, "paid": 5, "vip": 1})
    assert result.absent == ("mtime", "state", "shop", "store", "created")
    assert result.unknown == ("vip",)


def test_control_characters_taken_out_of_text_are_counted():
    assert mapped(ORDER, {"id": 1, "shop": "a\x01b\x02"}).removed == 2


def test_no_records_make_empty_frames_of_the_same_shape():
    empty, full = mapped(NESTED), mapped(NESTED, {"id": 1, "goods": {"lines": [{"qty": 1}]}})
    for entity in ("order", "order_line"):
        assert empty.entities[entity].schema == full.entities[entity].schema
        assert empty.entities[entity].height == 0


@pytest.mark.parametrize("bad", [{"id": None}, {"id": 2, "paid": "x"}])
def test_of_many_records_one_bad_one_changes_no_other(bad):
    records = [{"id": n, "paid": str(n)} for n in range(1000)]
    alone = mapped(ORDER, *records).entities["order"]
    records[500] = bad
    among = mapped(ORDER, *records)
    assert among.reasons["_line_no"].unique().to_list() == [501]
    others = pl.col("_line_no") != 501
    assert among.entities["order"].filter(others).equals(alone.filter(others))
