from datetime import UTC, datetime
from decimal import Decimal

import pytest

from state import outbox
from sync.writeback import desired
from sync.writeback.target import Target
from tests.writeback.company import NOW
from tests.writeback.hub import DEFINITIONS, FREE, Hub


@pytest.fixture
def hub(store):
    return Hub(store)


def test_a_record_of_the_target_gets_what_all_records_of_the_customer_bought(hub, company):
    company.customer("crm", "C1")
    company.customer("erp", "E1", customer_id=1)
    company.order("erp", "o1", ("erp", "E1"), 100.5, "2026-11-19 09:30")
    company.order("erp", "o2", ("erp", "E1"), 20, "2026-11-20 10:00")
    company.order("erp", "copy", ("erp", "E1"), 999, "2026-11-20 11:00", of_record=0)
    hub.refresh()
    assert hub.rows() == {
        ("C1", "last_purchase_at"): ("available", "2026-11-20T02:00:00Z"),
        ("C1", "purchase_count"): ("available", "2"),
        ("C1", "purchase_amount"): ("available", "120.50"),
    }


def test_score_and_tier_are_wanted_once_their_definitions_are_published(hub, company):
    company.customer("crm", "C1")
    company.order("crm", "o1", ("crm", "C1"), 100, "2026-11-20 10:00")
    hub.refresh()
    assert ("C1", "tier") not in hub.rows()
    hub.publish()
    hub.refresh()
    assert hub.rows()["C1", "score"] == ("available", "40")
    assert hub.rows()["C1", "tier"] == ("available", "D")


def test_refreshing_again_changes_nothing(hub, company):
    company.customer("crm", "C1")
    company.order("crm", "o1", ("crm", "C1"), 100, "2026-11-20 10:00")
    assert hub.refresh() == desired.Refreshed(1, 3, 0)
    assert hub.refresh() == desired.Refreshed(1, 0, 0)


def test_refreshing_some_gives_what_refreshing_all_gives(hub, company):
    company.customer("crm", "C1")
    company.customer("crm", "C2")
    company.order("crm", "o1", ("crm", "C1"), 100, "2026-11-20 10:00")
    company.order("crm", "o2", ("crm", "C2"), 200, "2026-11-20 10:00")
    hub.refresh()
    company.order("crm", "o3", ("crm", "C2"), 50, "2026-11-21 10:00")
    with hub.store.transaction() as tx:
        assert desired.refresh(tx, hub.target, DEFINITIONS, [2], NOW).owed == 3
    assert hub.refresh() == desired.Refreshed(2, 0, 0)
    assert hub.rows()["C2", "purchase_amount"] == ("available", "250.00")


def test_a_staging_table_without_customers_of_its_own_is_keyed_by_system_and_id(hub, company):
    company.customer("erp", "1001")
    company.customer("shop", "1001")
    company.order("erp", "o1", ("erp", "1001"), 100, "2026-11-20 10:00")
    company.order("shop", "o1", ("shop", "1001"), 200, "2026-11-20 10:00")
    hub.refresh()
    assert hub.rows()["erp/1001", "purchase_amount"] == ("available", "100.00")
    assert hub.rows()["shop/1001", "purchase_amount"] == ("available", "200.00")


def test_a_staging_table_of_one_named_system_is_keyed_by_its_bare_ids(store, company):
    company.customer("erp", "1001")
    company.customer("shop", "S1")
    company.order("erp", "o1", ("erp", "1001"), 100, "2026-11-20 10:00")
    hub = Hub(store, Target("crm", records=("erp",), guard=FREE))
    hub.refresh()
    assert {source_id for source_id, _ in hub.rows()} == {"1001"}


def test_an_unmerged_customer_gets_corrections(hub, company):
    company.customer("crm", "C1")
    company.customer("erp", "E1", customer_id=1)
    company.order("crm", "o1", ("crm", "C1"), 10, "2026-11-01 10:00")
    company.order("erp", "o1", ("erp", "E1"), 100, "2026-11-20 10:00")
    hub.refresh()
    hub.open()
    assert hub.crm.values["C1", "purchase_amount"] == Decimal("110.00")
    company.customer("erp", "E1", customer_id=2)
    with hub.store.transaction() as tx:
        desired.refresh(tx, hub.target, DEFINITIONS, [1, 2], NOW)
    hub.drain()
    assert hub.crm.values == {
        ("C1", "last_purchase_at"): datetime(2026, 11, 1, 2, 0, tzinfo=UTC),
        ("C1", "purchase_count"): 1,
        ("C1", "purchase_amount"): Decimal("10.00"),
    }
    assert hub.statuses() == {"confirmed": 3}


@pytest.mark.parametrize("gone", [{"deleted": 1}, {"kind": "channel"}])
def test_what_was_written_to_a_record_that_is_gone_is_taken_back_and_forgotten(hub, company, gone):
    company.customer("crm", "C1")
    company.customer("crm", "C2")
    company.order("crm", "o1", ("crm", "C1"), 10, "2026-11-01 10:00")
    hub.refresh()
    hub.open()
    company.customer("crm", "C1", **gone)
    hub.refresh()
    hub.drain()
    assert set(hub.crm.values.values()) == {None}
    assert hub.rows() == {}


def test_a_record_that_loses_its_customer_is_corrected_by_a_full_refresh(hub, company):
    company.customer("crm", "C1")
    company.customer("crm", "C2")
    company.order("crm", "o1", ("crm", "C1"), 10, "2026-11-01 10:00")
    hub.refresh()
    hub.open()
    company.put("customer_record", "crm", "C1", customer_id=None)
    hub.refresh()
    hub.drain()
    assert set(hub.crm.values.values()) == {None}
    assert hub.rows() == {}


def test_what_was_never_written_needs_no_correction(hub, company):
    company.customer("crm", "C1")
    company.order("crm", "o1", ("crm", "C1"), 10, "2026-11-01 10:00")
    hub.refresh()
    company.order("crm", "o1", ("crm", "C1"), 10, "2026-11-01 10:00", status="cancelled")
    hub.refresh()
    assert hub.rows() == {}


def test_a_value_that_goes_back_to_what_the_target_holds_is_not_owed(hub, company):
    company.customer("crm", "C1")
    company.order("crm", "o1", ("crm", "C1"), 10, "2026-11-01 10:00")
    hub.refresh()
    hub.open()
    sent = len(hub.wire())
    company.order("crm", "o2", ("crm", "C1"), 10, "2026-11-02 10:00")
    hub.refresh()
    assert hub.statuses() == {"available": 3}
    company.order("crm", "o2", ("crm", "C1"), 10, "2026-11-02 10:00", status="cancelled")
    hub.refresh()
    assert hub.statuses() == {"confirmed": 3}
    hub.drain()
    assert len(hub.wire()) == sent


def test_a_debt_keeps_its_age_when_its_value_changes(hub, company):
    company.customer("crm", "C1")
    company.order("crm", "o1", ("crm", "C1"), 10, "2026-11-01 10:00")
    hub.refresh()
    hub.clock.turn(3600)
    company.order("crm", "o2", ("crm", "C1"), 10, "2026-11-02 10:00")
    hub.refresh()
    with hub.store.reading() as tx:
        due = {row.due_at for row in outbox.select(tx, limit=10)}
    assert due == {NOW + outbox.DUE_US}


def test_while_writing_is_off_what_waits_is_a_decision(hub, company):
    company.customer("crm", "C1")
    hub.refresh()
    with hub.store.reading() as tx:
        assert outbox.decisions(tx) == []
    company.order("crm", "o1", ("crm", "C1"), 10, "2026-11-01 10:00")
    hub.refresh()
    with hub.store.reading() as tx:
        (decision,) = outbox.decisions(tx)
    assert (decision.kind, decision.object) == ("writeback.approval", "crm")
    assert "liuke writeback plan crm" in decision.zh
    hub.approve()
    with hub.store.reading() as tx:
        assert outbox.decisions(tx) == []
