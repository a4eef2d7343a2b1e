"""Field maps: what they say, and every mistake in them at once with its line."""

import pytest

from mappings.documents import parse as document
from mappings.fieldmap import Source
from mappings.fieldmap_parse import parse, source_of
from mappings.problems import LiukeError

SHIPPED = """\
version: 1
streams:
  orders:
    key: [id]
    updated_at: modified_at
    entities:
      order:
        source_id: id
        paid_amount: {from: paid_fen, as: fen}
        channel: [shop, store]
        status: {from: state, as: choice, choices: {已付款: paid}}
        buyer:
          phone: buyer.phone
          name: buyer.name
      order_line:
        each: goods.lines
        source_id: {from: [^id, no], join: "-"}
        order_source_id: ^id
"""


def problems(text, override=None):
    with pytest.raises(LiukeError) as caught:
        parse(document(text, "map.yaml"), document(override, "mine.yaml") if override else None)
    return [(problem.code, problem.where) for problem in caught.value.problems]


def order(line):
    """A map with one more line in its order."""
    without_status = "".join(part for part in SHIPPED.splitlines(keepends=True) if " status: " not in part)
    return without_status.replace("        channel: [shop, store]\n", f"        {line}\n")


def test_a_map_knows_which_fields_of_the_record_it_reads():
    orders = parse(document(SHIPPED, "map.yaml")).streams["orders"]
    assert orders.columns == ("id", "modified_at", "paid_fen", "shop", "store", "state", "buyer", "goods")
    assert [entity.name for entity in orders.entities] == ["order", "order_line"]
    assert orders.primary.entity.name == "order"


def test_source_fields_are_paths_and_a_backslash_makes_a_sign_plain():
    assert source_of("buyer.phone") == Source(("buyer", "phone"))
    assert source_of("^id") == Source(("id",), parent=True)
    assert source_of("#") == Source(())
    assert source_of(r"No\.") == Source(("No.",))
    assert source_of(r"\^id") == Source(("^id",))
    assert source_of("订单.编号") == Source(("订单", "编号"))


def test_every_mistake_is_found_at_once_with_its_line():
    text = """\
version: 1
streams:
  orders:
    entities:
      ordr: {source_id: id}
      order:
        channel: {from: shop, as: txt}
        recieved_at: x
        paid_amount: {from: paid, as: time}
        status: {value: payed}
      customer_record:
        source_id: id
        identifiers: {fone: x}
    updatd_at: x
"""
    assert problems(text) == [
        ("map.unknown-key", "map.yaml:14 key streams.orders.updatd_at"),
        ("map.key-missing", "map.yaml:3 key streams.orders.key"),
        ("map.unknown-entity", "map.yaml:5 key streams.orders.entities.ordr"),
        ("map.unknown-transform", "map.yaml:7 key streams.orders.entities.order.channel.as"),
        ("map.unknown-field", "map.yaml:8 key streams.orders.entities.order.recieved_at"),
        ("map.transform-type", "map.yaml:9 key streams.orders.entities.order.paid_amount.as"),
        ("map.value", "map.yaml:10 key streams.orders.entities.order.status.value"),
        ("map.source-id-missing", "map.yaml:6 key streams.orders.entities.order"),
        ("map.unknown-kind", "map.yaml:13 key streams.orders.entities.customer_record.identifiers.fone"),
    ]


def test_a_problem_names_what_was_probably_meant():
    with pytest.raises(LiukeError) as caught:
        parse(document(order("platfrm_no: x"), "map.yaml"))
    assert caught.value.problems[0].do.en == "Did you mean platform_no?"


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("channel: {from: shop, defaults: x}", "map.unknown-key"),
        ("channel: {as: text}", "map.value"),
        ("channel: {from: {a: b}}", "map.source"),
        ("channel: ", "map.source"),
        ("channel: []", "map.source"),
        ("channel: shop..name", "map.source"),
        ("channel: ^shop", "map.source"),
        ("channel: _extracted_at", "map.source"),
        ('channel: "#"', "map.source"),
        ("channel: {from: shop, as: strip_prefix}", "map.option-missing"),
        ("channel: {from: shop, as: [money, text]}", "map.transform-type"),
        ("status: {from: s, as: choice, choices: {a: payd}}", "map.unknown-choice"),
        ("status: {from: s, as: choice, other: unknown}", "map.unknown-choice"),
        ("status: {from: s, as: choice, other: keep-text}", "map.unknown-choice"),
        ("paid_at: {value: soon}", "map.value"),
        ("paid_at: {from: [a, b], join: ' '}", "map.join"),
        ("customer_id: x", "map.unknown-field"),
        ("buyer_record_no: x", "map.hub-field"),
        ("deleted: x", "map.hub-field"),
        ("identifiers: {phone: x}", "map.identifiers-misplaced"),
        ("extra: {scene: x}", "map.unknown-key"),
        ("each: ^lines", "map.source"),
    ],
)
def test_what_a_map_cannot_mean_is_a_problem(line, code):
    assert code in [found for found, _ in problems(order(line))]


def test_a_buyer_needs_an_identifier_and_an_entity_that_has_customers():
    text = SHIPPED.replace("          phone: buyer.phone\n", "")
    assert problems(text) == [("map.buyer-without-identifier", "map.yaml:12 key streams.orders.entities.order.buyer")]
    text = SHIPPED + "        buyer: {phone: x}\n"
    assert [code for code, _ in problems(text)] == ["map.buyer-misplaced"]


def test_the_version_of_the_format_is_stated():
    assert problems(SHIPPED.replace("version: 1\n", "")) == [("map.version", "map.yaml:1 key version")]


def test_a_users_map_replaces_column_by_column_and_takes_out_what_is_null():
    override = """\
version: 1
streams:
  orders:
    updated_at: {from: mtime, as: unix_s}
    entities:
      order:
        paid_amount: pay
        channel:
        platform_no: tid
        buyer:
          name:
          email: mail
"""
    orders = parse(document(SHIPPED, "map.yaml"), document(override, "mine.yaml")).streams["orders"]
    rules = {rule.target.name: rule for rule in orders.primary.rules}
    assert list(rules) == ["source_id", "paid_amount", "status", "platform_no"]
    assert (rules["paid_amount"].sources, rules["paid_amount"].steps) == ((Source(("pay",)),), ("money",))
    assert orders.versions[0].steps == ("unix_s",)
    buyer = orders.primary.buyer
    assert buyer
    assert [found.kind for found in buyer.identifiers] == ["phone", "email"]
    assert buyer.rules == ()
    assert [entity.name for entity in orders.entities] == ["order", "order_line"]


def test_a_problem_names_the_file_that_says_it():
    override = "version: 1\nstreams:\n  orders:\n    entities:\n      order:\n        chanel: x\n"
    assert problems(SHIPPED, override) == [
        ("map.unknown-field", "mine.yaml:6 key streams.orders.entities.order.chanel")
    ]
