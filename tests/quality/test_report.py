"""The report: its shape, that its numbers agree with each other, and that it says first what matters most."""

import json
import re
import time
from importlib import resources

import polars as pl
import pytest
from jsonschema import Draft202012Validator

from console.report import render
from quality.checking import run_checks, store_results
from quality.debts import Unregistered
from quality.report import report
from quality.status import status
from quality.waivers import Waiver, waive
from state import ledger, outbox
from state.meters import CallMeter

SECOND = 1_000_000
HOUR = 3_600 * SECOND
DAY = 24 * HOUR

SCHEMA = json.loads((resources.files("quality.report") / "report.schema.json").read_text(encoding="utf-8"))


@pytest.fixture
def make(store, now, company, contracts):
    """The report, after its shape was found right."""

    def run(at=now, **more):
        with store.reading() as tx:
            made = report(tx, at, company, contracts, run_id="r-1", **more)
        problems = [f"{list(e.absolute_path)}: {e.message}" for e in Draft202012Validator(SCHEMA).iter_errors(made)]
        assert problems == []
        return made

    return run


@pytest.fixture
def troubled(store, put, now, company):
    """A day on which every part of the report has something to say."""
    put("run", {"run_id": "r", "started_at": now - DAY}, connector="erp")
    for connector in company.connectors.values():
        for stream in connector.streams:
            at = now - 5 * HOUR if connector.name == "shop" else now - 60 * SECOND
            row = {"run_id": f"r-{connector.name}", "stream": stream.name, "finished_at": at, "read": 40}
            put("stream_run", row, connector=connector.name)
    with store.transaction() as tx:
        for connector, seconds in (("erp", [20] * 990 + [9000] * 30), ("tickets", [30] * 50)):
            durations = pl.Series([s * SECOND for s in seconds], dtype=pl.Int64)
            ledger.enter(tx, connector, "orders", "2026-11-21", "source_to_hub", durations, backfill=False)
            ledger.enter(tx, connector, "orders", "2026-11-20", "source_to_hub", durations, backfill=True)
        outbox.switch(tx, "crm", on=True)
    meter = CallMeter("tickets", lambda: now)
    for _ in range(97):
        meter.attempt("tickets", "ok", 3)
        meter.call("tickets", "ok")
    for _ in range(5):
        meter.attempt("tickets", "auth", 3)
    meter.flush(store)
    late = {"record_key": "O-1", "source_updated_at": now - 3 * HOUR, "committed_at": now - HOUR // 2}
    put("late_record", late, connector="erp")
    keys = [f"SO-{n}" for n in range(7)]
    put(
        "quarantine",
        *({"record_key": key, "due_at": now + HOUR if key != "SO-0" else now - HOUR} for key in keys),
        connector="erp", entity="order",
    )  # fmt: skip
    put(
        "quarantine",
        {"record_key": "T1", "code": "cell.choice-unknown", "due_at": now + HOUR},
        connector="tickets", stream="tickets", entity="ticket",
        reasons='[["cell.choice-unknown", "ticket.type", "吐槽"]]',
    )  # fmt: skip
    put("landing_file", {"status": "frozen", "lines": 500, "sealed_at": now - HOUR, "backfill": 1}, connector="tickets")
    put("customer_record", {"source_id": "C1", "customer_id": 1, "name": "王芳"}, connector="erp")
    put("customer_record", {"source_id": "B1", "customer_id": 1, "name": "王芳"}, connector="shop")
    for connector, source in (("erp", "C1"), ("shop", "B1")):
        put("identifier", {"source_id": source, "kind": "phone", "mask": "138****0001"}, connector=connector)
    put("order", *({"source_id": f"O{n}", "customer_source_id": "C1"} for n in range(8)), connector="erp")
    put("order", {"source_id": "O8"}, {"source_id": "O9"}, connector="erp")
    put("product", {"source_id": "1", "code": "LIB-1"}, connector="crm")
    lines = [{"source_id": str(n), "order_source_id": "O1", "sku": "KD-1", "amount": 125_050} for n in range(4)]
    linked = {"source_id": "9", "order_source_id": "O2", "sku": "LIB-1", "amount": 100_000, "status": "linked"}
    put("order_line", *lines, linked, connector="erp", status="held")
    put("sku_link", {"sku": "LIB-1", "product_code": "LIB-1", "status": "approved", "kind": "exact"}, connector="erp")
    put("identity_conflict", {"record_a": 1, "record_b": 2, "kind": "unionid", "opened_at": now}, code="exclusive")
    put(
        "waiting_decision",
        {"kind": "writeback.guard", "object": "crm", "due_at": now + DAY, "zh": "回写计划等待批准", "en": "a plan"},
    )
    put("score_definition", {"name": "rfm", "status": "draft"}, {"name": "tiers", "status": "published"}, digest="d")
    put(
        "score", *({"customer_id": n, "value": "A" if n < 2 else "D"} for n in range(5)), name="tier", version="tiers@1"
    )
    put("score", {"customer_id": 1, "name": "rfm", "value": "81", "version": "rfm@1"})
    for n, word in enumerate(("available", "confirmed", "rejected", "drifted")):
        put("outbox", {"status": word, "field": "tier", "due_at": now + DAY}, target="crm", source_id=f"C{n}")


def test_an_empty_hub_makes_a_whole_report_without_data(make):
    made = make()
    assert made["status"] == "no_data"
    assert made["sku"]["codes"] == {"good": 0, "total": 0}
    assert made["identity"] is None
    assert made["scores"] is None
    assert made["do_first"] == []
    assert {one["status"] for one in made["connectors"]} == {"no_data"}
    assert "无数据" in render(made, strict=True)


def test_the_page_can_be_made_of_it_and_misses_nothing(make, troubled):
    page = render(make(), strict=True)
    assert "金蝶云星空" in page


def test_what_is_owed_is_found_again_in_its_sections(make, troubled):
    made = make()
    assert made["owed"] == {"quarantine": 8, "landing": 1, "writes": 2, "streams": 1, "held_lines": 4, "decisions": 3}
    assert made["owed_overdue"] == {**dict.fromkeys(made["owed"], 0), "quarantine": 1}
    assert made["todo"] == sum(made["owed"].values())
    assert sum(one["rows"] for one in made["quarantine"]) == 8
    assert sum(one["overdue"] for one in made["quarantine"]) == 1
    assert made["identity"]["conflicts"] == 1
    stale = [s for c in made["connectors"] for s in c["streams"] if s["status"] == "warning"]
    assert len(stale) == 1


def test_status_and_report_say_the_same(make, store, troubled, now, company, contracts):
    with store.transaction() as tx:
        store_results(tx, run_checks(tx, now, contracts, company), now)
    with store.reading() as tx:
        short = status(tx, now, company)
    made = make()
    assert (short["status"], short["owed"], short["todo"]) == (made["status"], made["owed"], made["todo"])
    assert short["objectives"] == {one["code"]: one["status"] for one in made["objectives"]}
    assert short["owed_overdue"] == made["owed_overdue"]


def test_status_is_answered_within_a_tenth_of_a_cpu_second(store, troubled, now, company):
    with store.reading() as tx:
        status(tx, now, company)
        before = time.process_time()
        status(tx, now, company)
        assert time.process_time() - before < 0.1


def test_three_things_stand_in_front_the_most_urgent_and_largest_first(make, troubled):
    made = make()
    items = made["do_first"] + made["do_next"]
    assert len(made["do_first"]) == 3
    rank = {"breach": 0, "warning": 1, "ok_todo": 2}
    assert [rank[one["status"]] for one in items] == sorted(rank[one["status"]] for one in items)
    assert [one["code"] for one in made["do_first"][:2]] == ["latency.hub", "order.paid-negative"]
    assert {one["code"] for one in items} >= {
        "latency.hub", "order.paid-negative", "failure.attempts", "stream.stale", "order.customer-missing",
        "landing.waiting", "sku.unmatched", "write.unconfirmed", "identity.conflict", "decision.writeback.guard",
        "score.unpublished", "cell.choice-unknown",
    }  # fmt: skip


def test_items_say_numbers_owner_and_the_exact_command(make, troubled):
    made = make()
    by_code = {one["code"]: one for one in made["do_first"] + made["do_next"]}
    late = by_code["latency.hub"]
    assert late["title"]["zh"] == "金蝶云星空的数据来晚了"
    assert late["evidence"]["zh"] == "近 28 天 97% 在 5 分钟内进入客户库 (要求 99%)"
    assert late["impact"]["zh"] == "30 条晚到, 允许 10 条"
    assert (late["owner"], late["kind"]) == ("王磊", "it")
    stale = by_code["stream.stale"]
    assert (stale["command"], stale["evidence"]["zh"]) == ("liuke sync shop", "orders 已 5 小时未成功同步, 上限 5 分钟")
    sku = by_code["sku.unmatched"]
    assert sku["title"]["zh"] == "1 个商品编码在商品库中找不到"
    assert sku["evidence"]["zh"] == "编码匹配率 50% (1 / 2), 要求 100%"
    assert sku["impact"]["zh"] == "挂起明细 4 行, 涉及 50.02 元"
    assert (sku["kind"], sku["command"]) == ("owner", "")
    money = by_code["order.paid-negative"]
    assert money["impact"]["zh"] == "7 条记录未入库, 1 条已逾期"
    assert money["evidence"]["zh"] == "orders 有 7 条, 例如 SO-0 · -1.00"
    assert by_code["failure.attempts"]["evidence"]["zh"] == "今日 102 次尝试失败 5 次, 上限 2%"
    assert by_code["failure.attempts"]["impact"]["zh"] == "重试后都成功, 数据没有缺失"
    assert by_code["cell.choice-unknown"]["command"] == (
        "liuke quarantine replay --connector tickets --code cell.choice-unknown"
    )


def test_the_headline_counts_and_names_the_worst(make, troubled):
    zh = make()["headline"]["zh"]
    assert re.match(r"\d+ 项未达标、\d+ 项预警: 金蝶云星空的数据来晚了 \(30 条晚到, 允许 10 条\); ", zh), zh


def test_amounts_are_exact_text_in_yuan(make, troubled):
    sku = make()["sku"]
    assert sku["amount"] == {"good_yuan": "10.00", "total_yuan": "60.02"}
    assert sku["lines"] == {"good": 1, "total": 5}
    assert sku["unmatched"] == [{"connector": "erp", "sku": "KD-1", "name": "", "lines": 4, "amount_yuan": "50.02"}]


def test_a_connector_shows_its_last_24_hours(make, troubled):
    made = make()
    erp = next(one for one in made["connectors"] if one["name"] == "erp")
    assert erp["hours"][-1]["hour"] == "2026-11-21T12:00:00+08:00"
    assert erp["hours"][0]["hour"] == "2026-11-20T13:00:00+08:00"
    assert erp["hours"][-2] == {
        "hour": "2026-11-21T11:00:00+08:00", "status": "warning", "records": 80, "late": 1, "failed": 0,
    }  # fmt: skip
    assert erp["hours"][3]["status"] == "no_data"
    assert (erp["latency"]["p50_s"], erp["latency"]["max_s"]) == (15, 9000)
    assert erp["backfill_excluded"] == 1020
    tickets = next(one for one in made["connectors"] if one["name"] == "tickets")
    assert tickets["failure"]["attempts"] == {"failed": 5, "total": 102}
    assert tickets["failure"]["hint"]["zh"].startswith("多为凭证失效")


def test_a_source_that_cannot_give_a_field_has_no_cell(make, troubled):
    made = make()["completeness"]
    column = [field["field"] for field in made["fields"]].index("title")
    cells = {row["connector"]: row["cells"][column] for row in made["rows"]}
    assert cells["shop"] is None
    assert cells["erp"] == {"good": 0, "total": 1, "status": "warning"}
    assert made["fields"][column]["threshold"] == 0.7
    assert cells["tickets"] is None


def test_the_matrix_tells_what_a_source_cannot_give_from_what_it_did_not(make, troubled):
    rows = {row["check"]: row["cells"] for row in make()["matrix"]["rows"]}
    assert rows["ticket.customer-missing"] == {"erp": "—", "shop": "—", "tickets": "no_data", "crm": "—"}
    assert rows["order.customer-missing"]["erp"] == "warning"
    assert rows["score.stage"] == {"erp": "no_data", "shop": "no_data", "tickets": "—", "crm": "—"}
    assert rows["score.tier"]["erp"] == "ok"


def test_trends_end_today_and_skip_days_that_were_not_judged(make, put, troubled, now):
    past = {"day": "2026-11-19", "good": 5, "total": 6, "status": "warning", "judged_at": now - 2 * DAY}
    put("check_result", {**past, "code": "order.customer-missing"}, connector="erp", entity="order", field="")
    check = next(
        one for one in make()["checks"] if one["code"] == "order.customer-missing" and one["connector"] == "erp"
    )
    assert check["trend"] == [
        {"day": "2026-11-19", "good": 5, "total": 6}, {"day": "2026-11-21", "good": 8, "total": 10},
    ]  # fmt: skip
    assert check["found"] == 2
    assert [one["key"] for one in check["sample"]] == ["O8", "O9"]


def test_what_is_waived_is_listed_and_nobody_is_told_to_do_it(make, store, troubled, now):
    with store.transaction() as tx:
        for n in range(7):
            waive(tx, Waiver("quarantine", f"erp/order/SO-{n}", "李娜", "历史数据", now, now + DAY))
    made = make()
    assert len(made["waived"]) == 7
    assert made["waived"][0]["until"] == "2026-11-22T12:00:00+08:00"
    assert made["owed"]["quarantine"] == 1
    assert "order.paid-negative" not in {one["code"] for one in made["do_first"] + made["do_next"]}
    assert next(one for one in made["quarantine"] if one["code"] == "order.paid-negative")["waived"] == 7


def test_files_only_the_disk_knows_are_named_among_what_to_do(make, put, now):
    put("run", {"run_id": "r", "started_at": now}, connector="erp")
    made = make(unregistered=Unregistered(2, now - HOUR))
    assert made["owed"]["landing"] == 2
    assert "2 个落地文件还没有入库" in {one["title"]["zh"] for one in made["do_first"] + made["do_next"]}


def test_no_person_and_no_number_stands_in_it(make, troubled):
    text = json.dumps(make(), ensure_ascii=False)
    assert "王芳" not in text
    assert not re.search(r"1[3-9]\d{9}", text)


def test_a_system_that_uses_phones_as_numbers_does_not_show_them(make, put, troubled, now):
    put("order", {"source_id": "13900001111", "customer_source_id": "13812345678"}, connector="shop")
    bad = {"record_key": "13700002222", "due_at": now + HOUR, "stream": "customers", "code": "row.key-missing"}
    put("quarantine", bad, connector="shop", entity="customer_record", reasons="[]")
    made = make()
    text = json.dumps(made, ensure_ascii=False)
    assert not re.search(r"1[3-9]\d{9}", text)
    shown = next(c for c in made["checks"] if (c["code"], c["connector"]) == ("order.customer-missing", "shop"))
    assert shown["sample"] == [{"key": "139****1111", "note": "138****5678"}]
    assert "137****2222" in {one["sample"] for one in made["quarantine"]}


def test_the_shape_refuses_what_is_not_in_it(make):
    made = make()
    made["extra"] = 1
    made["status"] = "fine"
    assert len(list(Draft202012Validator(SCHEMA).iter_errors(made))) == 2


def test_identity_and_scores_count_customers(make, troubled):
    made = make()
    assert made["identity"] == {
        "records": 2, "customers": 1, "merged_by": {"phone": 1}, "conflicts": 1, "shared_identifiers": 0,
        "proposals": None,
    }  # fmt: skip
    assert made["scores"]["tiers"] == [
        {"tier": "A", "customers": 2, "share": {"good": 2, "total": 5}},
        {"tier": "D", "customers": 3, "share": {"good": 3, "total": 5}},
    ]
    assert (made["scores"]["definition"], made["scores"]["status"]) == ("rfm@1 · tiers@1", "draft")
    assert made["writeback"]["targets"][0]["waiting"] == 1
    assert made["writeback"]["targets"][0]["approved"] is True


def test_a_source_that_sends_nothing_comes_before_one_that_sends_gaps(make, troubled):
    made = make()
    warnings = [one["code"] for one in made["do_first"] + made["do_next"] if one["status"] == "warning"]
    assert warnings[0] == "stream.stale"


def test_a_target_that_waits_for_its_approval_is_one_item_not_two(make, store, troubled):
    with store.transaction() as tx:
        outbox.switch(tx, "crm", on=False)
    made = make()
    items = {one["code"]: one for one in made["do_first"] + made["do_next"]}
    assert "write.unconfirmed" not in items
    assert items["decision.writeback.guard"]["command"] == "liuke writeback plan crm"
    assert made["owed"]["writes"] == 2
