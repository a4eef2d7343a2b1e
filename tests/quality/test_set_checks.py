"""Set findings: each finds exactly what is wrong, names it by key, and leaves what is right alone."""

from dataclasses import replace
from decimal import Decimal

import pytest

from quality.checking import run_checks, store_results, trends

DAY = 86_400_000_000


@pytest.fixture
def judge(store, now, contracts, company):
    """Results by (code, connector)."""

    def run(at=now, expected=company):
        with store.reading() as tx:
            results = run_checks(tx, at, contracts, expected)
        return {(one.code, one.connector): one for one in results}

    return run


def keys(result):
    return [sample.key for sample in result.sample]


def test_orders_of_an_unknown_customer_and_of_none_are_found(put, judge):
    put("customer_record", {"source_id": "C1"}, {"source_id": "C2", "deleted": 1}, connector="erp")
    put(
        "order",
        {"source_id": "known", "customer_source_id": "C1"},
        {"source_id": "gone", "customer_source_id": "C2"},
        {"source_id": "unknown", "customer_source_id": "C9"},
        {"source_id": "nobody"},
        {"source_id": "deleted", "deleted": 1},
        connector="erp",
    )
    put("order", {"source_id": "elsewhere", "customer_source_id": "C1"}, connector="shop")
    found = judge()
    assert keys(found["order.customer-missing", "erp"]) == ["gone", "nobody", "unknown"]
    assert (found["order.customer-missing", "erp"].good, found["order.customer-missing", "erp"].total) == (1, 4)
    assert keys(found["order.customer-missing", "shop"]) == ["elsewhere"]


def test_an_order_whose_buyer_is_a_record_of_its_own_has_its_customer(put, judge):
    put("record_registry", {"record_no": 7, "connector": "shop", "source_id": "buyer-7"})
    put("customer_record", {"source_id": "buyer-7", "record_no": 7}, connector="shop")
    put("order", {"source_id": "A", "buyer_record_no": 7}, {"source_id": "B", "buyer_record_no": 8}, connector="shop")
    assert keys(judge()["order.customer-missing", "shop"]) == ["B"]


def test_lines_and_refunds_whose_order_is_not_visible_are_found(put, judge):
    put("order", {"source_id": "O1"}, {"source_id": "O2", "deleted": 1}, connector="erp")
    lines = [{"source_id": f"L{n}", "order_source_id": f"O{n}"} for n in (1, 2, 3)]
    put("order_line", *lines, connector="erp")
    put("refund", *({**line, "source_id": f"R{n}"} for n, line in enumerate(lines)), connector="erp")
    found = judge()
    assert keys(found["order_line.order-missing", "erp"]) == ["L2", "L3"]
    assert [sample.note for sample in found["order_line.order-missing", "erp"].sample] == ["O2", "O3"]
    assert keys(found["refund.order-missing", "erp"]) == ["R1", "R2"]


def test_only_refunds_that_are_done_count_against_what_was_paid(put, judge):
    put("order", *({"source_id": o, "paid_amount": 100} for o in ("even", "over", "asked")), connector="erp")
    put(
        "refund",
        {"source_id": "1", "order_source_id": "even", "amount": 60, "status": "done"},
        {"source_id": "2", "order_source_id": "even", "amount": 40, "status": "done"},
        {"source_id": "3", "order_source_id": "over", "amount": 60, "status": "done"},
        {"source_id": "4", "order_source_id": "over", "amount": 41, "status": "done"},
        {"source_id": "5", "order_source_id": "asked", "amount": 500, "status": "requested"},
        connector="erp",
    )
    result = judge()["refund.exceeds-paid", "erp"]
    assert keys(result) == ["over"]
    assert (result.found, result.total) == (1, 2)


def test_tickets_without_customer_and_complaints_rated_best_are_found(put, judge):
    put("customer_record", {"source_id": "C1"}, connector="tickets")
    put(
        "ticket",
        {"source_id": "T1", "customer_source_id": "C1", "type": "complaint", "rating": 5},
        {"source_id": "T2", "type": "complaint", "rating": 1},
        {"source_id": "T3", "customer_source_id": "C1", "type": "question", "rating": 5},
        {"source_id": "T4", "customer_source_id": "C1", "type": "complaint"},
        connector="tickets",
    )
    found = judge()
    assert keys(found["ticket.customer-missing", "tickets"]) == ["T2"]
    assert keys(found["ticket.rating-contradicts", "tickets"]) == ["T1"]
    assert found["ticket.rating-contradicts", "tickets"].total == 2
    assert found["ticket.rating-contradicts", "tickets"].status == "ok", "information never warns"


def test_codes_without_a_link_are_found_whether_sold_or_only_listed(put, judge, now):
    put("product", {"source_id": "1", "code": "LIB-1"}, connector="crm")
    put(
        "product",
        {"source_id": "1", "code": "linked"},
        {"source_id": "2", "code": "listed"},
        {"source_id": "3", "code": "disabled", "enabled": 0},
        {"source_id": "4", "code": "just-made", "source_created_at": now - DAY + 1},
        {"source_id": "5", "code": "made-yesterday", "source_created_at": now - DAY},
        connector="erp",
    )
    put(
        "order_line",
        {"source_id": "1", "sku": "linked", "status": "linked"},
        {"source_id": "2", "sku": "sold", "status": "held", "amount": 125_000},
        {"source_id": "3", "sku": "sold", "status": "held", "amount": 100},
        {"source_id": "4", "sku": "free-mug", "status": "gift"},
        {"source_id": "5", "sku": "fitting", "status": "service"},
        {"source_id": "6", "sku": "expired", "status": "held"},
        connector="erp",
    )
    put(
        "sku_link",
        {"sku": "linked", "status": "approved"},
        {"sku": "listed", "status": "proposed"},
        {"sku": "expired", "status": "approved", "valid_to": now},
        connector="erp", product_code="LIB-1", kind="manual",
    )  # fmt: skip
    result = judge()["sku.unmatched", "erp"]
    assert keys(result) == ["expired", "listed", "made-yesterday", "sold"]
    assert {sample.key: sample.note for sample in result.sample}["sold"] == "2"
    assert (result.good, result.total) == (1, 5)
    assert ("sku.unmatched", "crm") not in judge(), "the library is not matched with itself"


def test_without_a_library_nothing_is_said_of_codes(put, judge, company):
    put("order_line", {"source_id": "1", "sku": "sold"}, connector="erp")
    assert not [code for code, _ in judge(expected=replace(company, library="")) if code.startswith("sku.")]


def test_products_of_the_library_that_share_a_barcode_are_found(put, judge):
    rows = [("1", "690"), ("2", "690"), ("3", "691"), ("4", ""), ("5", ""), ("6", None)]
    put("product", *({"source_id": i, "code": i, "barcode": b} for i, b in rows), connector="crm")
    put("product", {"source_id": "1", "code": "1", "barcode": "691"}, connector="erp")
    result = judge()["sku.library-duplicate-barcode", "crm"]
    assert keys(result) == ["1", "2"]
    assert result.total == 3


def test_conflicts_are_found_once_a_pair_for_the_hub_as_a_whole(put, judge):
    put(
        "identity_conflict",
        {"record_a": 1, "record_b": 2, "kind": "unionid"},
        {"record_a": 1, "record_b": 2, "kind": "phone"},
        {"record_a": 3, "record_b": 4, "kind": "unionid"},
        code="exclusive",
    )
    put("customer_record", *({"source_id": str(n), "customer_id": n} for n in range(1, 9)), connector="erp")
    result = judge()["identity.conflict", ""]
    assert keys(result) == ["1-2", "3-4"]
    assert result.found == 2


def test_a_phone_of_more_records_than_the_cap_is_information(put, judge):
    def row(number, digest, kind="usable"):
        return {"source_id": str(number), "digest": digest, "class": kind, "mask": "138****0001", "kind": "phone"}

    put("identifier", *(row(n, b"clerk" * 3 + b"k") for n in range(13)), connector="shop")
    put("identifier", *(row(n, b"mama") for n in range(20, 32)), connector="shop")
    put("identifier", *(row(n, b"hotline", "shared") for n in range(40, 60)), connector="shop")
    result = judge()["identity.shared-phone", ""]
    assert (result.found, result.total, result.status) == (1, 2, "ok")
    assert result.sample[0].note == "13"


def test_leads_that_are_one_customer_are_all_listed(put, judge):
    put("record_registry", *({"record_no": n, "connector": "shop", "source_id": f"B{n}"} for n in (1, 2, 3)))
    put(
        "customer_record",
        {"source_id": "B1", "record_no": 1, "customer_id": 1},
        {"source_id": "B2", "record_no": 2, "customer_id": 1},
        {"source_id": "B3", "record_no": 3, "customer_id": 3},
        connector="shop",
    )
    put("lead", *({"source_id": f"lead-{n}", "buyer_record_no": n} for n in (1, 2, 3, 4)), connector="shop")
    result = judge()["lead.duplicate", "shop"]
    assert keys(result) == ["lead-1", "lead-2"]
    assert (result.found, result.total) == (2, 4)


def test_history_is_counted_in_days_up_to_twelve_months(put, judge, now):
    put("order", {"source_id": "1", "ordered_at": now - 100 * DAY}, connector="erp")
    put("order", {"source_id": "1", "ordered_at": now - 400 * DAY}, connector="shop")
    found = judge()
    assert (found["history.depth", "erp"].good, found["history.depth", "erp"].total) == (100, 365)
    assert found["history.depth", "erp"].status == "warning"
    assert found["history.depth", "erp"].sample == ()
    assert found["history.depth", "shop"].status == "ok"


def test_nothing_to_judge_is_no_data_and_not_zero_percent(judge):
    found = judge()
    assert {result.status for result in found.values()} == {"no_data"}
    assert {result.total for result in found.values()} == {0}


# --- completeness ---------------------------------------------------------------------------------------


def test_completeness_is_asked_only_of_fields_that_a_map_fills(put, judge):
    put("customer_record", {"source_id": "1", "name": "王芳"}, connector="shop")
    found = judge()
    assert ("completeness.customer_record.title", "erp") in found
    assert ("completeness.customer_record.title", "shop") not in found
    assert found["completeness.customer_record.title", "erp"].status == "no_data"


def test_empty_text_is_not_filled_and_channels_and_deleted_rows_are_not_asked(put, judge):
    put(
        "customer_record",
        {"source_id": "1", "title": "经理"},
        {"source_id": "2", "title": ""},
        {"source_id": "3"},
        {"source_id": "4", "kind": "channel"},
        {"source_id": "5", "deleted": 1},
        connector="erp",
    )
    result = judge()["completeness.customer_record.title", "erp"]
    assert (result.good, result.total, result.status) == (1, 3, "warning")
    assert keys(result) == ["2", "3"]


@pytest.mark.parametrize(("filled", "status"), [(7, "ok"), (6, "warning")])
def test_seventy_percent_of_titles_is_enough_and_less_is_not(put, judge, filled, status):
    rows = [{"source_id": str(n), "title": "经理" if n < filled else None} for n in range(10)]
    put("customer_record", *rows, connector="erp")
    assert judge()["completeness.customer_record.title", "erp"].status == status


def test_a_phone_counts_only_if_it_can_be_called(put, judge):
    put("customer_record", *({"source_id": str(n)} for n in range(4)), connector="shop")
    classes = enumerate(("usable", "masked", "virtual"))
    put("identifier", *({"source_id": str(n), "class": c} for n, c in classes), connector="shop", kind="phone")
    result = judge()["completeness.customer_record.phone", "shop"]
    assert (result.good, result.total) == (1, 4)
    assert keys(result) == ["1", "2", "3"]


# --- row rules and the quarantine -----------------------------------------------------------------------


def test_quarantined_rows_stand_against_visible_ones_and_overdue_ones_are_a_breach(put, judge, now):
    put("order", *({"source_id": str(n)} for n in range(8)), connector="erp")
    put(
        "quarantine",
        {"record_key": "O-9", "due_at": now + 1},
        {"record_key": "O-8", "due_at": now + 1, "status": "closed"},
        connector="erp", entity="order",
    )  # fmt: skip
    result = judge()["order.paid-negative", "erp"]
    assert (result.good, result.found, result.status) == (8, 1, "ok_todo")
    assert keys(result) == ["O-9"]
    assert judge(now + 2)["order.paid-negative", "erp"].status == "breach"
    assert judge()["order.currency-not-cny", "erp"].status == "ok"


def test_a_row_rule_is_not_shown_for_a_source_without_its_fields(judge):
    found = judge()
    assert ("order.paid-exceeds-total", "erp") not in found, "no discount, no freight"
    assert ("ticket.solved-before-received", "tickets") in found


# --- every day ------------------------------------------------------------------------------------------


def test_results_are_kept_by_day_and_the_last_of_a_day_counts(store, put, now, contracts, company):
    put("order", {"source_id": "1"}, connector="erp")
    for at in (now - DAY, now - 3_600_000_000, now):
        with store.transaction() as tx:
            store_results(tx, run_checks(tx, at, contracts, company), at)
            put_customer = "UPDATE \"order\" SET customer_source_id = 'C1'"
            tx.exec_driver_sql(put_customer)
            tx.exec_driver_sql("DELETE FROM customer_record")
            tx.exec_driver_sql(
                "INSERT INTO customer_record (connector, source_id, extracted_at, committed_at, landing_no, line_no, "
                "content_hash, run_id) SELECT 'erp', 'C1', 1, 1, 1, 1, content_hash, 'r' FROM \"order\""
            )
    with store.reading() as tx:
        history = trends(tx, now)["order.customer-missing", "erp", "order", ""]
    assert [(day.day, day.good, day.total) for day in history] == [("2026-11-20", 0, 1), ("2026-11-21", 1, 1)]


def test_a_target_of_a_user_is_the_one_that_counts(put, judge, store, now, contracts, company):
    put("order", *({"source_id": str(n)} for n in range(2)), connector="erp")
    rule = contracts.rule("order.customer-missing")
    lax = replace(
        contracts.of("order"),
        rules=tuple(replace(r, target=Decimal(0)) if r is rule else r for r in contracts.of("order").rules),
    )
    with store.reading() as tx:
        results = run_checks(tx, now, replace(contracts, changed={("erp", "order"): lax}), company)
    assert [r.status for r in results if (r.code, r.connector) == ("order.customer-missing", "erp")] == ["ok"]
    assert judge()["order.customer-missing", "erp"].status == "warning"
