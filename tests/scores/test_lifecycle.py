from datetime import date, timedelta

import polars as pl
import pytest

from mappings.scores import lifecycle, load_definitions

TODAY = date(2026, 11, 21)
LIFECYCLE = load_definitions().lifecycle


def ago(days: int | None) -> date | None:
    return None if days is None else TODAY - timedelta(days=days)


def one(**days: int | None) -> dict:
    """The only row for a customer with signals so many days ago; a signal left out has no source."""
    frame = pl.DataFrame(
        {"customer_id": [1]} | {name: [ago(value)] for name, value in days.items()},
        schema={"customer_id": pl.Int64} | dict.fromkeys(days, pl.Date),
    )
    return lifecycle(frame, LIFECYCLE, TODAY).to_dicts()[0]


@pytest.mark.parametrize(
    ("days", "stage"), [(0, "new"), (90, "new"), (91, "growing"), (180, "growing"), (181, "mature"), (2000, "mature")]
)
def test_stages_are_0_to_90_then_91_to_180_then_181_days_and_more(days: int, stage: str) -> None:
    assert one(first_day=days, last_day=days)["stage"] == stage


@pytest.mark.parametrize(("days", "at_risk"), [(29, False), (30, True), (400, True)])
def test_thirty_days_without_activity_are_a_risk(days: int, at_risk: bool) -> None:
    assert one(first_day=500, last_day=days)["at_risk"] is at_risk


def test_any_sign_of_life_counts_against_the_risk() -> None:
    row = one(first_day=500, last_day=200, last_active_day=3)
    assert (row["at_risk"], row["inactive_days"]) == (False, 3)


def test_without_any_sign_of_life_the_risk_is_no_data_not_zero() -> None:
    row = one(first_day=None, last_day=None)
    assert (row["stage"], row["at_risk"], row["inactive_days"]) == (None, None, None)
    assert row["explanation_zh"] == "没有首次购买；活跃：无数据"


def test_the_explanation_carries_the_days() -> None:
    row = one(first_day=120, last_day=40)
    assert row["explanation_zh"] == "首次购买后 120 天 → 成长期；40 天未活跃（30 天起为风险）"
    assert row["explanation_en"] == (
        "120 days since the first purchase -> growing; inactive for 40 days (at risk from 30)"
    )
    assert row["definition"] == "lifecycle@1"


@pytest.mark.parametrize(
    ("signals", "account"),
    [
        ({"first_day": 300, "last_day": 300, "registered_day": 400, "last_active_day": None}, "active"),
        ({"first_day": None, "registered_day": 6, "last_active_day": None}, "active"),
        ({"first_day": None, "registered_day": 7, "last_active_day": None}, "silent"),
        ({"first_day": None, "registered_day": 400, "last_active_day": 179}, "silent"),
        ({"first_day": None, "registered_day": 400, "last_active_day": 180}, "zombie"),
        ({"first_day": None, "registered_day": 400, "last_active_day": None}, "zombie"),
        ({"first_day": None, "registered_day": 400}, "silent"),  # no source of activity: not known to be idle
        ({"first_day": None, "registered_day": None, "last_active_day": 1}, None),
        ({"first_day": None}, None),
    ],
)
def test_accounts_that_never_bought_are_silent_and_then_zombies(
    signals: dict[str, int | None], account: str | None
) -> None:
    assert one(**signals)["account"] == account


def test_a_clock_that_runs_ahead_counts_as_today() -> None:
    assert one(first_day=-1, last_day=-1)["stage_days"] == 0
