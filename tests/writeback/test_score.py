import json
from dataclasses import replace

import pytest

from mappings.problems import LiukeError
from mappings.scores import load_definitions
from mappings.scores.definitions import Rfm
from mappings.scores.reading import read_definition
from state import audit
from state.bulk import execute
from sync import definitions as lifecycle
from sync.score import score
from tests.writeback.company import DAY, NOW

DEFINITIONS = load_definitions()


def run(store, now=NOW, **more):
    return score(store, DEFINITIONS, now, "run-1", industry="retail", **more)


def scores(store, name):
    with store.reading() as tx:
        rows = execute(tx, "SELECT customer_id, value FROM score WHERE name = ? ORDER BY customer_id", (name,))
        return dict(tuple(row) for row in rows)


def everything(store):
    with store.reading() as tx:
        return execute(
            tx, "SELECT customer_id, name, version, value, number, explanation FROM score ORDER BY 1, 2"
        ).all()


def test_orders_of_all_records_of_a_customer_count_together(store, company):
    company.customer("erp", "E1")
    company.customer("shop", "S1", customer_id=1)
    company.order("erp", "o1", ("erp", "E1"), 5000, "2026-11-20 10:00")
    for n in range(8):
        company.order("shop", f"s{n}", ("shop", "S1"), 500, "2026-11-19 10:00")
    run(store)
    # R 1 day: 5 points (40), F 9: 5 points (30), M 9,000: 5 points (30).
    assert scores(store, "rfm") == {1: "100"}
    assert scores(store, "tier") == {1: "A"}


def test_only_paid_orders_of_record_count(store, company):
    company.customer("erp", "E1")
    buyer = ("erp", "E1")
    company.order("erp", "copy", buyer, 9000, "2026-11-20 10:00", of_record=0)
    company.order("erp", "gift", buyer, 9000, "2026-11-20 10:00", is_gift=1)
    company.order("erp", "staff", buyer, 9000, "2026-11-20 10:00", is_internal=1)
    company.order("erp", "gone", buyer, 9000, "2026-11-20 10:00", deleted=1)
    company.order("erp", "open", buyer, 9000, "2026-11-20 10:00", status="created")
    company.order("erp", "cancelled", buyer, 9000, "2026-11-20 10:00", status="cancelled")
    company.order("erp", "dollars", buyer, 9000, "2026-11-20 10:00", currency="USD")
    run(store)
    assert scores(store, "rfm") == {1: None}
    assert "没有计入统计的订单" in {r[1]: r[5] for r in everything(store)}["rfm"]


def test_refunds_known_from_the_order_or_from_refund_records_are_taken_off(store, company):
    company.customer("erp", "E1")
    company.customer("erp", "E2")
    company.order("erp", "o1", ("erp", "E1"), 9000, "2026-11-20 10:00", refunded_amount=8_500_0000)
    company.order("erp", "o2", ("erp", "E2"), 9000, "2026-11-20 10:00")
    company.put("refund", "erp", "r1", order_source_id="o2", amount=8_000_0000, status="done")
    company.put("refund", "erp", "r2", order_source_id="o2", amount=500_0000, status="done")
    company.put("refund", "erp", "r3", order_source_id="o2", amount=900_0000, status="requested")
    run(store)
    # M 500 yuan earns 2 of 5 points: 40 + 0 + 7.5.
    assert scores(store, "rfm") == {1: "48", 2: "48"}


def test_a_channel_is_nobody(store, company):
    company.customer("erp", "SHOP", kind="channel")
    company.order("erp", "o1", ("erp", "SHOP"), 9000, "2026-11-20 10:00")
    assert run(store).customers == 0
    assert everything(store) == []


def test_a_score_says_its_version_and_why(store, company):
    company.customer("erp", "E1")
    company.order("erp", "o1", ("erp", "E1"), 500, "2026-11-20 10:00")
    run(store)
    rows = {row[1]: row for row in everything(store)}
    assert rows["rfm"][2] == "rfm@1"
    assert "R 1 天 → 5 分" in json.loads(rows["rfm"][5])["zh"]
    assert json.loads(rows["tier"][5]) == {"zh": "得分 48 → D 级", "en": "score 48 -> tier D"}


def test_a_second_run_of_the_same_day_writes_nothing(store, company):
    company.customer("erp", "E1")
    company.order("erp", "o1", ("erp", "E1"), 500, "2026-11-20 10:00")
    assert run(store).changed == 6
    again = run(store, now=NOW + 1)
    assert (again.changed, again.removed) == (0, 0)


def test_a_customer_who_is_no_more_loses_the_scores(store, company):
    company.customer("erp", "E1")
    company.customer("shop", "S1")
    run(store)
    company.customer("shop", "S1", customer_id=1)
    assert run(store, customers=[1, 2]).removed == 3
    assert list(scores(store, "rfm")) == [1]


def test_scoring_some_gives_what_scoring_all_gives(store, company):
    for n in range(1, 21):
        company.customer("erp", f"E{n}")
        company.order("erp", f"o{n}", ("erp", f"E{n}"), 100 * n, f"2026-11-{n:02} 10:00")
    run(store)
    company.order("erp", "new", ("erp", "E3"), 4000, "2026-11-21 09:00")
    some = run(store, customers=[3])
    assert not some.full
    assert (some.customers, some.changed) == (1, 4)
    after_some = everything(store)
    assert run(store).changed == 0
    assert everything(store) == after_some


def test_a_new_day_scores_everybody_even_if_some_were_asked_for(store, company):
    company.customer("erp", "E1")
    company.order("erp", "o1", ("erp", "E1"), 500, "2026-10-22 10:00")
    company.customer("erp", "E2")
    run(store)
    assert scores(store, "rfm")[1] == "48"
    next_day = run(store, now=NOW + DAY, customers=[2])
    assert next_day.full
    assert scores(store, "rfm")[1] == "38"  # 31 days: 4 points


def test_portions_make_no_difference(store, company, monkeypatch):
    from sync import purchases

    for n in range(1, 11):
        company.customer("erp", f"E{n}")
        company.order("erp", f"o{n}", ("erp", f"E{n}"), 100 * n, f"2026-11-{n:02} 10:00")
    run(store)
    whole = everything(store)
    with store.transaction() as tx:
        execute(tx, "DELETE FROM score")
        small = purchases.ranges(tx, 3)
    monkeypatch.setattr(purchases, "ranges", lambda tx: small)
    assert len(small) == 4
    run(store)
    assert everything(store) == whole


def test_wrong_data_makes_no_scores(store, company):
    company.customer("erp", "E1")
    run(store)
    before = everything(store)
    company.order("erp", "o1", ("erp", "E1"), 500, "2026-11-20 10:00")
    result = run(store, blocked=["order.customer-missing"])
    assert result.blocked == ("order.customer-missing",)
    assert everything(store) == before


# ---- definitions ---------------------------------------------------------------------------------


def with_rfm(text):
    rfm = read_definition(text, "rfm.yaml")
    assert isinstance(rfm, Rfm)
    return replace(DEFINITIONS, rfm=rfm)


def rfm_text(version=1, weight=40):
    from mappings.scores.reading import SHIPPED

    text = (SHIPPED / "rfm.yaml").read_text(encoding="utf-8")
    return text.replace("version: 1", f"version: {version}").replace("weight: 40", f"weight: {weight}")


def test_a_draft_is_published_in_two_steps_with_names(store):
    run(store)
    with pytest.raises(LiukeError, match="definition-step"):
        lifecycle.publish(store, "rfm@1", "李娜", NOW)
    lifecycle.review(store, "rfm@1", "王磊", NOW)
    lifecycle.publish(store, "rfm@1", "李娜", NOW + 1)
    with store.reading() as tx:
        assert lifecycle.published_kinds(tx) == {"rfm"}
        acts = [(e.actor, e.act, e.object) for e in audit.entries(tx, act="score.")]
    assert acts == [("李娜", "score.published", "rfm@1"), ("王磊", "score.reviewed", "rfm@1")]


def test_an_approval_needs_a_name(store):
    run(store)
    with pytest.raises(LiukeError, match="nameless"):
        lifecycle.review(store, "rfm@1", " ", NOW)


def test_a_new_version_counts_only_when_published(store, company):
    company.customer("erp", "E1")
    company.order("erp", "o1", ("erp", "E1"), 500, "2026-11-20 10:00")
    run(store)
    lifecycle.review(store, "rfm@1", "王磊", NOW)
    lifecycle.publish(store, "rfm@1", "李娜", NOW)
    heavier = with_rfm(rfm_text(version=2, weight=140))
    score(store, heavier, NOW, "run-2", industry="retail")
    assert scores(store, "rfm") == {1: "48"}
    lifecycle.review(store, "rfm@2", "王磊", NOW)
    lifecycle.publish(store, "rfm@2", "李娜", NOW)
    # The files may even have gone back: what was published counts.
    assert run(store, customers=[]).full
    assert scores(store, "rfm") == {1: "74"}
    with store.reading() as tx:
        assert {r.name: r.status for r in lifecycle.registered(tx) if r.kind == "rfm"} == {
            "rfm@1": "retired",
            "rfm@2": "published",
        }


def test_a_published_definition_edited_in_place_is_a_problem_and_does_not_count(store, company):
    company.customer("erp", "E1")
    company.order("erp", "o1", ("erp", "E1"), 500, "2026-11-20 10:00")
    run(store)
    lifecycle.review(store, "rfm@1", "王磊", NOW)
    lifecycle.publish(store, "rfm@1", "李娜", NOW)
    edited = score(store, with_rfm(rfm_text(weight=140)), NOW, "run-2", industry="retail")
    assert [p.code for p in edited.problems] == ["score.definition-edited"]
    assert scores(store, "rfm") == {1: "48"}


def test_editing_a_reviewed_draft_makes_it_a_draft_again(store):
    run(store)
    lifecycle.review(store, "rfm@1", "王磊", NOW)
    score(store, with_rfm(rfm_text(weight=140)), NOW, "run-2", industry="retail")
    with pytest.raises(LiukeError, match="definition-step"):
        lifecycle.publish(store, "rfm@1", "李娜", NOW)
