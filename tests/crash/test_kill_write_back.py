"""The process is killed on the way from a changed order to the CRM: afterwards the CRM is right, written once."""

import sqlite3
from pathlib import Path

import pytest

from sync import definitions
from sync.hub import Hub
from sync.run import Runner
from sync.scoring import score_everybody
from sync.targets import targets, writing
from sync.writeback.apply import apply
from sync.writeback.plan import approve, plan
from tests.crash.test_kill import KILLED, expire_leases, hub_folder, run

CRM = """
  crm:
    type: sql
    role: crm
    settings:
      url: sqlite:///crm.db
      streams:
        customers: {table: customer, key: [id], modified: [modified_at]}
      write: {table: lk_score, key: customer_id, create: true}
    write_back:
      fields: [score, tier, purchase_count, purchase_amount]
      customers_per_day: 1
      tier_per_day: 1
"""

CRM_MAP = """
version: 1
streams:
  customers:
    key: [id]
    updated_at: modified_at
    entities:
      customer_record:
        source_id: id
        name: name
        kind: {value: person}
        identifiers: {phone: mobile}
"""

POINTS = [
    "score.before-commit",
    "outbox.before-commit",
    "outbox.marked-sending",
    "outbox.sent",
    "outbox.receipt-committed",
]


@pytest.fixture
def opened(tmp_path: Path) -> Path:
    """A hub whose CRM may be written to: one plan was approved and applied; then a customer bought once more."""
    folder = hub_folder(tmp_path / "hub")
    crm = sqlite3.connect(folder / "crm.db")
    crm.execute("CREATE TABLE customer (id TEXT PRIMARY KEY, name TEXT, mobile TEXT, modified_at TEXT)")
    crm.execute("INSERT INTO customer VALUES ('K7', '客户7', '13900000007', '2026-11-20 10:00:00')")
    crm.commit()
    with (folder / "liuke.yaml").open("a", encoding="utf-8") as file:
        file.write(CRM)
    (folder / "mappings" / "crm.yaml").write_text(CRM_MAP, encoding="utf-8")
    buy(folder, "N1", "10")
    with Hub.open(folder) as hub:
        Runner(hub).sync()
        score_everybody(hub)
        with hub.store.reading() as tx:
            steps = definitions.registered(tx)
        for one in steps:
            definitions.review(hub.store, one.name, "李娜", hub.now())
            definitions.publish(hub.store, one.name, "王磊", hub.now())
        score_everybody(hub)
        (target,) = targets(hub.config)
        with writing(hub, target) as writer:
            made = plan(hub.store, target, writer, hub.clock, run_id="p")
            approve(hub.store, target, made.digest, "王磊", hub.now())
            apply(hub.store, target, writer, hub.clock, made.digest, owner=hub.owner, run_id="p")
    assert in_the_crm(folder) == [("K7", 1, "10.00")]
    # The CRM counts what it is sent, so that a value that arrives twice is noticed.
    crm.execute("CREATE TABLE written (purchase_count)")
    crm.execute(
        "CREATE TRIGGER seen AFTER UPDATE ON lk_score BEGIN INSERT INTO written VALUES (new.purchase_count); END"
    )
    crm.commit()
    crm.close()
    buy(folder, "N2", "5.5")
    return folder


def buy(folder: Path, number: str, paid: str) -> None:
    """The buyer of the CRM's customer K7 buys; the ERP knows him under the same phone."""
    erp = sqlite3.connect(folder / "erp.db")
    at = f"2026-11-20 11:00:0{number[1]}"
    erp.execute("INSERT OR IGNORE INTO customer VALUES ('E7', '客户7', '13900000007', NULL, ?)", (at,))
    erp.execute("INSERT INTO sale_order VALUES (?, 'E7', ?, ?)", (number, paid, at))
    erp.commit()
    erp.close()


def in_the_crm(folder: Path) -> list[tuple[object, ...]]:
    crm = sqlite3.connect(folder / "crm.db")
    found = crm.execute("SELECT customer_id, purchase_count, purchase_amount FROM lk_score").fetchall()
    crm.close()
    return found


@pytest.mark.parametrize("point", POINTS)
def test_killed_on_the_way_to_the_crm(opened, point):
    assert run(opened, LIUKE_CRASH_AT=point) == KILLED
    expire_leases(opened)
    assert run(opened) == 0
    expire_leases(opened)
    assert run(opened) == 0
    assert in_the_crm(opened) == [("K7", 2, "15.50")]
    crm = sqlite3.connect(opened / "crm.db")
    assert crm.execute("SELECT count(*) FROM written").fetchone() == (1,)  # sent once, whatever died
    crm.close()
    hub = sqlite3.connect(opened / "liuke.db")
    assert hub.execute("SELECT DISTINCT status FROM outbox").fetchall() == [("confirmed",)]
    assert hub.execute("SELECT count(*) FROM touched_record").fetchone() == (0,)
    hub.close()
