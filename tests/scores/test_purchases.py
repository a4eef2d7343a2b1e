from datetime import date

import polars as pl

from mappings.scores import purchase_summary


def test_frequency_counts_repeat_days_and_recency_runs_from_the_first_to_the_last() -> None:
    purchases = pl.DataFrame(
        {
            "customer_id": ["a", "a", "a", "a", "b", "c"],
            "day": [
                date(1997, 1, 1),
                date(1997, 1, 18),
                date(1997, 1, 18),  # the same day again: one purchase
                date(1997, 8, 2),
                date(1997, 2, 1),
                date(1997, 10, 1),  # after the calibration period
            ],
        }
    )
    summary = purchase_summary(purchases, date(1997, 9, 30))
    assert summary["customer_id"].to_list() == ["a", "b"]
    assert summary["frequency"].to_list() == [2, 0]
    assert [round(value, 2) for value in summary["recency"]] == [30.43, 0.0]
    assert [round(value, 2) for value in summary["T"]] == [38.86, 34.43]


def test_days_can_be_the_unit() -> None:
    purchases = pl.DataFrame({"customer_id": [1, 1], "day": [date(2026, 1, 1), date(2026, 1, 11)]})
    summary = purchase_summary(purchases, date(2026, 1, 31), days_per_unit=1)
    assert summary.rows() == [(1, 1, 10.0, 30.0)]
