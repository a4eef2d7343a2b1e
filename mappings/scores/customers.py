"""Scores customers whole: RFM, tier, lifecycle and churn in one frame."""

from __future__ import annotations

from datetime import date

import polars as pl

from mappings.scores.churn import churn
from mappings.scores.definitions import Definitions
from mappings.scores.lifecycle import lifecycle
from mappings.scores.rfm import rfm
from mappings.scores.tiers import with_tiers


def score_customers(
    customers: pl.DataFrame, orders: pl.DataFrame, definitions: Definitions, *, industry: str, today: date
) -> pl.DataFrame:
    """One row per customer of `customers`, in their order, with every score and why.

    `customers`: customer_id and, where a source gives them, registered_day, last_active_day, last_login_day.
    `orders`: customer_id, day, net_amount, as `rfm` wants them; orders of others are ignored.

    Adds to the columns of `rfm`: tier, tier_definition, stage, stage_days, inactive_days, at_risk, account,
    lifecycle_definition, lifecycle_zh, lifecycle_en, churned, churn_rule, churn_days, churn_on,
    churn_definition, churn_no_data, churn_zh, churn_en.
    """
    scores = with_tiers(rfm(customers, orders, definitions.rfm, today), definitions.tiers)
    bought = scores.select("first_day", "last_day", "annual_amount", "tier")
    known = pl.concat([customers, bought], how="horizontal")
    life = lifecycle(known, definitions.lifecycle, today).drop("customer_id")
    lost = churn(known, definitions.churn, industry, today).drop("customer_id")
    explained = {"explanation_zh": "{}_zh", "explanation_en": "{}_en", "definition": "{}_definition"}
    return pl.concat(
        [
            scores,
            life.rename({old: new.format("lifecycle") for old, new in explained.items()}),
            lost.rename({old: new.format("churn") for old, new in explained.items()} | {"no_data": "churn_no_data"}),
        ],
        how="horizontal",
    )
