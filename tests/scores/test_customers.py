from datetime import date

import polars as pl

import mappings.scores
from mappings.scores import load_definitions, score_customers

TODAY = date(2026, 11, 21)


def test_one_frame_carries_every_score_with_its_definition_and_reason() -> None:
    customers = pl.DataFrame({"customer_id": [2, 1], "registered_day": [date(2026, 1, 1)] * 2})
    orders = pl.DataFrame(
        {
            "customer_id": [1, 1, 9],
            "day": [date(2026, 3, 1), date(2026, 4, 1), date(2026, 4, 1)],
            "net_amount": [5_000_000, 7_000_000, 1],
        }
    )
    scores = score_customers(customers, orders, load_definitions(), industry="ecommerce", today=TODAY)
    assert scores["customer_id"].to_list() == [2, 1]
    stranger, buyer = scores.to_dicts()
    assert (buyer["score"], buyer["tier"], buyer["stage"], buyer["churned"]) == (33, "D", "mature", True)
    assert (stranger["score"], stranger["tier"], stranger["stage"], stranger["churned"]) == (None,) * 4
    assert (stranger["no_data"], stranger["churn_no_data"], stranger["account"]) == ("no-orders", "no-signal", "silent")
    for row in (stranger, buyer):
        assert [row[f"{kind}definition"] for kind in ("", "tier_", "lifecycle_", "churn_")] == [
            "rfm@1",
            "tiers@1",
            "lifecycle@1",
            "churn@1",
        ]
        assert all(row[name] for name in ("explanation_zh", "explanation_en", "lifecycle_zh", "churn_zh"))


def test_the_public_names_are_sorted_and_there() -> None:
    assert mappings.scores.__all__ == sorted(mappings.scores.__all__)
    assert all(hasattr(mappings.scores, name) for name in mappings.scores.__all__)
