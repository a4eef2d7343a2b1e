"""Scores customers from the unified model: pure functions of rows, definitions and the day."""

from mappings.scores.churn import churn, disagreements
from mappings.scores.customers import score_customers
from mappings.scores.definitions import Definition, Definitions
from mappings.scores.health import health, judge
from mappings.scores.lifecycle import lifecycle
from mappings.scores.purchases import purchase_summary
from mappings.scores.rates import RetentionRow, churn_rate, retention_rate
from mappings.scores.reading import load_definitions, read_definition
from mappings.scores.rfm import rfm
from mappings.scores.tiers import tier, tier_table, with_tiers

__all__ = [
    "Definition",
    "Definitions",
    "RetentionRow",
    "churn",
    "churn_rate",
    "disagreements",
    "health",
    "judge",
    "lifecycle",
    "load_definitions",
    "purchase_summary",
    "read_definition",
    "retention_rate",
    "rfm",
    "score_customers",
    "tier",
    "tier_table",
    "with_tiers",
]
