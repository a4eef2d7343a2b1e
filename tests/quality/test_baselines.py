"""Baselines: what is usual on a weekday, what is far from it, and days that are like no other."""

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quality import baselines
from quality.baselines import Baseline

DAY = 86_400_000_000


def weeks(counts, last="2026-11-20"):
    """Counts of the same weekday, the newest a week before `last`."""
    end = datetime.date.fromisoformat(last)
    return {(end - datetime.timedelta(weeks=n + 1)).isoformat(): count for n, count in enumerate(counts)}


def test_the_median_of_the_last_eight_same_weekdays_is_usual():
    # Fridays back to 4 September. 2 October and 25 September are holidays; the last one is the ninth ordinary day.
    usual = baselines.baseline(weeks([100, 110, 90, 105, 95, 100, 9000, 9000, 100, 100, 5000]), "2026-11-20")
    assert usual is not None
    assert (usual.usual, usual.days) == (100, 8)


def test_other_weekdays_and_later_days_say_nothing():
    history = weeks([100] * 4) | {"2026-11-19": 9000, "2026-11-27": 9000, "2026-11-20": 9000}
    usual = baselines.baseline(history, "2026-11-20")
    assert usual is not None
    assert usual.usual == 100


def test_three_weekdays_are_no_baseline():
    assert baselines.baseline(weeks([100] * 3), "2026-11-20") is None


def test_holidays_and_sales_are_left_out_of_the_baseline():
    # Wednesday 2026-11-11 is Double Eleven: the week before 2026-11-18.
    history = weeks([9000, 100, 100, 100, 100], last="2026-11-18")
    assert "2026-11-11" in history
    usual = baselines.baseline(history, "2026-11-18")
    assert usual is not None
    assert usual.usual == 100


@pytest.mark.parametrize(
    ("usual", "spread", "count", "unusual"),
    [
        (1000, 10, 1100, False),  # more than 3.5 spreads, but within 20 %
        (1000, 10, 1201, True),
        (1000, 10, 799, True),
        (1000, 200, 1900, False),  # more than 20 %, but within 3.5 spreads of 296.5
        (1000, 200, 2050, True),
        (1000, 0, 0, True),
        (2, 0, 9, False),  # fewer than ten records apart
        (0, 0, 12, True),
    ],
)
def test_a_day_is_unusual_only_beyond_both_bounds(usual, spread, count, unusual):
    assert Baseline(usual, spread, 8).unusual(count) is unusual


@given(st.lists(st.integers(0, 10**6), min_size=4, max_size=8))
def test_the_median_day_itself_is_never_unusual(counts):
    usual = baselines.baseline(weeks(counts), "2026-11-20")
    assert usual is not None
    assert not usual.unusual(round(usual.usual))


@pytest.mark.parametrize(
    ("day", "name"),
    [
        ("2025-10-06", "国庆节、中秋节"), ("2026-02-17", "春节"), ("2026-02-14", "调休工作日"),
        ("2027-02-06", "春节"), ("2026-11-11", "双 11"), ("2026-06-18", "618"), ("2026-06-19", "端午节"),
    ],
)  # fmt: skip
def test_the_calendar_knows_the_day(day, name):
    assert baselines.special_days()[day].zh == name


def test_make_up_workdays_are_weekends_and_no_holidays():
    names = baselines.special_days()
    working = [day for day, name in names.items() if name.zh == "调休工作日"]
    assert len(working) == 11
    assert all(datetime.date.fromisoformat(day).weekday() >= 5 for day in working)


def test_volumes_are_read_from_the_runs_of_the_last_whole_day(store, put, now, company):
    def ran(weeks_ago, read, run="sync", backfill=0, outcome="ok"):
        at = now - DAY - weeks_ago * 7 * DAY
        put("run", {"run_id": f"{run}{weeks_ago}", "started_at": at, "backfill": backfill}, connector="erp")
        put(
            "stream_run",
            {"run_id": f"{run}{weeks_ago}", "finished_at": at, "read": read, "outcome": outcome},
            connector="erp",
        )

    for weeks_ago in range(1, 6):
        ran(weeks_ago, 500 + weeks_ago)
    ran(0, 20)
    ran(0, 30, run="again")
    ran(0, 5000, run="backfill", backfill=1)
    ran(0, 900, run="failed", outcome="failed")
    with store.reading() as tx:
        found = {(one.connector, one.stream): one for one in baselines.volumes(tx, now, company)}
    orders = found["erp", "orders"]
    assert (orders.day, orders.count, orders.status) == ("2026-11-20", 50, "warning")
    assert orders.baseline == Baseline(503, 1, 5)
    assert found["shop", "orders"].status == "no_data"


def test_a_special_day_is_not_judged(store, now, company):
    double_eleven = now - 9 * DAY
    with store.reading() as tx:
        found = baselines.volumes(tx, double_eleven, company)
    assert {one.special.zh for one in found if one.special} == {"双 11"}
    assert {one.status for one in found} == {"no_data"}
