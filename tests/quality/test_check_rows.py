"""Row checks: what each contract lets through, and that nothing passes when a check cannot judge."""

import time
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings import model
from mappings.problems import Text
from quality import check_rows, contract_reading, row_checks
from quality.contract import Contract, Dimension, Kind, Rule, Severity

DAY = 86_400_000_000
NOON = 1_795_233_600_000_000
"""2026-11-21 12:00 in Shanghai."""
BIRTHDAY = "customer_record.birthday-impossible"


@pytest.fixture(scope="module")
def contracts():
    return contract_reading.load()


def rows(entity, *given, **same):
    """A frame of the entity in storage types; what is not given is empty."""
    columns = {f.name: check_rows.STORED.get(f.type, pl.String) for f in model.ENTITIES[entity].mapped()}
    columns["extracted_at"] = pl.Int64
    filled = [{"source_id": str(n), "extracted_at": NOON, **same, **row} for n, row in enumerate(given)]
    return pl.DataFrame(filled, schema=columns)


def found(contracts, frame, entity):
    return {(row, code) for row, code, _, _ in check_rows.check(frame, contracts.of(entity)).iter_rows()}


@pytest.mark.parametrize(
    ("entity", "code", "wrong", "right"),
    [
        ("order", "order.paid-negative", {"paid_amount": -1}, {"paid_amount": 0}),
        (
            "order", "order.paid-exceeds-total",
            {"paid_amount": 1_000_101, "goods_amount": 1_000_000},
            {"paid_amount": 1_000_100, "goods_amount": 1_000_000},
        ),
        (
            "order", "order.paid-exceeds-total",
            {"paid_amount": 950_200, "goods_amount": 1_000_000, "discount_amount": 100_000, "freight_amount": 50_000},
            {"paid_amount": 950_000, "goods_amount": 1_000_000, "discount_amount": 100_000, "freight_amount": 50_000},
        ),
        ("order", "order.currency-not-cny", {"currency": "USD"}, {"currency": "CNY"}),
        (
            "order", "order.updated-before-created",
            {"source_created_at": NOON, "source_updated_at": NOON - 1},
            {"source_created_at": NOON, "source_updated_at": NOON},
        ),
        ("order", "order.ordered-in-future", {"ordered_at": NOON + DAY + 1}, {"ordered_at": NOON + DAY}),
        ("order_line", "order_line.quantity-not-positive", {"quantity": 0}, {"quantity": 1}),
        ("order_line", "order_line.amount-negative", {"amount": -100}, {"amount": 0}),
        ("order_line", "row.key-missing", {"order_source_id": " "}, {"order_source_id": "A"}),
        ("refund", "refund.amount-not-positive", {"amount": 0}, {"amount": 1}),
        ("ticket", "ticket.rating-out-of-range", {"rating": 6}, {"rating": 5}),
        ("ticket", "ticket.rating-out-of-range", {"rating": 0}, {"rating": 1}),
        (
            "ticket", "ticket.solved-before-received",
            {"received_at": NOON, "solved_at": NOON - 1}, {"received_at": NOON, "solved_at": NOON},
        ),
        ("rating", "rating.score-out-of-range", {"score": -1}, {"score": 3}),
        ("product", "product.code-missing", {"code": None}, {"code": "P-1"}),
        ("customer_record", BIRTHDAY, {"birthday": "1899-12-31"}, {"birthday": "1900-01-01"}),
        ("customer_record", BIRTHDAY, {"birthday": "2026-11-22"}, {"birthday": "2026-11-21"}),
    ],
)  # fmt: skip
def test_a_wrong_row_is_found_and_the_right_one_beside_it_is_not(contracts, entity, code, wrong, right):
    same = {"order_line": {"order_source_id": "A"}, "product": {"code": "P"}}.get(entity, {})
    assert found(contracts, rows(entity, right, wrong, **same), entity) == {(1, code)}


@pytest.mark.parametrize("entity", [e for e in model.ENTITIES if e not in {"order_line", "product"}])
def test_empty_cells_are_no_mistakes_of_a_row_check(contracts, entity):
    assert found(contracts, rows(entity, {}, {}), entity) == set()


def test_a_row_with_two_mistakes_is_named_twice(contracts):
    frame = rows("order", {"paid_amount": -5, "currency": "USD"})
    assert found(contracts, frame, "order") == {(0, "order.paid-negative"), (0, "order.currency-not-cny")}


def test_a_finding_names_entity_and_column_and_shows_yuan_and_beijing_time(contracts):
    frame = rows("order", {"paid_amount": -125_000}, {"ordered_at": NOON + 2 * DAY}, {"paid_amount": -12})
    result = check_rows.check(frame, contracts.of("order"))
    assert result.rows() == [
        (0, "order.paid-negative", "order.paid_amount", "-12.50"),
        (1, "order.ordered-in-future", "order.ordered_at", "2026-11-23 12:00:00"),
        (2, "order.paid-negative", "order.paid_amount", "-0.0012"),
    ]
    assert result.schema == check_rows.FAILURES


def test_a_person_is_never_shown(contracts):
    frame = rows("customer_record", {"birthday": "2999-03-08"})
    assert check_rows.check(frame, contracts.of("customer_record"))["sample"].to_list() == ["2999-**-**"]
    named = contract_of(
        rule("customer_record", "name", "one_of", {"values": ["x"]}),
        rule("customer_record", "member_no", "one_of", {"values": ["x"]}),
        personal={"name", "member_no"},
    )
    frame = rows("customer_record", {"name": "欧阳修文", "member_no": "13812345678"})
    assert set(check_rows.check(frame, named)["sample"]) == {"欧***", "13****78"}


def test_a_field_that_no_map_fills_is_not_judged(contracts):
    frame = rows("order", {"paid_amount": -1, "currency": "USD"}).drop("currency")
    assert found(contracts, frame, "order") == {(0, "order.paid-negative")}


def test_rules_that_do_not_block_leave_rows_alone():
    warning = contract_of(rule("order", "paid_amount", "at_least", {"value": 0}, Severity.WARNING))
    off = contract_of(rule("order", "paid_amount", "at_least", {"value": 0}, Severity.OFF))
    frame = rows("order", {"paid_amount": -1})
    assert check_rows.check(frame, warning).is_empty()
    assert check_rows.check(frame, off).is_empty()


def contract_of(*rules, personal=()):
    return Contract(rules[0].entity, Text("", ""), "", Text("", ""), 0, {}, frozenset(personal), tuple(rules))


def rule(entity, field, check, arguments, severity=Severity.BLOCKING):
    columns = row_checks.CHECKS[check].columns(field, arguments)
    return Rule(
        f"{entity}.{field}", Kind.ROW, entity, field, severity, Dimension.VALIDITY, Text("", ""), Text("", ""),
        Decimal(1), "", check, arguments, columns,
    )  # fmt: skip


# --- when a check cannot judge --------------------------------------------------------------------------


@pytest.fixture
def broken_check():
    """Registers a check under `broken` for the time of the test."""

    def register(build):
        row_checks.CHECKS["broken"] = row_checks.RowCheck("broken", build, {})
        return contract_of(
            rule("order", "paid_amount", "at_least", {"value": 0}), rule("order", "currency", "broken", {})
        )

    yield register
    row_checks.CHECKS.pop("broken", None)


def test_a_check_that_raises_freezes_the_file(broken_check):
    contract = broken_check(lambda field: pl.col(field.name).str.to_integer(strict=True) > 0)
    with pytest.raises(check_rows.ToolError) as error:
        check_rows.check(rows("order", {"currency": "CNY"}, {"paid_amount": -1}), contract)
    assert error.value.problems[0].code == "check.failed"
    assert "order" in error.value.problems[0].where


def test_a_check_that_asks_for_a_column_that_is_not_there_freezes_the_file(broken_check):
    contract = broken_check(lambda _field: pl.col("nowhere") > 0)
    with pytest.raises(check_rows.ToolError):
        check_rows.check(rows("order", {"currency": "CNY"}), contract)


def test_one_answer_for_the_whole_frame_is_the_answer_of_every_row(broken_check):
    contract = broken_check(lambda _field: pl.lit(False))
    frame = rows("order", *({"currency": "CNY"} for _ in range(4)))
    assert check_rows.check(frame, contract)["row"].to_list() == [0, 1, 2, 3]


def test_a_column_of_the_wrong_type_freezes_the_file(contracts):
    frame = rows("order", {"paid_amount": 1}).with_columns(pl.col("paid_amount").cast(pl.String))
    with pytest.raises(check_rows.ToolError):
        check_rows.check(frame, contracts.of("order"))


def test_a_missing_extraction_time_freezes_the_file_instead_of_skipping_the_check(contracts):
    with pytest.raises(check_rows.ToolError):
        check_rows.check(rows("order", {"paid_amount": 1}).drop("extracted_at"), contracts.of("order"))


# --- for every input ------------------------------------------------------------------------------------


@given(st.lists(st.one_of(st.none(), st.integers(-(2**62), 2**62)), max_size=40))
def test_exactly_the_negative_amounts_are_found_wherever_they_stand(amounts):
    frame = rows("order_line", *({"amount": a} for a in amounts), order_source_id="A")
    contract = contract_of(rule("order_line", "amount", "at_least", {"value": 0}))
    expected = [n for n, amount in enumerate(amounts) if amount is not None and amount < 0]
    assert check_rows.check(frame, contract)["row"].to_list() == expected


def test_a_hundred_thousand_orders_are_judged_in_well_under_half_a_cpu_second(contracts):
    count = 100_000
    frame = pl.DataFrame(
        {
            "source_id": [str(n) for n in range(count)],
            "source_created_at": pl.repeat(NOON, count, eager=True),
            "source_updated_at": pl.repeat(NOON, count, eager=True),
            "ordered_at": pl.repeat(NOON, count, eager=True),
            "extracted_at": pl.repeat(NOON, count, eager=True),
            "currency": pl.repeat("CNY", count, eager=True),
            "goods_amount": pl.Series(range(count), dtype=pl.Int64),
            "discount_amount": pl.repeat(0, count, dtype=pl.Int64, eager=True),
            "freight_amount": pl.repeat(0, count, dtype=pl.Int64, eager=True),
            "paid_amount": pl.Series([-1 if n % 100 == 0 else n for n in range(count)], dtype=pl.Int64),
        }
    )
    check_rows.check(frame.head(1), contracts.of("order"))  # the first call pays for importing pandera
    before = time.process_time()
    result = check_rows.check(frame, contracts.of("order"))
    assert time.process_time() - before < 0.5
    assert result.height == count // 100


def test_a_column_of_nothing_but_nulls_is_judged_like_any_other(contracts):
    frame = rows("order_line", {"amount": None}, order_source_id="A")
    untyped = frame.with_columns(amount=pl.lit(None), order_source_id=pl.lit(None))
    assert found(contracts, untyped, "order_line") == {(0, "row.key-missing")}
