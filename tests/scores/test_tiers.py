from datetime import date

import polars as pl
import pytest

from mappings.scores import load_definitions, rfm, tier, tier_table, with_tiers
from mappings.scores.tiers import TABLE_1

TIERS = load_definitions().tiers


@pytest.mark.parametrize(
    ("score", "expected"),
    [(100, "A"), (80, "A"), (79, "B"), (68, "B"), (60, "B"), (59, "C"), (51, "C"), (50, "D"), (45, "D"), (0, "D")],
)
def test_scores_of_80_and_more_are_a_and_of_50_and_less_are_d(score: int, expected: str) -> None:
    assert pl.select(tier(pl.lit(score), TIERS)).item() == expected


def test_fractional_scores_from_elsewhere_keep_the_borders() -> None:
    scores = pl.DataFrame({"score": [79.99, 50.01, 50.0]})
    assert scores.select(tier(pl.col("score"), TIERS)).to_series().to_list() == ["B", "C", "D"]


def test_no_score_has_no_tier() -> None:
    scores = with_tiers(pl.DataFrame({"score": pl.Series([None, 68], dtype=pl.Int64)}), TIERS)
    assert scores["tier"].to_list() == [None, "B"]
    assert scores["tier_definition"].to_list() == ["tiers@1", "tiers@1"]


def test_the_explanation_ends_with_the_border_that_decided() -> None:
    orders = pl.DataFrame({"customer_id": [1, 2], "day": [date(2026, 11, 20)] * 2, "net_amount": [30_000_000, 10_000]})
    scores = with_tiers(
        rfm(pl.DataFrame({"customer_id": [1, 2, 3]}), orders, load_definitions().rfm, date(2026, 11, 21)), TIERS
    )
    assert scores["explanation_zh"][0].endswith("M 3000.00 元 → 4 分（30%），得分 63 → B 级（>= 60）")
    assert scores["explanation_en"][1].endswith("score 40 -> tier D (<= 50)")
    assert scores["explanation_zh"][2] == "无数据：没有计入统计的订单"


def test_table_1_is_the_programmes_nine_columns_with_its_sample_rows() -> None:
    scores = pl.DataFrame(
        {
            "customer_id": [1002, 1003],
            "name": ["李**", "王**"],
            "recency_days": [95, 20],
            "frequency": [3, 6],
            "monetary": [12_000_000, 35_000_000],
            "score": [45, 68],
            "note": [None, "生日将近"],
        }
    )
    table = tier_table(scores, TIERS)
    assert table.columns == list(TABLE_1)
    assert len(table.columns) == 9
    assert table.rows() == [
        (1003, "王**", 20, 6, "3500.00", 68, "B", "潜力客户", "生日将近"),
        (1002, "李**", 95, 3, "1200.00", 45, "D", "低活跃客户", None),
    ]


def test_table_1_leaves_empty_what_is_not_known() -> None:
    scores = pl.DataFrame(
        {"customer_id": [7], "recency_days": [None], "frequency": [None], "monetary": [None], "score": [None]},
        schema=dict.fromkeys(("customer_id", "recency_days", "frequency", "monetary", "score"), pl.Int64),
    )
    assert tier_table(scores, TIERS).rows() == [(7, None, None, None, None, None, None, None, None)]


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        (0, "0.00"),
        (10_000, "1.00"),
        (-12_345_600, "-1234.56"),
        (1, "0.0001"),
        (123_456_789_012_345, "12345678901.2345"),
    ],
)
def test_amounts_are_shown_exactly(stored: int, shown: str) -> None:
    scores = pl.DataFrame(
        {"customer_id": [1], "recency_days": [1], "frequency": [1], "monetary": [stored], "score": [1]}
    )
    assert tier_table(scores, TIERS)["消费金额(元)"].to_list() == [shown]
