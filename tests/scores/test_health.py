from decimal import Decimal

import pytest

from mappings.scores import health, judge, load_definitions
from mappings.scores.health import grade

D = Decimal
HEALTH = load_definitions().health
INDICATORS = {indicator.id: indicator for indicator in load_definitions().indicators.indicators}
GOOD = {
    "completeness": D("0.90"),
    "tier_match": D("0.95"),
    "completed": D(1),
    "complaints_in_time": D("0.90"),
    "nps": D(40),
    "iterations_a_month": D(2),
}


def test_table_7_weighs_25_30_25_20_and_everything_at_its_target_is_100() -> None:
    assert [(part.id, part.weight) for part in HEALTH.parts] == [
        ("data", 25),
        ("strategy", 30),
        ("experience", 25),
        ("improvement", 20),
    ]
    whole = health(GOOD, HEALTH)
    assert (whole.score, whole.grade and whole.grade.grade) == (D("100.0"), "excellent")


def test_the_data_part_is_as_good_as_its_worse_measure() -> None:
    whole = health(GOOD | {"completeness": D("0.99"), "tier_match": D("0.76")}, HEALTH)
    data = whole.parts[0]
    assert data.score == D("80.0")  # 0.76 / 0.95
    assert data.explanation.zh == "数据完整率 0.99（目标 0.90）→ 100.0 分，分层与行为相符率 0.76（目标 0.95）→ 80.0 分"
    assert whole.score == D("95.0")


def test_a_part_without_data_leaves_the_whole_without_a_score() -> None:
    whole = health(GOOD | {"nps": None}, HEALTH)
    assert (whole.score, whole.grade) == (None, None)
    assert whole.parts[2].missing == ("nps",)
    assert whole.parts[0].score == D("100.0")


def test_a_negative_nps_earns_nothing_rather_than_less() -> None:
    assert health(GOOD | {"nps": D(-20)}, HEALTH).parts[2].score == D("0.0")


@pytest.mark.parametrize(
    ("score", "word"),
    [("100", "优秀"), ("80", "优秀"), ("79.9", "良好"), ("60", "良好"), ("59.9", "待改进"), ("0", "待改进")],
)
def test_grades_change_at_80_and_60(score: str, word: str) -> None:
    assert grade(D(score), HEALTH).label.zh == word


@pytest.mark.parametrize(
    ("name", "value", "flag", "gap"),
    [
        ("churn_rate", "0.082", "missed", "0.032"),
        ("tier_a_retention", "0.93", "missed", "0.02"),
        ("complaints_in_time", "0.85", "missed", "0.05"),
        ("tier_d_activation", "0.18", "missed", "0.02"),
        ("churn_rate", "0.05", "ok", "0.00"),
        ("churn_rate", "0.10", "missed", "0.05"),
        ("churn_rate", "0.1001", "red", "0.0501"),
        ("tier_a_retention", "0.95", "ok", "0.00"),
    ],
)
def test_table_6_flags_what_misses_its_target(name: str, value: str, flag: str, gap: str) -> None:
    reading = judge(D(value), INDICATORS[name])
    assert (reading.flag, reading.gap) == (flag, D(gap))


def test_an_indicator_without_a_value_is_no_data() -> None:
    reading = judge(None, INDICATORS["churn_rate"])
    assert (reading.flag, reading.gap) == ("no_data", None)


def test_every_indicator_of_table_6_has_an_owner() -> None:
    assert all(indicator.owner for indicator in INDICATORS.values())
