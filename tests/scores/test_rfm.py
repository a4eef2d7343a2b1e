from dataclasses import replace
from datetime import date, timedelta
from fractions import Fraction

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mappings.scores import load_definitions, rfm

TODAY = date(2026, 11, 21)
RFM = load_definitions().rfm
YUAN = 10_000


def frame(*orders: tuple[int, date, int]) -> pl.DataFrame:
    return pl.DataFrame(
        orders,
        schema={"customer_id": pl.Int64, "day": pl.Date, "net_amount": pl.Int64},
        orient="row",
    )


def customers(*ids: int) -> pl.DataFrame:
    return pl.DataFrame({"customer_id": ids}, schema={"customer_id": pl.Int64})


def test_a_score_carries_its_numbers_its_points_and_its_definition() -> None:
    orders = frame(
        (1, date(2026, 11, 9), 1_200 * YUAN),
        (1, date(2026, 8, 1), 2_000 * YUAN + 5_000),
        (1, date(2025, 11, 21), 900 * YUAN),  # 365 days ago: out of the window of 365 days
    )
    row = rfm(customers(1), orders, RFM, TODAY).to_dicts()[0]
    assert (row["recency_days"], row["frequency"], row["monetary"]) == (12, 2, 32_005_000)
    assert (row["r_points"], row["f_points"], row["m_points"]) == (5, 2, 4)
    assert row["score"] == 70  # (4 * 40 + 1 * 30 + 3 * 30) / 4 = 70
    assert row["definition"] == "rfm@1"
    assert row["first_day"] == date(2025, 11, 21)
    assert row["explanation_zh"] == (
        "R 12 天 → 5 分（40%），F 365 天内 2 次 → 2 分（30%），M 3200.50 元 → 4 分（30%），得分 70"
    )
    assert row["explanation_en"] == (
        "R 12 days -> 5 points (40%), F 2 purchases in 365 days -> 2 points (30%), "
        "M 3200.50 yuan -> 4 points (30%), score 70"
    )


@pytest.mark.parametrize(
    ("days_ago", "points"), [(0, 5), (30, 5), (31, 4), (60, 4), (61, 3), (120, 3), (240, 2), (241, 1), (900, 1)]
)
def test_recency_points_change_the_day_after_each_border(days_ago: int, points: int) -> None:
    orders = frame((1, TODAY - timedelta(days=days_ago), YUAN))
    assert rfm(customers(1), orders, RFM, TODAY)["r_points"].to_list() == [points]


@pytest.mark.parametrize(("yuan", "points"), [("299.9999", 1), ("300", 2), ("7999.9999", 4), ("8000", 5)])
def test_amounts_reach_a_border_exactly(yuan: str, points: int) -> None:
    amount = int(Fraction(yuan) * YUAN)
    assert rfm(customers(1), frame((1, TODAY, amount)), RFM, TODAY)["m_points"].to_list() == [points]


def test_nobody_without_a_purchase_gets_a_zero() -> None:
    row = rfm(customers(7), frame(), RFM, TODAY).to_dicts()[0]
    assert row["no_data"] == "no-orders"
    assert [row[name] for name in ("recency_days", "frequency", "monetary", "r_points", "score")] == [None] * 5
    assert row["explanation_zh"] == "无数据：没有计入统计的订单"


def test_a_purchase_outside_the_window_leaves_a_real_zero() -> None:
    row = rfm(customers(1), frame((1, date(2025, 1, 1), 500 * YUAN)), RFM, TODAY).to_dicts()[0]
    assert (row["frequency"], row["monetary"], row["score"], row["no_data"]) == (0, 0, 0, None)


def test_a_wholly_refunded_order_is_no_purchase_but_its_money_still_counts() -> None:
    orders = frame((1, date(2026, 11, 20), 0), (1, date(2026, 10, 1), 100 * YUAN), (1, TODAY, -30 * YUAN))
    row = rfm(customers(1), orders, RFM, TODAY).to_dicts()[0]
    assert (row["recency_days"], row["frequency"], row["monetary"]) == (51, 1, 70 * YUAN)


def test_a_past_day_is_scored_without_what_came_later() -> None:
    orders = frame((1, date(2026, 1, 5), 50 * YUAN), (1, date(2026, 6, 1), 60 * YUAN))
    then = rfm(customers(1), orders, RFM, date(2026, 1, 31)).to_dicts()[0]
    assert (then["recency_days"], then["frequency"], then["monetary"]) == (26, 1, 50 * YUAN)


def test_weights_count_as_shares_of_their_sum() -> None:
    heavy = replace(RFM, recency=replace(RFM.recency, weight=4), frequency=replace(RFM.frequency, weight=3),
                    monetary=replace(RFM.monetary, weight=3))  # fmt: skip
    orders = frame((1, date(2026, 11, 9), 5_000 * YUAN))
    assert (
        rfm(customers(1), orders, heavy, TODAY)["score"].to_list()
        == rfm(customers(1), orders, RFM, TODAY)["score"].to_list()
    )


def test_quantiles_give_equal_customers_equal_points_and_need_everyone() -> None:
    quantiles = replace(RFM, quantiles=True)
    assert quantiles.needs_everyone
    orders = frame(*((n, TODAY - timedelta(days=n), 100 * YUAN) for n in range(10)))
    scores = rfm(customers(*range(10)), orders, quantiles, TODAY)
    assert scores["r_points"].to_list() == [5, 5, 4, 4, 3, 3, 2, 2, 1, 1]
    assert scores["f_points"].to_list() == [1] * 10  # nobody is worse than anybody


ORDERS = st.lists(
    st.tuples(
        st.integers(1, 5),
        st.integers(-3, 800).map(lambda days: TODAY - timedelta(days=days)),
        st.integers(-5_000 * YUAN, 20_000 * YUAN),
    ),
    max_size=30,
)


@settings(max_examples=60, deadline=None)
@given(ORDERS)
def test_every_score_is_what_a_person_works_out_with_a_pencil(orders: list[tuple[int, date, int]]) -> None:
    got = {row["customer_id"]: row for row in rfm(customers(1, 2, 3, 4, 5), frame(*orders), RFM, TODAY).to_dicts()}
    for customer in range(1, 6):
        mine = [(day, net) for owner, day, net in orders if owner == customer and day <= TODAY]
        bought = [day for day, net in mine if net >= 100]
        if not bought:
            assert got[customer]["score"] is None
            continue
        recency = (TODAY - max(bought)).days
        frequency = sum((TODAY - day).days < 365 for day in bought)
        monetary = sum(net for day, net in mine if (TODAY - day).days < 365)
        r = 5 - sum(recency > step for step in (30, 60, 120, 240))
        f = 1 + sum(frequency >= step for step in (2, 4, 6, 9))
        m = 1 + sum(monetary >= step * YUAN for step in (300, 1000, 3000, 8000))
        exact = Fraction((r - 1) * 40 + (f - 1) * 30 + (m - 1) * 30, 4)
        assert (got[customer]["recency_days"], got[customer]["frequency"], got[customer]["monetary"]) == (
            recency,
            frequency,
            monetary,
        )
        assert got[customer]["score"] == (exact + Fraction(1, 2)).__floor__()


@settings(max_examples=30, deadline=None)
@given(ORDERS.flatmap(lambda orders: st.tuples(st.just(orders), st.permutations(orders))))
def test_the_order_of_the_orders_changes_nothing(
    both: tuple[list[tuple[int, date, int]], list[tuple[int, date, int]]],
) -> None:
    first, second = both
    for definition in (RFM, replace(RFM, quantiles=True)):
        assert rfm(customers(1, 2, 3), frame(*first), definition, TODAY).equals(
            rfm(customers(1, 2, 3), frame(*second), definition, TODAY)
        )
