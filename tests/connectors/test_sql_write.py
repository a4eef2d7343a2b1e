import contextlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from connectors.outcomes import Outcome
from connectors.problems import ConnectorError
from connectors.registry import connector
from connectors.writer import ABSENT, Answer, Change
from tests.connectors.conftest import no_variable

SQL = connector("sql")
BOUGHT_AT = datetime(2026, 11, 20, 16, 30, tzinfo=UTC)


@contextlib.contextmanager
def writing(server, ports, **write):
    settings = SQL.read_settings({"url": server.url, "write": {"create": True} | write}, no_variable)
    writer = SQL.writer(settings, ports)
    try:
        yield writer
    finally:
        writer.close()


def answers(receipts):
    return [receipt.answer for receipt in receipts]


def test_scores_and_purchases_are_written_and_read_back_as_they_were(server, ports):
    changes = [
        Change("C1", "score", Decimal("68.5")),
        Change("C1", "tier", "B"),
        Change("C1", "last_purchase_at", BOUGHT_AT),
        Change("C1", "purchase_count", 6),
        Change("C1", "purchase_amount", Decimal("3500.10")),
        Change("C2", "tier", "D"),
    ]
    with writing(server, ports) as writer:
        receipts = writer.write(changes)
        found = writer.read_back(["C1", "C2", "C9"], ["score", "tier", "last_purchase_at", "purchase_count"])
        assert [receipt.change for receipt in receipts] == changes
        assert answers(receipts) == [Answer.ACCEPTED] * 6
        assert found.found == {"C1", "C2"}
        assert found.get("C1", "last_purchase_at") == BOUGHT_AT
        assert found.get("C1", "purchase_count") == 6
        assert writer.same("score", Decimal("68.5"), found.get("C1", "score"))
        assert not writer.same("score", Decimal("68.6"), found.get("C1", "score"))
        assert found.get("C2", "score") is None
        assert found.get("C9", "score") is ABSENT


def test_a_second_write_changes_only_the_fields_it_names(server, ports):
    with writing(server, ports) as writer:
        writer.write([Change("C1", "tier", "B"), Change("C1", "purchase_count", 6)])
        writer.write([Change("C1", "tier", "A"), Change("C3", "tier", "D")])
        found = writer.read_back(["C1", "C3"], ["tier", "purchase_count"])
    assert found.values == {
        ("C1", "tier"): "A",
        ("C1", "purchase_count"): 6,
        ("C3", "tier"): "D",
        ("C3", "purchase_count"): None,
    }


def test_a_value_can_be_taken_back(server, ports):
    with writing(server, ports) as writer:
        writer.write([Change("C1", "tier", "B")])
        writer.write([Change("C1", "tier", None, previous="B")])
        assert writer.read_back(["C1"], ["tier"]).get("C1", "tier") is None


def test_a_change_that_does_not_fit_is_rejected_alone_and_nothing_is_cut(server, ports):
    changes = [
        Change("C1", "tier", "A"),
        Change("C1", "nickname", "x"),
        Change("C1", "tier", "A" * 17),
        Change("C1", "score", "high"),
        Change("C1", "last_purchase_at", BOUGHT_AT.replace(tzinfo=None)),
        Change("C1", "purchase_count", True),
    ]
    with writing(server, ports) as writer:
        receipts = writer.write(changes)
    assert answers(receipts) == [Answer.ACCEPTED, *[Answer.REJECTED] * 5]
    assert [receipt.code for receipt in receipts[1:]] == [
        "write.unknown-field",
        "write.too-long",
        *["write.wrong-type"] * 3,
    ]


def test_a_row_the_database_refuses_is_found_and_the_others_are_written(server, ports):
    with writing(server, ports) as writer:
        writer.write([Change("C0", "tier", "A")])
    if server.dialect == "sqlite":
        server.run(
            "CREATE TRIGGER no_e BEFORE INSERT ON lk_customer_score WHEN NEW.tier = 'E' "
            "BEGIN SELECT RAISE(ABORT, 'tier E'); END"
        )
    else:
        server.run("ALTER TABLE lk_customer_score ADD CONSTRAINT no_e CHECK (tier <> 'E')")
    changes = [Change(f"C{n}", "tier", "E" if n == 5 else "B") for n in range(1, 10)]
    with writing(server, ports) as writer:
        receipts = writer.write(changes)
        found = writer.read_back([change.source_id for change in changes], ["tier"])
    assert [receipt.change.source_id for receipt in receipts if receipt.answer is Answer.REJECTED] == ["C5"]
    assert sorted(found.found) == ["C1", "C2", "C3", "C4", "C6", "C7", "C8", "C9"]


def test_the_time_of_writing_stands_beside_the_values_in_the_table_s_zone(server, ports, clock):
    with writing(server, ports, updated_at="written_at") as writer:
        writer.write([Change("C1", "tier", "B")])
    with server.engine.connect() as connection:
        written = connection.exec_driver_sql("SELECT written_at FROM lk_customer_score").scalar_one()
    assert str(written) == (clock.now() + timedelta(hours=8)).strftime("%Y-%m-%d %H:%M:%S")


def test_a_large_batch_is_one_transaction_and_every_row_is_counted(server, ports):
    changes = [Change(f"C{n:05}", "purchase_count", n) for n in range(2_500)]
    with writing(server, ports) as writer:
        assert writer.calls(len(changes)) == 2
        assert set(answers(writer.write(changes))) == {Answer.ACCEPTED}
    with server.engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT COUNT(*) FROM lk_customer_score").scalar_one() == 2_500
    assert [outcome for _, outcome, _ in ports.meter.attempts] == [Outcome.OK, Outcome.OK]


def test_rows_that_vanish_are_no_success(sqlite, ports):
    with writing(sqlite, ports) as writer:
        writer.write([Change("C0", "tier", "A")])
    sqlite.run(
        "CREATE TRIGGER eats BEFORE INSERT ON lk_customer_score WHEN NEW.customer_id = 'C2' "
        "BEGIN SELECT RAISE(IGNORE); END"
    )
    with writing(sqlite, ports) as writer:
        receipts = writer.write([Change("C1", "tier", "A"), Change("C2", "tier", "A")])
        assert answers(receipts) == [Answer.LATER, Answer.LATER]
        assert receipts[0].code == "stopped:sql.rows-lost"
        assert writer.read_back(["C1"], ["tier"]).found == frozenset()


def test_a_connection_that_breaks_while_committing_makes_the_changes_unknown(sqlite, ports, monkeypatch):
    import sqlalchemy as sa
    from sqlalchemy.engine import Connection

    with writing(sqlite, ports) as writer:
        writer.write([Change("C0", "tier", "A")])

        def commit(self):
            raise sa.exc.OperationalError("COMMIT", {}, ConnectionError("server closed the connection"))

        monkeypatch.setattr(Connection, "commit", commit)
        receipts = writer.write([Change("C1", "tier", "A")])
    assert answers(receipts) == [Answer.UNKNOWN]


def test_a_database_that_is_away_makes_the_changes_wait(postgres, ports):
    import sqlalchemy as sa

    away = replace(postgres, url=sa.make_url(postgres.url).set(port=1).render_as_string(hide_password=False))
    with writing(away, ports) as writer:
        receipts = writer.write([Change("C1", "tier", "A")])
    assert answers(receipts) == [Answer.LATER]


def test_a_missing_table_or_column_is_said_before_anything_is_written(server, ports):
    with writing(server, ports, create=False) as writer:
        (receipt,) = writer.write([Change("C1", "tier", "A")])
    assert (receipt.answer, receipt.code) == (Answer.LATER, "stopped:sql.no-table")
    server.run("CREATE TABLE lk_customer_score (customer_id VARCHAR(64) PRIMARY KEY, tier VARCHAR(16))")
    with writing(server, ports, create=False, columns={"tier": "tier"}) as writer:
        (receipt,) = writer.write([Change("C1", "tier", "A")])
    assert receipt.code == "stopped:sql.staging-columns"
    assert "updated_at" in receipt.reason.zh


def test_without_a_staging_table_there_is_no_writer(sqlite, ports):
    settings = SQL.read_settings({"url": sqlite.url}, no_variable)
    with pytest.raises(ConnectorError, match=r"sql\.no-staging-table"):
        SQL.writer(settings, ports)
