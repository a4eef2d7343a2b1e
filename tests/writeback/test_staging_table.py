"""Write-back into a real staging table of a real database, and what is left when the process is killed there."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from connectors.ports_memory import memory_ports
from connectors.registry import connector
from state import outbox
from sync.writeback import apply as sending
from sync.writeback import plan
from sync.writeback.confirm import look_for_drift
from sync.writeback.session import Session
from sync.writeback.target import Target
from tests.writeback.hub import FREE, Hub

SQL = connector("sql")
ROOT = Path(__file__).parents[2]

DRAIN = """
import sys
from connectors.ports_memory import memory_ports
from connectors.registry import connector
from state.store import Store
from sync.clock import FixedClock
from sync.writeback.apply import drain
from tests.writeback.hub import FREE
from tests.writeback.test_staging_table import writer_of
from tests.writeback.wire import NOON
from sync.writeback.target import Target

clock = FixedClock(NOON)
store = Store.open(sys.argv[1])
drain(store, Target("crm", guard=FREE), writer_of(sys.argv[2], clock), clock, owner="first", run_id="run")
"""


def no_variable(_name):
    """The settings of these tests refer to no variable."""


def writer_of(url, clock):
    settings = SQL.read_settings({"url": url, "write": {"create": True}}, no_variable)
    return SQL.writer(settings, memory_ports(clock, "crm"))


@pytest.fixture
def staging(store, company, tmp_path):
    """Two customers of the ERP; the CRM's database takes a staging table, and everything is approved."""
    company.customer("erp", "1001")
    company.customer("erp", "1002")
    company.order("erp", "o1", ("erp", "1001"), 1234.5, "2026-11-20 10:00")
    company.order("erp", "o2", ("erp", "1001"), 0.1, "2026-11-20 23:59")
    url = f"sqlite:///{tmp_path}/crm.db"
    hub = Hub(store, Target("crm", records=("erp",), guard=FREE))
    hub.writer = writer_of(url, hub.clock)
    hub.publish()
    hub.refresh()
    hub.approve()
    yield hub, url
    hub.writer.close()


def table(url):
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        rows = connection.execute(
            sa.text(
                "SELECT customer_id, score, tier, last_purchase_at, purchase_count, purchase_amount "
                "FROM lk_customer_score ORDER BY customer_id"
            )
        ).all()
    engine.dispose()
    return [tuple(row) for row in rows]


EXPECTED = [("1001", "63.00", "B", "2026-11-20 23:59:00", 2, "1234.60")]


def test_scores_and_purchases_stand_in_the_table_and_are_confirmed(staging):
    hub, url = staging
    drained = hub.drain()
    assert (drained.sent, drained.confirmed) == (5, 5)
    assert table(url) == EXPECTED
    assert hub.drain().sent == 0


def test_what_somebody_changed_in_the_table_is_put_right(staging):
    hub, url = staging
    hub.drain()
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE lk_customer_score SET tier = 'A'"))
    engine.dispose()
    session = Session(hub.store, hub.target, hub.writer, hub.clock, "run")
    assert look_for_drift(session)["drift"] == 1
    hub.drain()
    assert table(url) == EXPECTED


def test_a_table_that_cannot_be_had_is_said_and_everything_stays_owed(staging, tmp_path):
    hub, _ = staging
    settings = SQL.read_settings({"url": f"sqlite:///{tmp_path}/other.db", "write": {"create": False}}, no_variable)
    hub.writer = SQL.writer(settings, memory_ports(hub.clock, "crm"))
    drained = hub.drain()
    assert drained.sent == 0
    assert [problem.code for problem in drained.problems] == ["sql.no-table"]
    assert hub.statuses() == {"later": 5}
    hub.writer.close()


@pytest.mark.parametrize("seam", ["outbox.marked-sending", "outbox.sent", "outbox.receipt-committed"])
def test_a_process_killed_at_a_seam_loses_nothing_and_writes_nothing_twice(staging, seam):
    hub, url = staging
    store_url = hub.store.engine.url.render_as_string(hide_password=False)
    died = subprocess.run(
        [sys.executable, "-c", DRAIN, store_url, url],
        cwd=ROOT,
        env=os.environ | {"LIUKE_CRASH_AT": seam},
        check=False,
        capture_output=True,
    )
    assert died.returncode == -signal.SIGKILL, died.stderr.decode()
    before = table(url) if seam != "outbox.marked-sending" else []
    hub.clock.turn(121)  # the dead process keeps its lease for two minutes
    drained = sending.drain(hub.store, hub.target, hub.writer, hub.clock, owner="second", run_id="run")
    assert drained.sent == (5 if seam == "outbox.marked-sending" else 0)
    assert table(url) == EXPECTED
    assert before in ([], EXPECTED)
    with hub.store.reading() as tx:
        (counts,) = outbox.counts(tx, hub.now)
    assert counts.by_status == {"confirmed": 5}
    assert plan.plan(hub.store, hub.target, hub.writer, hub.clock, run_id="run").changes == 0
