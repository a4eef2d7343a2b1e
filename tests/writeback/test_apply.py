from decimal import Decimal

import pytest

from connectors.writer import Value
from mappings.problems import LiukeError
from state import outbox
from state.bulk import execute
from sync.writeback import owed
from sync.writeback.apply import idempotency_key
from sync.writeback.confirm import MAX_ATTEMPTS, look_for_drift
from sync.writeback.echo import echoes
from sync.writeback.session import Session
from sync.writeback.target import THEIRS, Target
from tests.writeback.hub import FREE, Hub
from tests.writeback.wire import Killed, WireWriter


@pytest.fixture
def hub(store, company):
    """One customer of the CRM with an order; three values are approved and wait to be sent."""
    company.customer("crm", "C1")
    company.order("crm", "o1", ("crm", "C1"), 100, "2026-11-20 10:00")
    hub = Hub(store)
    hub.refresh()
    hub.approve()
    return hub


def row(hub, name="purchase_count", source_id="C1"):
    with hub.store.reading() as tx:
        return outbox.rows_of(tx, "crm", [source_id])[source_id, name]


def test_what_is_accepted_and_seen_is_confirmed(hub):
    drained = hub.drain()
    assert (drained.sent, drained.accepted, drained.confirmed) == (3, 3, 3)
    assert hub.statuses() == {"confirmed": 3}
    assert hub.crm.values["C1", "purchase_amount"] == Decimal("100.00")
    assert hub.drain().sent == 0


def test_a_rejection_keeps_its_reason_and_is_not_tried_again(hub):
    hub.crm.refused.add("C1")
    assert hub.drain().rejected == 3
    assert row(hub).status == "rejected"
    assert row(hub).code == "vendor.no-such-customer"
    assert "没有该客户" in row(hub).receipt
    assert hub.drain().sent == 0


def test_a_new_value_after_a_rejection_is_tried(hub, company):
    hub.crm.refused.add("C1")
    hub.drain()
    hub.crm.refused.clear()
    company.order("crm", "o2", ("crm", "C1"), 1, "2026-11-21 10:00")
    hub.refresh()
    hub.drain()
    assert hub.statuses() == {"confirmed": 3}


def test_a_lost_answer_is_resolved_by_reading_back_and_nothing_is_sent_twice(hub):
    hub.crm.faults.append("lose")
    drained = hub.drain()
    assert (drained.unknown, drained.confirmed) == (3, 3)
    assert hub.statuses() == {"confirmed": 3}
    assert len(hub.wire()) == 3


def test_what_never_arrived_goes_out_again(hub):
    hub.crm.faults.append("drop")
    drained = hub.drain()
    assert (drained.unknown, drained.not_applied) == (3, 3)
    assert hub.statuses() == {"available": 3}
    assert hub.drain().confirmed == 3
    assert len(hub.wire()) == 3


def test_half_a_batch_that_arrived_is_told_from_the_other_half(hub):
    hub.crm.faults.append("some")
    hub.drain()
    assert hub.statuses() == {"confirmed": 1, "available": 2}
    hub.drain()
    assert hub.statuses() == {"confirmed": 3}
    assert len(hub.wire()) == 3


def test_while_the_target_cannot_be_read_unknown_stays_unknown_and_nothing_is_sent(hub):
    hub.crm.faults.extend(["lose", "blind"])
    drained = hub.drain()
    assert [p.code for p in drained.problems] == ["net.timeout"]
    assert hub.statuses() == {"unknown": 3}
    hub.clock.turn(30)
    assert hub.drain().sent == 0
    hub.clock.turn(31)
    assert hub.drain().confirmed == 3
    assert len(hub.wire()) == 3


def test_a_rate_limit_waits_until_the_time_the_target_named(hub):
    hub.crm.faults.append("later")
    assert hub.drain().later == 3
    assert (row(hub).status, row(hub).attempts) == ("later", 0)
    hub.clock.turn(299)
    assert hub.drain().sent == 0
    hub.clock.turn(1)
    assert hub.drain().confirmed == 3


def test_an_outage_is_tried_after_longer_and_longer_waits_and_never_given_up(hub):
    waits = []
    for _ in range(20):
        hub.crm.faults.append("busy")
        hub.drain()
        waits.append((row(hub).next_at - hub.now) // 60_000_000)
        hub.clock.turn(waits[-1] * 60)
    assert waits[:8] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert hub.drain().confirmed == 3


def test_a_value_that_the_target_takes_and_never_keeps_is_given_to_a_person(hub):
    for _ in range(MAX_ATTEMPTS):
        hub.crm.faults.append("drop")
        hub.drain()
        hub.clock.turn(3600)
    assert (row(hub).status, row(hub).code) == ("rejected", "write.not-applied")
    assert hub.drain().sent == 0


def test_a_target_that_shows_values_late_is_asked_again_and_not_sent_again(hub, monkeypatch):
    shown = dict(hub.crm.values)
    monkeypatch.setattr(hub.crm, "take", hub.crm.applied.append)
    hub.drain()
    assert shown == hub.crm.values == {}
    assert hub.statuses() == {"accepted": 3}
    hub.clock.turn(120)
    hub.crm.values = {(c.source_id, c.field): c.value for c in hub.crm.applied}
    assert hub.drain().confirmed == 3
    assert len(hub.wire()) == 3


def test_what_was_accepted_and_never_shown_is_sent_again_after_half_an_hour(hub, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(hub.crm, "take", lambda change: None)
        hub.drain()
    hub.clock.turn(31 * 60)
    assert hub.drain().confirmed == 3


# ---- crashes -------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["kill-before", "kill-after"])
def test_rows_on_their_way_when_the_process_died_are_read_back_first(hub, fault):
    hub.crm.faults.append(fault)
    with pytest.raises(Killed):
        hub.drain()
    assert hub.statuses() == {"sending": 3}
    hub.writer = WireWriter(hub.crm, hub.clock)
    drained = hub.drain()
    assert drained.recovered == 3
    assert hub.statuses() == {"confirmed": 3}
    assert len(hub.wire()) == 3


def test_a_newer_value_of_a_row_on_its_way_goes_out_after_that_is_resolved(hub, company):
    hub.crm.faults.append("kill-after")
    with pytest.raises(Killed):
        hub.drain()
    company.order("crm", "o2", ("crm", "C1"), 1, "2026-11-21 10:00")
    hub.refresh()
    assert (row(hub).status, row(hub).sent_value, row(hub).value) == ("sending", "1", "2")
    hub.drain()
    assert hub.statuses() == {"confirmed": 3}
    assert [value for _, name, value in hub.wire() if name == "purchase_count"] == [1, 2]


def test_two_processes_do_not_write_to_one_target_at_once(hub):
    from state.leases import LeaseTaken, acquire

    acquire(hub.store, "write:crm", "other", hub.now)
    with pytest.raises(LeaseTaken):
        hub.drain()
    hub.clock.turn(121)
    assert hub.drain().confirmed == 3


def test_a_process_that_was_silent_too_long_writes_down_nothing(hub):
    from state.leases import LeaseLost, acquire

    class Slow(WireWriter):
        def send(self, changes):
            hub.clock.turn(121)
            acquire(hub.store, "write:crm", "other", hub.now)
            return super().send(changes)

    hub.writer = Slow(hub.crm, hub.clock)
    with pytest.raises(LeaseLost):
        hub.drain()
    assert hub.statuses() == {"sending": 3}


# ---- drift and echo ------------------------------------------------------------------------------


def drift(hub):
    session = Session(hub.store, hub.target, hub.writer, hub.clock, "run")
    return look_for_drift(session)


def test_a_field_of_ours_that_somebody_changed_is_put_right_as_a_new_change(hub):
    hub.drain()
    before = idempotency_key(row(hub))
    hub.crm.values["C1", "purchase_count"] = 99
    hub.clock.turn(60)
    assert drift(hub)["drift"] == 1
    assert (row(hub).status, row(hub).confirmed_value, row(hub).code) == ("available", "99", "write.drift")
    assert idempotency_key(row(hub)) != before
    hub.drain()
    assert hub.crm.values["C1", "purchase_count"] == 1


def test_a_field_of_theirs_that_somebody_changed_is_left_and_reported(hub):
    hub.target = Target("crm", guard=FREE, owners={"purchase_count": THEIRS})
    hub.drain()
    hub.crm.values["C1", "purchase_count"] = 99
    assert drift(hub)["drifted"] == 1
    hub.refresh()
    hub.drain()
    assert hub.crm.values["C1", "purchase_count"] == 99
    with hub.store.reading() as tx:
        listed = owed.listing(tx, hub.now)
    assert [(r.field, r.status, r.confirmed_value) for r in listed.rows] == [("purchase_count", "drifted", "99")]
    assert outbox_counts(hub).owed == 0


def outbox_counts(hub):
    with hub.store.reading() as tx:
        return outbox.counts(tx, hub.now)[0]


def test_what_we_sent_before_a_newer_value_was_wanted_is_nobody_elses_change(hub, company):
    hub.target = Target("crm", guard=FREE, owners=dict.fromkeys(("purchase_count", "purchase_amount"), THEIRS))
    hub.crm.faults.append("kill-after")
    with pytest.raises(Killed):
        hub.drain()
    company.order("crm", "o2", ("crm", "C1"), 1, "2026-11-21 10:00")
    hub.refresh()
    hub.drain()
    assert hub.statuses() == {"confirmed": 3}
    assert hub.crm.values["C1", "purchase_count"] == 2


def test_looking_for_drift_goes_round_all_confirmed_values(hub):
    hub.drain()
    session = Session(hub.store, hub.target, hub.writer, hub.clock, "run")
    looked = [look_for_drift(session, rows=1)["confirmed"] for _ in range(3)]
    assert looked == [3, 0, 3]  # a record's values are read together; then from the beginning


def test_a_pulled_change_that_is_nothing_but_our_own_write_is_an_echo(hub):
    hub.drain()
    with hub.store.reading() as tx:
        ours: dict[str, Value] = {"purchase_count": 1, "purchase_amount": Decimal("100.0")}
        assert echoes(tx, "crm", hub.writer, {"C1": ours}) == {"C1"}
        assert echoes(tx, "crm", hub.writer, {"C1": {"purchase_count": 2}}) == frozenset()
        assert echoes(tx, "crm", hub.writer, {"C1": ours | {"phone": "13800000000"}}) == frozenset()
        assert echoes(tx, "crm", hub.writer, {"C9": ours}) == frozenset()


def test_an_echo_is_known_before_the_answer_came(hub):
    hub.crm.faults.append("kill-after")
    with pytest.raises(Killed):
        hub.drain()
    with hub.store.reading() as tx:
        assert echoes(tx, "crm", hub.writer, {"C1": {"purchase_count": 1}}) == {"C1"}


def test_ten_rounds_of_writing_and_pulling_back_make_no_loop(hub, company):
    """Every write makes the CRM's record newer; pulling it back must not make another write."""
    hub.drain()
    for n in range(10):
        hub.clock.turn(60)
        company.put("customer_record", "crm", "C1", source_updated_at=hub.now, extracted_at=hub.now, landing_no=n + 2)
        assert hub.refresh().owed == 0
        assert hub.drain().sent == 0
    assert len(hub.wire()) == 3


# ---- latency -------------------------------------------------------------------------------------


def latency(hub):
    with hub.store.reading() as tx:
        rows = execute(tx, "SELECT connector, stream, hop, backfill, bucket, n FROM latency ORDER BY 3, 4, 5")
        return [tuple(r) for r in rows]


def test_an_order_confirmed_at_the_target_enters_the_ledger_once(hub, company):
    hub.drain()
    # The plan that opened the target is its first load.
    assert {(hop, backfill) for _, _, hop, backfill, _, _ in latency(hub)} == {
        ("hub_to_target", 1),
        ("source_to_target", 1),
    }
    company.order("crm", "o2", ("crm", "C1"), 1, "2026-11-21 11:56")  # here at 11:57, confirmed at 12:00
    hub.refresh()
    hub.drain()
    assert [entry for entry in latency(hub) if entry[3] == 0] == [
        ("crm", "crm", "hub_to_target", 0, 180, 1),
        ("crm", "crm", "source_to_target", 0, 240, 1),
    ]


def test_a_merge_brings_no_old_order_into_the_ledger(hub, company):
    company.customer("crm", "C2")
    company.order("crm", "o2", ("crm", "C2"), 1, "2026-11-01 10:00")
    hub.refresh()
    hub.open()
    before = latency(hub)
    company.customer("crm", "C2", customer_id=1)
    hub.refresh()
    assert hub.drain().confirmed == 5
    assert latency(hub) == before


def test_orders_of_a_backfill_are_entered_as_such(hub, company):
    hub.drain()
    with hub.store.transaction() as tx:
        execute(
            tx,
            "INSERT INTO run (run_id, connector, command, started_at, outcome, backfill) "
            "VALUES ('r2', 'crm', 'sync', 0, 'ok', 1)",
        )
    before = latency(hub)
    company.order("crm", "old", ("crm", "C1"), 1, "2026-03-01 10:00", run_id="r2", committed_at=hub.now)
    hub.refresh()
    hub.drain()
    assert [entry for entry in latency(hub) if entry[3] == 0] == []
    assert latency(hub) != before


# ---- listing and retrying ------------------------------------------------------------------------


def test_a_rejected_value_is_tried_again_when_somebody_says_so(hub):
    hub.crm.refused.add("C1")
    hub.drain()
    hub.crm.refused.clear()
    with hub.store.reading() as tx:
        listed = owed.listing(tx, hub.now, target="crm", statuses=["rejected"], limit=2)
    assert (len(listed.rows), listed.cut, listed.by_status) == (2, True, {"rejected": 3})
    assert owed.retry(hub.store, "crm", "王磊", hub.now, field="purchase_count") == 1
    assert owed.retry(hub.store, "crm", "王磊", hub.now) == 2
    assert hub.drain().confirmed == 3


def test_what_may_have_arrived_cannot_be_retried(hub):
    with pytest.raises(LiukeError, match="cannot-retry"):
        owed.retry(hub.store, "crm", "王磊", hub.now, statuses=["unknown"])


def test_a_retry_needs_a_name_and_a_known_status(hub):
    with pytest.raises(LiukeError, match="nameless"):
        owed.retry(hub.store, "crm", "", hub.now)
    with hub.store.reading() as tx, pytest.raises(LiukeError, match="status-unknown"):
        owed.listing(tx, hub.now, statuses=["lost"])


def test_what_is_owed_is_counted_and_overdue_after_a_day(hub):
    counts = outbox_counts(hub)
    assert (counts.owed, counts.overdue, counts.approved) == (3, 0, True)
    hub.clock.turn(24 * 3600 + 1)
    assert outbox_counts(hub).overdue == 3
    hub.drain()
    assert (outbox_counts(hub).owed, outbox_counts(hub).overdue) == (0, 0)
