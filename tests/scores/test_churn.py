from datetime import date, timedelta

import polars as pl
import pytest

from mappings.problems import LiukeError
from mappings.scores import churn, disagreements, load_definitions

TODAY = date(2026, 11, 21)
CHURN = load_definitions().churn
YUAN = 10_000


def one(industry: str, annual_amount: int | None = None, **days: int | None) -> dict:
    frame = pl.DataFrame(
        {"customer_id": [1], "annual_amount": [annual_amount]}
        | {name: [None if value is None else TODAY - timedelta(days=value)] for name, value in days.items()},
        schema={"customer_id": pl.Int64, "annual_amount": pl.Int64} | dict.fromkeys(days, pl.Date),
    )
    return churn(frame, CHURN, industry, TODAY).to_dicts()[0]


@pytest.mark.parametrize(
    ("industry", "signal", "days"),
    [
        ("saas", "last_login_day", 90),
        ("ecommerce", "last_day", 180),
        ("retail", "last_day", 90),
        ("fmcg", "last_day", 30),
        ("b2b", "last_day", 60),
    ],
)
def test_each_industry_loses_customers_after_its_own_days(industry: str, signal: str, days: int) -> None:
    assert one(industry, **{signal: days - 1})["churned"] is False
    assert one(industry, **{signal: days})["churned"] is True


def test_core_customers_of_more_than_100_000_yuan_a_year_are_lost_after_30_days() -> None:
    core = one("b2b", annual_amount=100_001 * YUAN, last_day=30)
    ordinary = one("b2b", annual_amount=100_000 * YUAN, last_day=30)
    assert (core["churned"], core["churn_rule"]) == (True, "b2b-core")
    assert (ordinary["churned"], ordinary["churn_rule"]) == (False, "b2b-ordinary")


def test_the_day_of_loss_and_the_reason_are_told() -> None:
    row = one("ecommerce", last_day=200)
    assert row["churn_on"] == TODAY - timedelta(days=20)
    assert row["explanation_zh"] == "距上次购买 200 天 → 流失（电商：180 天无复购）"
    assert row["explanation_en"] == ("200 days since the last purchase -> lost (e-commerce: no purchase for 180 days)")


def test_a_signal_without_a_source_is_no_data() -> None:
    row = one("saas", last_day=3)  # no system tells of logins
    assert (row["churned"], row["no_data"]) == (None, "no-source")
    assert row["explanation_zh"] == "无数据：没有登录记录（软件服务：90 天未登录）"


def test_a_customer_whom_the_source_does_not_know_is_no_data_too() -> None:
    row = one("ecommerce", last_day=None)
    assert (row["churned"], row["no_data"], row["churn_days"]) == (None, "no-signal", None)


def test_an_unknown_industry_names_the_known_ones() -> None:
    with pytest.raises(LiukeError) as error:
        one("aerospace", last_day=1)
    assert error.value.problems[0].code == "score.industry-unknown"
    assert "saas, ecommerce, retail, fmcg, b2b" in error.value.problems[0].do.en


def test_the_windows_that_contradict_each_other_are_shown() -> None:
    pairs = {(pair.first.id, pair.second.id) for pair in disagreements(CHURN)}
    assert ("ecommerce", "retail") in pairs
    assert ("b2b-core", "b2b-ordinary") not in pairs  # meant to differ: their customers do
    assert all("saas" not in pair for pair in pairs)  # nothing else counts logins
    assert ("fmcg", "b2b-core") not in pairs  # both 30 days
