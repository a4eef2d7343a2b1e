"""From a changed order to the value read back in the CRM's staging table, in one run."""

import sqlite3

import pytest

from quality.status import status
from sync import definitions
from sync.expectations import expectations
from sync.run import Runner
from sync.scoring import score_everybody
from sync.targets import targets, writing
from sync.writeback.apply import apply
from sync.writeback.plan import approve, plan

AT = "2026-11-21 16:59:30"

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
      fields: [purchase_count, purchase_amount]
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


@pytest.fixture
def opened(installation):
    """An installation whose CRM may be written to: one plan was approved, C1 has one order of 1 yuan."""
    crm = sqlite3.connect(installation.folder / "crm.db")
    crm.execute("CREATE TABLE customer (id TEXT PRIMARY KEY, name TEXT, mobile TEXT, modified_at TEXT)")
    crm.execute("INSERT INTO customer VALUES ('K7', '张三', '13812340001', ?)", (AT,))
    crm.commit()
    with (installation.folder / "liuke.yaml").open("a", encoding="utf-8") as file:
        file.write(CRM)
    (installation.folder / "mappings" / "crm.yaml").write_text(CRM_MAP, encoding="utf-8")
    installation.company.customer("C1", "张三", "13812340001", AT)
    installation.company.order("O1", "C1", "1", AT)
    installation.sync()
    with installation.hub() as hub:
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
    installation.crm = crm
    return installation


def in_the_crm(installation):
    return installation.crm.execute("SELECT customer_id, purchase_count, purchase_amount FROM lk_score").fetchall()


def owed_writes(installation):
    with installation.hub() as hub, hub.store.reading() as tx:
        return status(tx, hub.now(), expectations(hub.config, maps=False))["owed"]["writes"]


def test_a_new_order_is_in_the_crm_after_one_run(opened):
    assert in_the_crm(opened) == [("K7", 1, "1.00")]
    opened.company.order("O2", "C1", "2.50", "2026-11-21 17:00:30")
    opened.clock.turn(60)
    done = opened.sync()
    assert done.after == []
    assert [(one.target, one.confirmed) for one in done.written] == [("crm", 2)]
    assert in_the_crm(opened) == [("K7", 2, "3.50")]
    assert owed_writes(opened) == 0
    assert opened.ask("SELECT sum(n) FROM latency WHERE hop = 'source_to_target' AND backfill = 0") == [(1,)]


def test_a_run_that_dies_after_loading_leaves_the_value_owed_and_the_next_one_writes_it(opened, monkeypatch):
    opened.company.order("O2", "C1", "2.50", "2026-11-21 17:00:30")
    opened.clock.turn(60)

    def killed(_hub):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("sync.run.carry_on", killed)
        with pytest.raises(KeyboardInterrupt):
            opened.sync()
    assert in_the_crm(opened) == [("K7", 1, "1.00")]
    assert owed_writes(opened) > 0  # not green while the CRM holds an old value
    opened.clock.turn(180)
    opened.sync()
    assert in_the_crm(opened) == [("K7", 2, "3.50")]
    assert owed_writes(opened) == 0


def test_ten_cycles_make_no_loop(opened):
    for _ in range(10):
        opened.clock.turn(60)
        with opened.hub() as hub:
            done = Runner(hub).sync()
        assert [one.sent for one in done.written] == [0]
    assert in_the_crm(opened) == [("K7", 1, "1.00")]


def test_joining_two_records_reaches_the_crm_too(opened):
    opened.company.customer("C2", "张三", "13812340099", AT)
    opened.company.order("O9", "C2", "5", "2026-11-21 17:00:30")
    opened.clock.turn(60)
    opened.sync()
    assert in_the_crm(opened) == [("K7", 1, "1.00")]
    opened.company.customer("C2", "张三", "13812340001", "2026-11-21 17:01:30")  # the same phone now
    opened.clock.turn(60)
    opened.sync()
    assert in_the_crm(opened) == [("K7", 2, "6.00")]
    opened.company.customer("C2", "张三", "13812340099", "2026-11-21 17:02:30")  # and no more
    opened.clock.turn(60)
    opened.sync()
    assert in_the_crm(opened) == [("K7", 1, "1.00")]
