from fractions import Fraction

import pytest

from mappings.problems import LiukeError
from state import audit, outbox
from state.bulk import execute
from sync.writeback import plan
from sync.writeback.target import Guard, Target
from tests.writeback.hub import FREE, Hub


@pytest.fixture
def hub(store, company):
    """Two customers of the CRM with an order each."""
    company.customer("crm", "C1", name="张三丰")
    company.customer("crm", "C2", name="李四")
    company.order("crm", "o1", ("crm", "C1"), 100, "2026-11-20 10:00")
    company.order("crm", "o2", ("crm", "C2"), 2000, "2026-11-20 10:00")
    hub = Hub(store)
    hub.publish()
    hub.refresh()
    return hub


def test_a_plan_counts_changes_by_field_and_tier_with_a_masked_sample(hub):
    made = hub.plan()
    assert (made.changes, made.records) == (10, 2)
    assert [(f.field, f.set, f.changed, f.cleared) for f in made.fields] == [
        ("last_purchase_at", 2, 0, 0),
        ("purchase_amount", 2, 0, 0),
        ("purchase_count", 2, 0, 0),
        ("score", 2, 0, 0),
        ("tier", 2, 0, 0),
    ]
    assert [(m.old, m.new, m.records) for m in made.tiers] == [(None, "C", 1), (None, "D", 1)]
    sample = {(s.source_id, s.field): s for s in made.sample}
    assert sample["C1", "purchase_amount"].name == "张**"
    assert (sample["C1", "purchase_amount"].old, sample["C1", "purchase_amount"].new) == ("—", "100.00")
    assert sample["C1", "last_purchase_at"].new == "2026-11-20 10:00"
    assert "张三丰" not in repr(made)


def test_a_plan_says_calls_quota_and_time(hub):
    minute = hub.now // 60_000_000
    with hub.store.transaction() as tx:
        execute(
            tx,
            "INSERT INTO call_meter (connector, endpoint, minute, level, outcome, n, ms) "
            "VALUES ('crm', 'upsert', ?, 'attempt', 'ok', 4, 10000), "
            "('crm', 'upsert', ?, 'attempt', 'ok', 6, 20000)",
            (minute, minute - 2 * 1440),
        )
    hub.target = Target("crm", guard=FREE, daily_calls=1000)
    made = hub.plan()
    # Ten changes are one batch; a call took three seconds on average; six of the ten calls were not today.
    assert (made.calls, made.calls_today, made.daily_calls, made.seconds) == (1, 4, 1000, 3)


def test_planning_again_gives_the_same_digest_until_something_changes(hub, company):
    first = hub.plan()
    assert hub.plan().digest == first.digest
    company.order("crm", "o3", ("crm", "C2"), 1, "2026-11-21 10:00")
    hub.refresh()
    assert hub.plan().digest != first.digest


def test_a_plan_knows_what_the_target_already_holds(hub):
    hub.crm.values["C1", "tier"] = "D"
    hub.crm.values["C2", "tier"] = "A"
    made = hub.plan()
    assert made.changes == 9
    assert [(m.old, m.new, m.records) for m in made.tiers] == [("A", "C", 1)]
    assert hub.rows()["C1", "tier"] == ("confirmed", "D")


def test_a_target_that_cannot_be_read_is_planned_and_said(hub):
    hub.crm.faults.append("blind")
    made = hub.plan()
    assert (made.changes, made.unread) == (10, "net.timeout")


def test_a_plan_of_nothing_is_not_kept(hub):
    hub.open()
    assert hub.plan().changes == 0
    with hub.store.reading() as tx:
        assert [p.changes for p in plan.plans(tx, "crm")] == [10]


def test_nothing_is_written_before_a_plan_was_approved(hub):
    hub.plan()
    drained = hub.drain()
    assert drained.off
    assert hub.wire() == []


def test_a_plan_that_is_not_approved_is_not_applied(hub):
    digest = hub.plan().digest
    with pytest.raises(LiukeError, match="plan-not-approved"):
        hub.apply(digest)
    assert hub.wire() == []


def test_apply_does_exactly_the_plan(hub, company):
    approved = hub.approve()
    company.customer("crm", "C3")
    company.order("crm", "o3", ("crm", "C3"), 300, "2026-11-20 10:00")
    company.order("crm", "o4", ("crm", "C1"), 50, "2026-11-21 10:00")
    hub.refresh()
    applied = hub.apply(approved.digest)
    # C3 was not in the plan; all of C1 but the tier has newer values, which were not approved.
    assert sorted((one, name) for one, name, _ in hub.wire()) == [
        ("C1", "tier"),
        ("C2", "last_purchase_at"),
        ("C2", "purchase_amount"),
        ("C2", "purchase_count"),
        ("C2", "score"),
        ("C2", "tier"),
    ]
    assert applied.left == 0


def test_what_was_overtaken_between_plan_and_approval_is_counted(hub, company):
    digest = hub.plan().digest
    company.order("crm", "o4", ("crm", "C1"), 50, "2026-11-21 10:00")
    hub.refresh()
    approved = plan.approve(hub.store, hub.target, digest, "李娜", hub.now)
    assert approved.superseded == 4
    applied = hub.apply(digest)
    assert (applied.changes, applied.superseded, applied.drained.sent) == (10, 4, 6)


def test_a_plan_overtaken_as_a_whole_cannot_be_approved(hub, company):
    digest = hub.plan().digest
    company.order("crm", "o1", ("crm", "C1"), 100, "2026-11-20 10:00", status="cancelled")
    company.order("crm", "o2", ("crm", "C2"), 2000, "2026-11-20 10:00", status="cancelled")
    hub.refresh()
    with pytest.raises(LiukeError, match="plan-stale"):
        plan.approve(hub.store, hub.target, digest, "李娜", hub.now)


def test_a_digest_may_be_shortened_and_a_wrong_one_names_those_there_are(hub):
    made = hub.plan()
    assert plan.approve(hub.store, hub.target, made.digest[:12], "李娜", hub.now).digest == made.digest
    with pytest.raises(LiukeError, match=made.digest[:12]):
        hub.apply("0123456789ab")


def test_approvals_and_applications_stand_in_the_audit_with_names(hub):
    hub.target = Target("crm", guard=FREE)
    digest = hub.approve("李娜").digest
    hub.apply(digest)
    with hub.store.reading() as tx:
        entries = audit.entries(tx, act="writeback.")
    assert [(e.actor, e.act, e.object) for e in entries] == [
        ("李娜", "writeback.applied", digest),
        ("李娜", "writeback.approved", digest),
    ]
    assert entries[1].detail == {"changes": 10, "demo": False, "sandbox": False, "superseded": 0, "target": "crm"}
    assert entries[0].detail["confirmed"] == 10


def test_the_demo_may_approve_simulated_systems_only(hub):
    digest = hub.plan().digest
    real = Target("crm", guard=FREE)
    with pytest.raises(LiukeError, match="demo-not-sandbox"):
        plan.approve(hub.store, real, digest, "demo", hub.now, demo=True)
    plan.approve(hub.store, hub.target, digest, "demo", hub.now, demo=True)
    with hub.store.reading() as tx:
        (entry,) = audit.entries(tx, act="writeback.approved")
    assert (entry.actor, entry.detail["demo"], entry.detail["sandbox"]) == ("demo", True, True)


def test_an_approval_needs_a_name(hub):
    with pytest.raises(LiukeError, match="nameless"):
        hub.approve(" ")


def test_writing_can_be_stopped_until_the_next_approval(hub, company):
    hub.open()
    plan.stop(hub.store, "crm", "王磊", hub.now)
    company.order("crm", "o4", ("crm", "C1"), 50, "2026-11-21 10:00")
    hub.refresh()
    assert hub.drain().off
    assert len(hub.wire()) == 10
    hub.open()
    assert len(hub.wire()) == 14


def test_plans_nobody_approved_are_forgotten(hub, company):
    for n in range(5):
        company.order("crm", f"n{n}", ("crm", "C1"), 1, "2026-11-21 10:00")
        hub.clock.turn(60)
        hub.refresh()
        hub.plan()
    with hub.store.reading() as tx:
        assert len(plan.plans(tx, "crm")) == 3


# ---- guards --------------------------------------------------------------------------------------


@pytest.fixture
def hundred(store, company):
    """A hundred customers, all of tier D, written and confirmed; guards as shipped."""
    for n in range(100):
        company.customer("crm", f"C{n:02}")
        company.order("crm", f"o{n:02}", ("crm", f"C{n:02}"), 100, "2026-11-20 10:00")
    hub = Hub(store, Target("crm"))
    hub.publish()
    hub.refresh()
    hub.open()
    assert hub.statuses() == {"confirmed": 500}
    hub.crm.applied.clear()
    return hub


def buy(company, hub, customers, yuan=1, order="n"):
    for n in customers:
        company.order("crm", f"{order}{n:02}", ("crm", f"C{n:02}"), yuan, "2026-11-21 10:00")
    hub.refresh()


def held_at(hub):
    """How many changed customers the guard stopped at; None if it did not."""
    held = hub.drain().held
    return None if held is None else held.changes


def test_scheduled_writes_go_out_by_themselves_within_the_guard(hundred, company):
    buy(company, hundred, range(5))
    drained = hundred.drain()
    assert drained.held is None
    assert {one for one, _, _ in hundred.wire()} == {"C00", "C01", "C02", "C03", "C04"}


def test_a_day_that_would_change_more_than_five_percent_of_the_customers_waits_for_a_person(hundred, company):
    buy(company, hundred, range(6))
    drained = hundred.drain()
    assert drained.held is not None
    assert (drained.held.changes, drained.held.total) == (6, 100)
    assert hundred.wire() == []
    with hundred.store.reading() as tx:
        (decision,) = outbox.decisions(tx)
    assert decision.kind == "writeback.guard"
    assert "6 位客户将被改动 (共 100 人), 超过每日 5% 的变更保护" in decision.zh
    assert "6 customers would be changed today (of 100)" in decision.en


def test_the_guard_counts_the_whole_day(hundred, company):
    buy(company, hundred, range(4))
    hundred.drain()
    sent = len(hundred.wire())
    hundred.clock.turn(3600)
    buy(company, hundred, range(4, 6), order="p")
    assert held_at(hundred) == 6
    assert len(hundred.wire()) == sent
    hundred.clock.turn(12 * 3600)  # past midnight in Shanghai
    hundred.refresh()
    assert hundred.drain().held is None


def test_a_customer_counts_once_a_day(hundred, company):
    buy(company, hundred, range(5))
    hundred.drain()
    buy(company, hundred, range(5), order="p")
    assert hundred.drain().held is None


def test_an_approved_plan_is_exempt_and_ends_the_question(hundred, company):
    buy(company, hundred, range(6))
    hundred.drain()
    hundred.open()
    assert len({one for one, _, _ in hundred.wire()}) == 6
    with hundred.store.reading() as tx:
        assert outbox.decisions(tx) == []


def test_the_rest_of_an_approved_plan_goes_out_while_the_guard_holds_everything_else(hundred, company):
    buy(company, hundred, range(6))
    hundred.approve()
    buy(company, hundred, range(50, 60))
    assert held_at(hundred) == 10
    assert {one for one, _, _ in hundred.wire()} == {f"C{n:02}" for n in range(6)}


def test_a_tier_that_would_lose_more_than_a_fifth_waits_for_a_person(store, company):
    for n in range(40):
        company.customer("crm", f"C{n:02}")
        yuan = 9000 if n < 5 else 100
        company.order("crm", f"o{n:02}", ("crm", f"C{n:02}"), yuan, "2026-11-20 10:00")
    hub = Hub(store, Target("crm", guard=Guard(customers=Fraction(1))))
    hub.publish()
    hub.refresh()
    hub.open()
    assert [v for (_, f), v in hub.crm.values.items() if f == "tier"].count("B") == 5
    hub.crm.applied.clear()
    for n in (0, 1):
        company.order("crm", f"o{n:02}", ("crm", f"C{n:02}"), 9000, "2026-11-20 10:00", status="cancelled")
    company.order("crm", "first", ("crm", "C00"), 100, "2026-11-20 10:00")
    hub.refresh()
    held = hub.drain().held
    assert held is not None
    assert (held.tier, held.changes, held.total) == ("B", 2, 5)
    assert "B 级客户中 2 人将离开该级" in held.zh
    assert hub.wire() == []
