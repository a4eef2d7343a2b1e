"""Debts and the status word: each kind alone keeps the hub from being ok, and a waiver counts apart."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from mappings.problems import Text
from quality import debts, waivers
from quality.debts import Item, Owing, Unregistered
from quality.status import status, word

ROOT = Path(__file__).parents[2]
HOUR = 3_600_000_000
DAY = 24 * HOUR


@pytest.fixture
def healthy(put, now, company):
    """A hub that has just pulled every stream and owes nothing."""
    put("run", {"run_id": "r", "started_at": now}, connector="erp")
    for connector in company.connectors.values():
        rows = [{"run_id": "r-" + connector.name, "stream": s.name, "finished_at": now} for s in connector.streams]
        put("stream_run", *rows, connector=connector.name)
    return company


def said(store, now, company, unregistered=debts.NONE_UNREGISTERED):
    with store.reading() as tx:
        return status(tx, now, company, unregistered)


OWES = {
    "quarantine": lambda put, now: put(
        "quarantine", {"record_key": "1", "due_at": now + DAY}, connector="erp", entity="order"
    ),
    "landing": lambda put, now: put("landing_file", {"status": "sealed"}, connector="erp"),
    "writes": lambda put, now: put(
        "outbox", {"status": "available", "due_at": now + DAY}, target="crm", source_id="C1", field="score"
    ),
    "held_lines": lambda put, now: put("order_line", {"source_id": "1", "sku": "X", "status": "held"}, connector="erp"),
    "decisions": lambda put, now: put("identity_conflict", {"record_a": 1, "record_b": 2}, code="exclusive"),
}


def test_a_hub_that_owes_nothing_is_ok(store, healthy, now):
    report = said(store, now, healthy)
    assert report["status"] == "ok"
    assert report["owed"] == dict.fromkeys(("quarantine", "landing", "writes", "streams", "held_lines", "decisions"), 0)


@pytest.mark.parametrize("debt", OWES)
def test_each_debt_alone_keeps_the_hub_from_being_ok(store, put, healthy, now, debt):
    OWES[debt](put, now)
    report = said(store, now, healthy)
    assert report["status"] == "ok_todo"
    assert {name: n for name, n in report["owed"].items() if n} == {debt: 1}
    assert report["todo"] == 1
    assert not any(report["owed_overdue"].values())


@pytest.mark.parametrize("debt", OWES)
def test_after_a_day_each_debt_alone_is_a_breach(store, put, healthy, now, debt):
    OWES[debt](put, now)
    late = now + DAY + 1
    put("stream_run", {"run_id": "late", "finished_at": late}, connector="erp")
    report = said(store, late, healthy)
    assert report["owed_overdue"][debt] == 1
    assert report["status"] == "breach"


def test_a_stream_nobody_pulls_is_owed_and_warns_and_is_a_breach_a_day_later(store, healthy, now):
    assert said(store, now + 300_000_000, healthy)["status"] == "ok"
    at = now + 300_000_001
    report = said(store, at, healthy)
    assert report["owed"]["streams"] == 4, "the fifth is pulled every ten minutes"
    assert report["status"] == "warning"
    late = now + DAY + 300_000_001
    assert said(store, late, healthy)["owed_overdue"]["streams"] == 4
    assert said(store, late, healthy)["status"] == "breach"


def test_files_that_only_the_disk_knows_are_owed(store, healthy, now):
    report = said(store, now, healthy, Unregistered(3, now - HOUR))
    assert (report["owed"]["landing"], report["status"]) == (3, "ok_todo")
    assert said(store, now, healthy, Unregistered(3, now - DAY - 1))["status"] == "breach"


def test_a_frozen_file_is_owed_and_a_loaded_one_is_not(store, put, healthy, now):
    put("landing_file", {"status": "frozen", "landing_no": 1}, {"status": "loaded", "landing_no": 2}, connector="erp")
    assert said(store, now, healthy)["owed"]["landing"] == 1


@pytest.mark.parametrize(
    ("word_", "owed"),
    [("available", 1), ("sending", 1), ("accepted", 1), ("rejected", 1), ("later", 1), ("unknown", 1),
     ("confirmed", 0), ("drifted", 0)],
)  # fmt: skip
def test_a_write_is_owed_until_it_has_been_read_back(store, put, healthy, now, word_, owed):
    put("outbox", {"status": word_, "due_at": now + DAY}, target="crm", source_id="C1", field="score")
    assert said(store, now, healthy)["owed"]["writes"] == owed


def test_lines_that_are_linked_or_deleted_are_not_held(store, put, healthy, now):
    rows = [{"source_id": "1", "status": "linked"}, {"source_id": "2", "status": "held", "deleted": 1}]
    put("order_line", *rows, connector="erp")
    assert said(store, now, healthy)["owed"]["held_lines"] == 0


def test_a_pair_in_conflict_is_one_decision_however_much_evidence_there_is(store, put, healthy, now):
    rows = [{"kind": kind, "record_a": 1, "record_b": 2} for kind in ("unionid", "phone")]
    put("identity_conflict", *rows, code="exclusive")
    put("waiting_decision", {"kind": "plan", "due_at": now + DAY})
    assert said(store, now, healthy)["owed"]["decisions"] == 2


def test_a_definition_waits_only_in_its_newest_version(store, put, healthy, now):
    put(
        "score_definition",
        {"name": "rfm", "version": "9", "status": "published"},
        {"name": "rfm", "version": "10", "status": "draft"},
        {"name": "tiers", "version": "1", "status": "draft"},
        {"name": "tiers", "version": "2", "status": "reviewed"},
        {"name": "churn", "version": "1", "status": "draft"},
        {"name": "churn", "version": "2", "status": "published"},
        {"name": "health", "version": "1", "status": "retired"},
        digest="x",
    )
    assert said(store, now, healthy)["owed"]["decisions"] == 2


def test_nothing_that_ever_ran_is_no_data(store, company, now):
    assert said(store, now, company)["status"] == "no_data"


def test_what_is_owed_and_what_is_overdue_makes_the_word():
    def one(owed=0, overdue=0):
        return debts.Owed("quarantine", Text("", ""), owed, overdue, 0, None, None)

    assert word(ran=True, owed=[one()], objectives=["ok"], checks=["no_data"]) == "ok"
    assert word(ran=True, owed=[one(3)], objectives=["ok"], checks=[]) == "ok_todo"
    assert word(ran=True, owed=[one(3, 1)], objectives=["ok"], checks=[]) == "breach"
    assert word(ran=True, owed=[one()], objectives=["warning"], checks=[]) == "warning"
    assert word(ran=True, owed=[one()], objectives=["ok"], checks=["warning"]) == "warning"
    assert word(ran=True, owed=[one()], objectives=["breach"], checks=["warning"]) == "breach"
    assert word(ran=True, owed=[one()], objectives=[], checks=[]) == "ok"
    assert word(ran=False, owed=[one(3, 1)], objectives=["breach"], checks=[]) == "no_data"


def test_a_failing_check_of_the_last_day_warns(store, put, healthy, now):
    put("check_result", connector="erp", entity="order", field="", day="2026-11-20", status="warning", good=1, total=2,
        judged_at=now - DAY)  # fmt: skip
    assert said(store, now, healthy)["status"] == "warning"
    put("check_result", connector="erp", entity="order", field="", day="2026-11-21", status="ok", good=2, total=2,
        judged_at=now)  # fmt: skip
    assert said(store, now, healthy)["status"] == "ok"


# --- waivers --------------------------------------------------------------------------------------------


KEYS = {
    "quarantine": "erp/order/1",
    "landing": "erp/orders/1",
    "writes": "crm/C1/score",
    "held_lines": "erp/X",
    "decisions": "conflict/1-2",
}


@pytest.fixture
def waive(store, now):
    def act(debt, key, by="李娜", reason="赠品, 不进商品库", until=now + 10 * DAY, at=now):
        with store.transaction() as tx:
            waivers.waive(tx, waivers.Waiver(debt, key, by, reason, at, until))

    return act


@pytest.mark.parametrize("debt", OWES)
def test_a_waived_item_is_counted_apart_until_the_waiver_ends(store, put, healthy, now, waive, debt):
    OWES[debt](put, now)
    waive(debt, KEYS[debt], until=now + HOUR)
    report = said(store, now, healthy)
    assert (report["owed"][debt], report["waived"][debt], report["status"]) == (0, 1, "ok")
    assert said(store, now + HOUR, healthy)["owed"][debt] == 1


def test_a_stream_can_be_waived_and_one_waiver_of_a_code_covers_its_lines(store, put, healthy, now, waive):
    put("order_line", *({"source_id": str(n), "sku": "MUG", "status": "held"} for n in range(3)), connector="erp")
    waive("held_lines", "erp/MUG")
    waive("streams", "erp/orders", at=now)
    with store.reading() as tx:
        found = {one.name: one for one in debts.owed(tx, Owing(now + 400_000_000, healthy))}
    assert (found["held_lines"].owed, found["held_lines"].waived) == (0, 3)
    assert (found["streams"].owed, found["streams"].waived) == (3, 1)


def test_a_waiver_of_another_item_spares_nothing(store, put, healthy, now, waive):
    OWES["quarantine"](put, now)
    waive("quarantine", "erp/order/2")
    waive("writes", "erp/order/1")
    assert said(store, now, healthy)["owed"]["quarantine"] == 1


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"by": " "}, "waiver.nameless"),
        ({"reason": ""}, "waiver.nameless"),
        ({"debt": "quarantin"}, "waiver.no-such-debt"),
        ({"days": 30.00001}, "waiver.too-long"),
        ({"days": 0}, "waiver.too-long"),
    ],
)
def test_a_waiver_without_name_reason_or_near_end_is_refused(store, waive, now, change, code):
    days = change.get("days", 30)
    change = {name: value for name, value in change.items() if name != "days"}
    with pytest.raises(waivers.WaiverRefused) as error:
        waive(**{"debt": "quarantine", "key": "erp/order/1", "until": now + int(days * DAY), **change})
    assert [problem.code for problem in error.value.problems] == [code]
    with store.reading() as tx:
        assert tx.execute(text("SELECT count(*) FROM waiver")).scalar_one() == 0


def test_a_waiver_of_thirty_days_is_kept_with_its_audit(store, waive, now):
    waive("quarantine", "erp/order/1", until=now + 30 * DAY)
    with store.reading() as tx:
        assert [one.by for one in waivers.active(tx, now)] == ["李娜"]
        assert waivers.active(tx, now + 30 * DAY) == []
        assert tx.execute(text("SELECT actor, act, object FROM audit")).all() == [
            ("李娜", "debt.waived", "quarantine/erp/order/1")
        ]


# --- a debt of one's own --------------------------------------------------------------------------------


def test_a_new_kind_of_debt_registers_itself_and_counts_at_once(store, healthy, now):
    @debts.debt("points", Text("积分差异", "points that differ"))
    def points(_tx, owing):
        return debts.Answer(items=(Item("M1", owing.now - DAY, None), Item("M2", owing.now - DAY, owing.now - 1)))

    try:
        report = said(store, now, healthy)
    finally:
        del debts._debts["points"]
    assert (report["owed"]["points"], report["owed_overdue"]["points"], report["status"]) == (2, 1, "breach")
    assert list(report["owed"])[:6] == list(debts.ORDER)


def test_a_hub_without_connectors_owes_no_streams(store, put, company, now):
    put("run", {"run_id": "r", "started_at": now - DAY}, connector="erp")
    assert said(store, now, replace(company, connectors={}))["owed"]["streams"] == 0


def test_the_status_is_known_without_loading_what_takes_long_to_load():
    code = "import sys, quality.status; print(*{'polars', 'pandera', 'singer_sdk'} & set(sys.modules))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert told.stdout.strip() == ""
