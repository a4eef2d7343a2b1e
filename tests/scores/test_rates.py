from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.scores import RetentionRow, churn_rate, retention_rate
from mappings.scores.rates import percent, rates_agree


def test_50_lost_of_1000_is_5_percent_and_the_rest_is_retained() -> None:
    assert churn_rate(50, 1000).value == Fraction(5, 100)
    assert retention_rate(opening=1000, new=120, closing=1070).value == Fraction(95, 100)
    assert rates_agree(opening=1000, new=120, closing=1070, lost=50)


def test_table_5_has_its_exact_values() -> None:
    a = RetentionRow("A", opening=500, closing=478, retained=458, target=Decimal("0.95"))
    d = RetentionRow("D", opening=800, closing=720, retained=168, target=Decimal("0.20"))
    assert (a.rate.value, d.rate.value) == (Fraction(916, 1000), Fraction(21, 100))
    assert (a.rate.percent(1), d.rate.percent(1)) == (Decimal("91.6"), Decimal("21.0"))
    assert (a.new, d.new) == (20, 552)
    assert (a.gap, d.gap) == (Decimal("-3.4"), Decimal("1.0"))


def test_the_printed_table_rounds_first_and_ours_does_not() -> None:
    row = RetentionRow("A", opening=500, closing=478, retained=458, target=Decimal("0.95"))
    assert row.rate.percent(0) == 92  # as printed; 92 - 95 would be -3
    assert row.gap == Decimal("-3.4")


def test_both_formulas_of_retention_agree_on_table_5() -> None:
    for row in (
        RetentionRow("A", 500, 478, 458, Decimal("0.95")),
        RetentionRow("D", 800, 720, 168, Decimal("0.20")),
    ):
        assert retention_rate(row.opening, row.new, row.closing) == row.rate


def test_no_customers_at_the_opening_is_no_data_not_zero() -> None:
    rate = retention_rate(opening=0, new=3, closing=3)
    assert (rate.value, rate.percent(), rate.gap(Decimal("0.9"))) == (None, None, None)
    assert rate.no_data == "no-opening-customers"


@pytest.mark.parametrize(
    ("share", "places", "shown"),
    [("0.9165", 1, "91.7"), ("0.91649", 1, "91.6"), ("-0.0345", 1, "-3.5"), ("1/3", 2, "33.33"), ("0.005", 0, "1")],
)
def test_percentages_round_half_away_from_zero(share: str, places: int, shown: str) -> None:
    assert percent(Fraction(share), places) == Decimal(shown)


@given(st.integers(1, 10**6), st.integers(0, 10**6), st.data())
def test_churn_and_retention_add_up_to_one(opening: int, new: int, data: st.DataObject) -> None:
    lost = data.draw(st.integers(0, opening))
    closing = opening + new - lost
    lost_share, kept = churn_rate(lost, opening).value, retention_rate(opening, new, closing).value
    assert lost_share is not None
    assert kept is not None
    assert lost_share + kept == 1
    assert rates_agree(opening, new, closing, lost)
