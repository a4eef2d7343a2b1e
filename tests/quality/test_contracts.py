"""Contracts: what ships is whole, what users change is merged, and every mistake is named with file and line."""

from decimal import Decimal
from pathlib import Path

import pytest

from mappings import model
from mappings.problems import Text
from quality import contract_reading, row_checks, set_checks
from quality.contract import Kind, Severity

HEAD = "apiVersion: v3.1.0\nkind: DataContract\nschema:\n"


@pytest.fixture(scope="module")
def shipped():
    return contract_reading.load()


def rule_of(contracts, code, connector=""):
    found = contracts.rule(code, connector)
    assert found is not None, code
    return found


def write(folder, name, text):
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")


def problems_of(folder, connectors=()):
    with pytest.raises(contract_reading.ContractError) as error:
        contract_reading.load(folder, connectors)
    return error.value.problems


def test_there_is_a_contract_for_every_entity_with_a_label_for_every_field(shipped):
    assert set(shipped.shipped) == set(model.ENTITIES)
    for entity in model.ENTITIES.values():
        contract = shipped.of(entity.name)
        assert {field.name for field in entity.mapped()} <= set(contract.labels)
        for field in entity.mapped():
            assert contract.labels[field.name].zh == field.zh, f"{entity.name}.{field.name}"
            assert contract.labels[field.name].en
        assert contract.team.zh
        assert contract.team.en


def test_what_the_model_calls_personal_the_contracts_call_personal(shipped):
    for entity in model.ENTITIES.values():
        personal = {field.name for field in entity.mapped() if field.personal}
        assert personal <= shipped.of(entity.name).personal


def test_identifiers_are_personal_fields_of_the_customer(shipped):
    assert set(model.IDENTIFIER_KINDS) - {"company_code", "member_no"} <= shipped.of("customer_record").personal


def test_the_row_checks_that_were_agreed_are_all_there_and_block(shipped):
    codes = {rule.code: rule.severity for contract in shipped.shipped.values() for rule in contract.of_kind(Kind.ROW)}
    agreed = {
        "order.paid-negative", "order.paid-exceeds-total", "order.currency-not-cny", "order.updated-before-created",
        "order.ordered-in-future", "order_line.quantity-not-positive", "order_line.amount-negative",
        "refund.amount-not-positive", "ticket.rating-out-of-range", "ticket.solved-before-received",
        "rating.score-out-of-range", "product.code-missing", "customer_record.birthday-impossible",
    }  # fmt: skip
    assert agreed <= set(codes)
    assert {codes[code] for code in agreed} == {Severity.BLOCKING}


def test_every_set_check_has_its_rule_in_a_contract_and_every_rule_its_check(shipped):
    ruled = {
        rule.code for contract in shipped.shipped.values() for rule in contract.rules if rule.kind is Kind.FINDINGS
    }
    assert ruled == set(set_checks.known())


def test_every_rule_is_told_in_both_languages(shipped):
    for contract in shipped.shipped.values():
        for rule in contract.rules:
            assert rule.title.zh, rule.code
            assert rule.title.en, rule.code
            assert rule.repair.zh, rule.code


def test_the_programme_asks_for_seventy_percent_of_titles(shipped):
    assert rule_of(shipped, "completeness.customer_record.title").target == Decimal("0.7")
    assert rule_of(shipped, "completeness.customer_record.phone").target == Decimal("0.95")


def test_a_user_changes_one_threshold_for_one_connector(tmp_path):
    write(
        tmp_path / "contracts",
        "shop.customer_record.yaml",
        HEAD
        + """\
  - name: customer_record
    properties:
      - name: title
        businessName: 岗位
        description: Position
        quality:
          - {type: library, metric: missingValues, unit: percent, mustBeLessOrEqualTo: 12.5, severity: information}
""",
    )
    contracts = contract_reading.load(tmp_path / "contracts", ["shop", "erp"])
    code = "completeness.customer_record.title"
    assert rule_of(contracts, code, "shop").target == Decimal("0.875")
    assert rule_of(contracts, code, "shop").severity is Severity.INFORMATION
    assert contracts.of("customer_record", "shop").labels["title"] == Text("岗位", "Position")
    assert rule_of(contracts, code, "erp").target == Decimal("0.7")
    assert len(contracts.of("customer_record", "shop").rules) == len(contracts.of("customer_record", "erp").rules)


def test_a_change_for_all_connectors_stands_below_a_change_for_one(tmp_path):
    folder = tmp_path / "contracts"
    owner = "team: {name: %s}\n"
    rule = """\
  - name: order
    quality:
      - {name: order.customer-missing, type: custom, engine: liuke, severity: %s, implementation: {target: %s}}
"""
    write(folder, "order.yaml", owner % "全体" + HEAD + rule % ("warning", 90))
    write(folder, "shop.order.yaml", HEAD + rule % ("off", 90))
    contracts = contract_reading.load(folder, ["shop"])
    assert rule_of(contracts, "order.customer-missing").target == Decimal("0.9")
    assert rule_of(contracts, "order.customer-missing", "shop").severity is Severity.OFF
    assert contracts.of("order", "shop").team.zh == "全体"
    assert rule_of(contracts, "order.customer-missing").title.zh == "订单找不到客户"


def test_a_user_adds_a_row_check_of_the_registry(tmp_path):
    write(
        tmp_path / "contracts",
        "erp.order.yaml",
        HEAD
        + """\
  - name: order
    properties:
      - name: paid_amount
        quality:
          - name: order.paid-too-large
            type: custom
            engine: liuke
            severity: blocking
            implementation: {check: at_most, value: 99999.99, title: {zh: 金额过大, en: too large}}
""",
    )
    contracts = contract_reading.load(tmp_path / "contracts", ["erp"])
    rule = rule_of(contracts, "order.paid-too-large", "erp")
    assert rule.arguments == {"value": 999_999_900}
    assert contracts.rule("order.paid-too-large", "shop") is None


def test_every_mistake_is_named_at_once_with_file_line_and_key(tmp_path):
    folder = tmp_path / "contracts"
    write(
        folder,
        "order.yaml",
        HEAD
        + """\
  - name: order
    properties:
      - name: paid_amuont
      - name: currency
        quality:
          - name: order.currency-strange
            type: custom
            engine: liuke
            severity: fatal
            implementation: {check: equals, value: USD, title: {zh: 币种, en: currency}}
          - name: order.currency-other
            type: custom
            engine: liuke
            implementation: {check: equal, value: USD, title: {zh: 币种, en: currency}}
      - name: ordered_at
        quality:
          - name: order.ordered-early
            type: custom
            engine: liuke
            implementation: {check: not_before, other: paid_on, title: {zh: 早, en: early}}
""",
    )
    write(folder, "refund.yaml", "apiVersion: v3.1.0\nkind: DataContract\nschema: [\n")
    write(folder, "unknown.order.yaml", HEAD + "  - name: order\n")
    write(folder, "orders.yaml", HEAD + "  - name: orders\n")
    found = {(p.code, p.where.split(" ")[0]) for p in problems_of(folder, ["shop"])}
    assert found == {
        ("contract.unknown-field", "contracts/order.yaml:6"),
        ("contract.wrong", "contracts/order.yaml:12"),
        ("contract.unknown-check", "contracts/order.yaml:17"),
        ("contract.wrong-argument", "contracts/order.yaml:23"),
        ("yaml.syntax", "contracts/refund.yaml:4"),
        ("contract.misnamed", "contracts/unknown.order.yaml"),
        ("contract.misnamed", "contracts/orders.yaml"),
    }


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[]\n", 1),
        ("kind: DataContract\nschema: []\n", 1),
        (HEAD + "  - name: ticket\n", 3),
        (HEAD + "  - name: order\n    properties: {}\n", 5),
        (HEAD + "  - name: order\n    quality:\n      - {type: sql, query: SELECT 1}\n", 6),
        (HEAD + "  - name: order\n    quality:\n      - {metric: missingValues, mustBeLessOrEqualTo: 3}\n", 6),
        ("slaProperties:\n  - {property: timeToRepair, value: soon}\n" + HEAD + "  - name: order\n", 2),
    ],
)
def test_a_file_of_another_shape_is_refused(tmp_path, text, line):
    write(tmp_path / "contracts", "order.yaml", text)
    assert f"contracts/order.yaml:{line}" in {p.where.split(" ")[0] for p in problems_of(tmp_path / "contracts")}


def test_the_time_to_repair_comes_from_the_contract(tmp_path, shipped):
    hour = 3_600_000_000
    assert shipped.of("order").due_us == 24 * hour
    text = "slaProperties:\n  - {property: timeToRepair, value: 3, unit: d}\n" + HEAD + "  - name: order\n"
    write(tmp_path / "contracts", "order.yaml", text)
    assert contract_reading.load(tmp_path / "contracts").of("order").due_us == 72 * hour


def test_no_folder_of_changes_is_no_mistake(tmp_path, shipped):
    assert contract_reading.load(tmp_path / "nothing").shipped == shipped.shipped


def test_every_row_check_says_what_it_means():
    for check in row_checks.CHECKS.values():
        assert check.build.__doc__, check.name


def test_the_example_of_the_docs_is_a_contract(tmp_path):
    page = (Path(__file__).parents[2] / "docs" / "quality.md").read_text(encoding="utf-8")
    example = page.split("```yaml\n")[1].split("```")[0]
    write(tmp_path / "contracts", "erp.order.yaml", example)
    contracts = contract_reading.load(tmp_path / "contracts", ["erp"])
    assert contracts.of("order", "erp").team == Text("华东订单组", "Orders, east")
    assert rule_of(contracts, "completeness.order.channel", "erp").target == Decimal("0.7")
    assert rule_of(contracts, "order.paid-too-large", "erp").arguments == {"value": 999_999_900}
    assert rule_of(contracts, "order.customer-missing", "erp").target == Decimal("0.95")


def test_the_docs_name_every_row_check_and_every_set_check():
    page = (Path(__file__).parents[2] / "docs" / "quality.md").read_text(encoding="utf-8")
    missing = [name for name in (*row_checks.CHECKS, *set_checks.known()) if f"`{name}`" not in page]
    assert missing == []
