"""The comparison with the CDNOW files, on lines in their very form; the files themselves need a download."""

import sqlite3
from contextlib import closing
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from benchmarks import real_input
from benchmarks.cdnow import (
    Comparison,
    Purchase,
    Summary,
    compare,
    compare_summary,
    orders_of,
    read_purchases,
    read_sample,
    read_summary,
)

MASTER = (
    " customer_id  date number_of_cds  dollar_value\r\n"
    " 00004 19970101  2   29.33\r\n"
    " 00004 19970118  2   29.73\r\n"
    " 00004 19970118  2   29.73\r\n"  # the same line again: another purchase of the same day
    " 00004 19970802  1   14.96\r\n"
    " 00004 19971212  2   26.48\r\n"  # after the calibration period
    " 00005 19970101  1    0.00\r\n"
    " 00021 19970101  2   63.34\r\n"
    " 00021 19970113  1   11.77\r\n"
)
SAMPLE = " 00004 0001 19970101  2   29.33\r\n 00004 0001 19970118  2   29.73\r\n 00021 0002 19970101  2   63.34\r\n"
SUMMARY = "ID,frequency,recency,T\n1,2,30.43,38.86\n2,1,1.71,38.86\n"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "published"
    folder.mkdir()
    (folder / real_input.MASTER).write_text(MASTER, encoding="ascii", newline="")
    (folder / real_input.SAMPLE).write_text(SAMPLE, encoding="ascii", newline="")
    (folder / real_input.SUMMARY).write_text(SUMMARY, encoding="ascii")
    return folder


def test_the_published_files_are_read_exactly(files: Path) -> None:
    purchases = read_purchases(files / real_input.MASTER)
    assert purchases[0] == Purchase(1, "00004", date(1997, 1, 1), 2, Decimal("29.33"))
    assert [p.no for p in purchases] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert read_sample(files / real_input.SAMPLE) == {"00004": "1", "00021": "2"}
    assert read_summary(files / real_input.SUMMARY)["2"] == Summary(1, Decimal("1.71"), Decimal("38.86"))


@pytest.mark.slow
def test_purchases_go_through_both_connectors_and_agree(tmp_path: Path, files: Path) -> None:
    hub = tmp_path / "hub"
    real_input.prepare(hub, files)
    real_input.run(hub)
    comparisons = real_input.judge(hub, files)
    assert [str(one) for one in comparisons if not one.agrees] == []
    assert len(comparisons) == 1 + 2 * 6
    assert Comparison("database: orders", 8, 8) in comparisons
    assert Comparison("export: sum", Decimal("205.34"), Decimal("205.34")) in comparisons
    assert Comparison("export: frequency, recency and T agree for", 2, 2) in comparisons

    with closing(sqlite3.connect(hub / "liuke.db")) as database, database:
        database.execute("UPDATE \"order\" SET paid_amount = paid_amount + 1 WHERE source_id = '4'")
        database.execute("DELETE FROM \"order\" WHERE source_id = 'CD000008'")
    differing = {one.what for one in real_input.judge(hub, files) if not one.agrees}
    assert differing == {
        "database: sum",
        "database: counts and sums of 3 months",
        "export: orders",
        "export: sum",
        "export: counts and sums of 3 months",
        "export: frequency, recency and T agree for",
    }


def test_a_file_that_is_not_the_published_one_is_refused(files: Path) -> None:
    with pytest.raises(SystemExit, match="is not the published file"):
        real_input.fetch(files)


def test_counts_of_another_store_do_not_agree(files: Path, tmp_path: Path) -> None:
    purchases = read_purchases(files / real_input.MASTER)
    store = tmp_path / "liuke.db"
    with closing(sqlite3.connect(store)) as database, database:
        database.execute("CREATE TABLE customer_record (connector, source_id, name)")
        database.execute(
            'CREATE TABLE "order" (connector, source_id, customer_source_id, ordered_at, paid_amount, deleted)'
        )
    orders = orders_of(store, "database")
    assert orders.height == 0
    assert not any(one.agrees for one in compare("database", orders, 0, purchases))
    published = read_summary(files / real_input.SUMMARY)
    assert compare_summary("database", orders, read_sample(files / real_input.SAMPLE), published).hub == 0
