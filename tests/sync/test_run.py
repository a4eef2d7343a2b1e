"""From the ERP to resolved customers: nothing is lost, nothing is written twice, every failure is told."""

import sqlite3

import pytest

from state.landing import Lander
from state.store import Store
from sync.extract import Stopped
from sync.run import Runner

AT = "2026-11-21 16:59:30"  # 30 s before the hub's clock, as the ERP writes Beijing time


def visible(installation):
    return installation.ask('SELECT source_id, paid_amount FROM "order" ORDER BY source_id')


def test_what_the_erp_has_becomes_visible_and_customers_are_resolved(installation):
    company = installation.company
    company.customer("C1", "张三", "13812340001", AT)
    company.customer("C2", "张三", "+86 138 1234 0001", AT)
    company.order("O1", "C1", "128.50", AT)
    done = installation.sync()
    assert [(c.outcome, c.problems) for c in done.connectors] == [("ok", [])]
    assert visible(installation) == [("O1", 1_285_000)]
    assert installation.ask("SELECT source_id, record_no, customer_id FROM customer_record ORDER BY source_id") == [
        ("C1", 1, 1),
        ("C2", 2, 1),
    ]
    assert installation.ask("SELECT DISTINCT mask FROM identifier") == [("138****0001",)]


def test_a_second_run_writes_nothing(installation):
    installation.company.order("O1", "C1", "1", AT)
    installation.sync()
    before = installation.ask('SELECT * FROM "order"'), installation.landing_files()
    installation.clock.turn(60)
    done = installation.sync()
    assert done.connectors[0].extracted.read == 0
    assert (installation.ask('SELECT * FROM "order"'), installation.landing_files()) == before


def test_one_bad_record_of_ten_thousand_stops_nothing_and_is_owed(installation):
    rows = [(f"O{n:05d}", "C1", "10.00", AT) for n in range(10_000)]
    rows[4711] = ("O04711", "C1", "zehn", AT)
    installation.company.orders(rows)
    done = installation.sync()
    assert (done.connectors[0].outcome, done.connectors[0].loaded.quarantined) == ("ok", 1)
    assert len(visible(installation)) == 9_999
    assert installation.ask("SELECT record_key, code, status FROM quarantine") == [
        ("O04711", "cell.money-unreadable", "open")
    ]
    installation.clock.turn(60)
    assert installation.sync().connectors[0].extracted.read == 0  # the bookmark has moved on
    installation.company.order("O04711", "C1", "10.00", "2026-11-21 17:01:30")  # repaired at the source
    installation.clock.turn(60)
    installation.sync()
    assert len(visible(installation)) == 10_000
    assert installation.ask("SELECT status FROM quarantine") == [("closed",)]


def test_a_mended_map_reads_what_was_held(installation):
    installation.company.order("O1", "C1", "12800", AT)
    path = installation.folder / "mappings" / "erp.yaml"
    good = path.read_text(encoding="utf-8")
    path.write_text(good.replace("status: {value: paid}", "status: customer_id"), encoding="utf-8")
    installation.sync()
    assert visible(installation) == []
    path.write_text(good, encoding="utf-8")
    with installation.hub() as hub:
        Runner(hub).replay()
    assert visible(installation) == [("O1", 128_000_000)]
    assert installation.ask("SELECT status FROM quarantine") == [("closed",)]


def test_an_order_may_come_before_its_customer(installation):
    installation.company.order("O1", "C7", "1", AT)
    installation.sync()
    ((number,),) = installation.ask('SELECT buyer_record_no FROM "order"')
    installation.company.customer("C7", "李四", "13812340007", "2026-11-21 17:00:30")
    installation.clock.turn(60)
    installation.sync()
    assert installation.ask("SELECT record_no, customer_id FROM customer_record") == [(number, number)]


def test_a_first_load_is_a_backfill_and_catching_up_is_not(installation):
    installation.company.order("O1", "C1", "1", "2025-01-01 10:00:00")
    assert installation.sync().connectors[0].backfill
    installation.company.order("O2", "C1", "1", "2026-11-21 16:00:00")
    installation.clock.turn(60)
    assert not installation.sync().connectors[0].backfill
    assert installation.ask("SELECT record_key FROM late_record") == [("O2",)]
    assert installation.ask("SELECT backfill, sum(n) FROM latency WHERE hop = 'source_to_hub' GROUP BY backfill") == [
        (0, 1),
        (1, 1),
    ]


# --- the database is away -------------------------------------------------------------------------------


def test_while_the_database_is_locked_pulling_goes_on_and_everything_is_loaded_later(installation, monkeypatch):
    installation.company.order("O1", "C1", "1", AT)
    with installation.hub() as hub:
        hub.store.close()  # the tables are there
    opened = Store.open
    monkeypatch.setattr(Store, "open", lambda url: opened(url, busy_timeout_s=0.05))
    holder = sqlite3.connect(installation.folder / "liuke.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    done = installation.sync()
    assert done.connectors[0].extracted.read == 1
    assert done.connectors[0].extracted.unregistered == 1
    assert done.waiting
    holder.execute("ROLLBACK")
    installation.clock.turn(60)
    installation.sync()
    assert visible(installation) == [("O1", 10_000)]
    assert len(installation.landing_files()) == 1  # pulled once, though loaded later


def test_a_database_that_cannot_be_opened_does_not_stop_the_pull(installation):
    installation.company.order("O1", "C1", "1", AT)
    database = installation.folder / "liuke.db"
    database.mkdir()  # nothing that SQLite could open
    done = installation.sync()
    assert done.waiting
    assert done.connectors[0].extracted.unregistered == 1
    installation.company.order("O2", "C1", "2", "2026-11-21 17:00:20")
    installation.clock.turn(60)
    again = installation.sync()
    assert again.connectors[0].extracted.read == 1  # only the new one: the bookmark came from the sealed file
    database.rmdir()
    installation.clock.turn(60)
    installation.sync()
    assert visible(installation) == [("O1", 10_000), ("O2", 20_000)]
    assert len(installation.landing_files()) == 2


# --- the pull breaks off --------------------------------------------------------------------------------


def test_a_full_disk_is_told_and_the_bookmark_stays(installation, monkeypatch):
    installation.company.order("O1", "C1", "1", AT)

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("os.fsync", full)
        done = installation.sync()
    assert done.connectors[0].outcome == "failed"
    assert [problem.code for problem in done.problems] == ["landing.disk-full"]
    assert installation.landing_files() == []
    installation.clock.turn(60)
    installation.sync()
    assert visible(installation) == [("O1", 10_000)]


def test_a_stopped_pull_seals_what_it_has(installation, monkeypatch):
    installation.company.orders([(f"O{n}", "C1", "1", AT) for n in range(12_000)])
    with installation.hub() as hub:
        runner = Runner(hub)
        page = Lander.page

        def stop_after_first(self, *args, **more):
            page(self, *args, **more)
            runner.stop.set()

        monkeypatch.setattr(Lander, "page", stop_after_first)
        with pytest.raises(Stopped):
            runner.sync()
    monkeypatch.undo()
    ((sealed,),) = installation.ask("SELECT sum(lines) FROM landing_file")
    assert 0 < sealed < 12_000
    installation.clock.turn(180)
    installation.sync()
    assert len(visible(installation)) == 12_000


def test_a_stream_that_fails_stops_no_other(installation):
    installation.company.customer("C1", "张三", "13812340001", AT)
    installation.company.order("O1", "C1", "1", AT)
    installation.company.db.execute("ALTER TABLE sale_order RENAME COLUMN modified_at TO changed_at")
    installation.company.db.commit()
    done = installation.sync()
    assert done.connectors[0].outcome == "partly"
    assert [s.outcome for s in done.connectors[0].extracted.streams] == ["ok", "failed"]
    assert installation.ask("SELECT source_id FROM customer_record") == [("C1",)]
    assert installation.ask("SELECT outcome FROM run") == [("partly",)]


def test_a_file_that_cannot_be_judged_is_frozen_and_owed(installation, monkeypatch):
    installation.company.order("O1", "C1", "1", AT)

    def broken(*_):
        from mappings.problems import Problem, Text
        from quality.check_rows import ToolError

        raise ToolError(Problem("check.failed", Text("规则无法执行", "the rule cannot run")))

    with monkeypatch.context() as patched:
        patched.setattr("sync.reader.check", broken)
        done = installation.sync()
    assert [problem.code for problem in done.problems] == ["check.failed"]
    assert installation.ask("SELECT status, problem FROM landing_file") == [("frozen", "check.failed")]
    assert visible(installation) == []
    with installation.hub() as hub:
        Runner(hub).replay()
    assert visible(installation) == [("O1", 10_000)]
    assert installation.ask("SELECT status, problem FROM landing_file") == [("loaded", None)]


# --- buyers without a customer entity -------------------------------------------------------------------


def test_a_masked_phone_in_a_later_order_takes_nothing_from_the_buyer(installation):
    path = installation.folder / "mappings" / "erp.yaml"
    mapped = path.read_text(encoding="utf-8").replace(
        "        customer_source_id: customer_id\n",
        "        buyer: {phone: customer_id, shop_buyer: {from: nick, scope: tmall}}\n",
    )
    path.write_text(mapped, encoding="utf-8")
    installation.company.db.execute("ALTER TABLE sale_order ADD COLUMN nick TEXT DEFAULT 'tb_20261121'")
    installation.company.customer("C1", "张三", "13812340001", AT)
    for number, phone in (("O1", "13812340001"), ("O2", "138****0001")):
        installation.company.db.execute(
            "INSERT INTO sale_order (id, customer_id, paid, modified_at) VALUES (?, ?, '1', ?)", (number, phone, AT)
        )
    installation.company.db.commit()
    installation.sync()
    ((customer,),) = installation.ask("SELECT DISTINCT customer_id FROM customer_record")
    assert installation.ask(
        'SELECT o.source_id, r.customer_id FROM "order" o JOIN customer_record r ON r.record_no = o.buyer_record_no '
        "ORDER BY o.source_id"
    ) == [("O1", customer), ("O2", customer)]
