"""Whatever dies, gets lost or is run again, in whatever order: the target ends up with what is wanted, no change
goes over the wire twice, and at every moment everything is confirmed or owed."""

import contextlib
import shutil
import tempfile
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from state import outbox
from state.store import Store
from sync.writeback import apply as sending
from sync.writeback import confirm, desired, owed, session
from tests.writeback.company import Company
from tests.writeback.conftest import emptied
from tests.writeback.hub import DEFINITIONS, Hub
from tests.writeback.wire import Killed, WireWriter

CUSTOMERS = ("C1", "C2", "C3")
SEAMS = ("outbox.before-commit", "outbox.marked-sending", "outbox.sent", "outbox.receipt-committed")
FAULTS = ("ok", "lose", "drop", "some", "later", "busy", "kill-before", "kill-after", "blind")

CHANGES = st.tuples(
    st.sampled_from(["buy", "buy", "buy", "cancel", "merge", "unmerge", "delete", "meddle", "refuse", "nothing"]),
    st.sampled_from(CUSTOMERS),
)
REFRESHES = st.sampled_from([("refresh", "some"), ("refresh", "some"), ("refresh", "all"), ("die_refreshing", "")])
DRAINS = st.one_of(
    st.tuples(st.just("drain"), st.sampled_from(FAULTS)),
    st.tuples(st.just("die_draining"), st.sampled_from(SEAMS)),
    st.just(("approve", "")),
)
WAITS = st.tuples(st.just("wait"), st.sampled_from([0, 1, 90, 4000]))
ROUNDS = st.lists(st.tuples(CHANGES, REFRESHES, DRAINS, WAITS), max_size=7)
"""Each round something changes, the hub may notice, something is sent or goes wrong, and time passes."""


class Story:
    """Three CRM customers who buy, are merged and un-merged; beside them a plain model of what must be."""

    def __init__(self, store, monkeypatch):
        self.store = store
        self.hub = Hub(store)
        self.company = Company(store)
        self.orders = {}
        self.customer = {}
        self.deleted = set()
        self.armed = ""
        for name in CUSTOMERS:
            self.customer[name] = self.company.customer("crm", name)
        monkeypatch.setattr(sending, "seam", self.seam)
        monkeypatch.setattr(desired, "seam", self.seam)
        # A process that dies gives no lease back.
        monkeypatch.setattr(session, "release", lambda store, lease: None)

    def seam(self, name):
        if name == self.armed:
            self.armed = ""
            raise Killed

    def wanted(self):
        """What the target must hold in the end, worked out from the orders alone."""
        values: dict[tuple[str, str], object] = {}
        for name in CUSTOMERS:
            mine = [n for n, (buyer, _) in self.orders.items() if self.customer[buyer] == self.customer[name]]
            paid = [n for n in mine if self.orders[n][1] == "paid"]
            if name not in self.deleted and paid:
                values[name, "purchase_count"] = len(paid)
                values[name, "purchase_amount"] = Decimal(10 * len(paid))
        return values

    def held(self):
        """What it holds now of these fields; nothing and empty are the same."""
        fields = ("purchase_count", "purchase_amount")
        return {k: v for k, v in self.hub.crm.values.items() if k[1] in fields and v is not None}

    def begin(self):
        """Everybody has bought, and the first plan is approved but not sent yet."""
        for name in CUSTOMERS:
            self.buy(name)
        self.refresh("all")
        self.approve("")

    def nothing(self, _):
        pass

    def buy(self, name):
        self.orders[f"o{len(self.orders)}"] = (name, "paid")
        self.put(f"o{len(self.orders) - 1}")

    def cancel(self, name):
        for number, (buyer, status) in self.orders.items():
            if buyer == name and status == "paid":
                self.orders[number] = (name, "cancelled")
                self.put(number)
                return

    def put(self, number):
        buyer, status = self.orders[number]
        self.company.order("crm", number, ("crm", buyer), 10, "2026-11-20 10:00", status=status)

    def merge(self, name):
        self.customer[name] = self.customer["C1"]
        self.company.customer("crm", name, customer_id=self.customer["C1"])

    def unmerge(self, name):
        self.customer[name] = self.company.customer("crm", name)

    def delete(self, name):
        self.deleted ^= {name}
        self.company.put("customer_record", "crm", name, deleted=int(name in self.deleted))

    def refresh(self, how):
        if how == "all":
            desired.refresh_all(self.store, self.hub.target, DEFINITIONS, self.hub.now)
            return
        with self.store.transaction() as tx:
            desired.refresh(tx, self.hub.target, DEFINITIONS, [1, 2, 3], self.hub.now)

    def die_refreshing(self, _):
        self.armed = "outbox.before-commit"
        with contextlib.suppress(Killed):
            self.refresh("some")
        self.armed = ""

    def drain(self, fault):
        self.hub.crm.faults.append(fault)
        try:
            self.hub.drain()
        except Killed:
            self.hub.writer = WireWriter(self.hub.crm, self.hub.clock)
        self.hub.crm.faults.clear()

    def die_draining(self, seam):
        self.armed = seam
        self.drain("ok")
        self.armed = ""

    def approve(self, _):
        if self.hub.plan().changes:
            self.hub.approve()

    def refuse(self, name):
        self.hub.crm.refused ^= {name}

    def meddle(self, name):
        """Somebody changes a value that we have put there; what was never ours is not ours to put right."""
        if self.hub.crm.values.get((name, "purchase_count")) is not None:
            self.hub.crm.values[name, "purchase_count"] = 77

    def wait(self, seconds):
        self.hub.clock.turn(seconds)

    def check_that_nothing_is_forgotten(self):
        """Each row that owes nothing was seen at the target with the wanted value when it was last read."""
        with self.store.reading() as tx:
            for row in outbox.select(tx, limit=1000):
                if row.status == outbox.CONFIRMED:
                    assert row.value == row.confirmed_value
                else:
                    assert row.status in outbox.OWED

    def end(self):
        """All faults are over: everything is sent, looked at, and right."""
        self.hub.crm.refused.clear()
        self.refresh("all")
        self.approve("")
        for _ in range(6):
            self.hub.clock.turn(4000)
            self.hub.drain()
            sending_session = session.Session(self.store, self.hub.target, self.hub.writer, self.hub.clock, "run")
            assert confirm.look(sending_session, self.confirmed()).problem is None
        with self.store.reading() as tx:
            rejected = outbox.select(tx, statuses=(outbox.REJECTED,), limit=100)
        for row in rejected:
            self.retry(row)
        self.hub.drain()

    def confirmed(self):
        with self.store.reading() as tx:
            return outbox.select(tx, statuses=(outbox.CONFIRMED,), limit=1000)

    def retry(self, row):
        owed.retry(self.store, "crm", "王磊", self.hub.now, source_id=row.source_id, field=row.field)


def tell(store, rounds):
    with pytest.MonkeyPatch.context() as monkeypatch:
        story = Story(store, monkeypatch)
        story.begin()
        for one in rounds:
            for action, detail in one:
                getattr(story, action)(detail)
                story.check_that_nothing_is_forgotten()
        story.end()
        assert story.held() == story.wanted()
        assert set(story.hub.statuses()) <= {"confirmed"}
        sent = len(story.hub.wire())
        story.refresh("all")
        story.hub.drain()
        assert len(story.hub.wire()) == sent


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rounds=ROUNDS)
def test_the_target_ends_up_right(empty_sqlite, rounds):
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(empty_sqlite, Path(folder) / "liuke.db")
        store = Store.open(f"sqlite:///{folder}/liuke.db")
        try:
            tell(store, rounds)
        finally:
            store.close()


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rounds=ROUNDS)
def test_the_target_ends_up_right_with_postgresql_too(postgres_store, rounds):
    tell(emptied(postgres_store), rounds)
