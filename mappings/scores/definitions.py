"""What a score means: windows, weights, thresholds and words, as values read from YAML.

A definition is named by its kind and version ("rfm@2"). Its `digest` changes with every word of the file, so
that the hub sees an edit that forgot to raise the version. Whether a definition is a draft, reviewed or
published is the hub's to remember; nothing here depends on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from mappings.problems import Text


@dataclass(frozen=True, kw_only=True)
class Definition:
    """What every definition has."""

    kind: str
    version: int
    title: Text
    digest: str
    """SHA-256 of the file's meaning (not of its comments and layout), in hex."""

    @property
    def name(self) -> str:
        """How scores and approvals cite it, such as "rfm@2"."""
        return f"{self.kind}@{self.version}"


@dataclass(frozen=True)
class Signal:
    """One of R, F and M: its weight, and the steps that earn points (none with quantiles).

    Steps ascend. Days (R) earn one point more for every step they stay within, purchases (F) and amounts
    in 1/10,000 yuan (M) for every step they reach.
    """

    weight: int
    steps: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Rfm(Definition):
    """How purchases become a score of 0 to 100."""

    window_days: int
    least_net_amount: int
    """In 1/10,000 yuan; an order whose net amount is below it is no purchase."""
    quantiles: bool
    points: int
    recency: Signal
    frequency: Signal
    monetary: Signal

    @property
    def needs_everyone(self) -> bool:
        """True if one customer's score depends on the others', so that all must be scored together."""
        return self.quantiles


@dataclass(frozen=True)
class Tier:
    """One tier: scores of at least, or above, a border; the last tier has none."""

    tier: str
    label: Text
    at_least: Decimal | None = None
    above: Decimal | None = None


@dataclass(frozen=True, kw_only=True)
class Tiers(Definition):
    """The tiers from the best to the one that takes the rest."""

    tiers: tuple[Tier, ...]


@dataclass(frozen=True)
class Stage:
    """One stage: up to so many days since the first purchase; the last stage has no end."""

    stage: str
    label: Text
    up_to_days: int | None


@dataclass(frozen=True, kw_only=True)
class Lifecycle(Definition):
    """Stages by age, and the days without activity that make a customer at risk, silent or a zombie."""

    stages: tuple[Stage, ...]
    risk_days: int
    silent_days: int
    zombie_days: int


SIGNALS = ("purchase", "login", "activity")
"""What a churn rule can count days since."""


@dataclass(frozen=True)
class ChurnRule:
    """Who of this industry (and tier, and yearly amount) is lost after so many days without a signal."""

    id: str
    industry: str
    signal: str
    days: int
    title: Text
    source: str = ""
    tiers: tuple[str, ...] = ()
    annual_amount_above: int | None = None
    """In 1/10,000 yuan, over the last 365 days."""


@dataclass(frozen=True, kw_only=True)
class Churn(Definition):
    """The registry of churn definitions, in the order in which they are tried."""

    rules: tuple[ChurnRule, ...]

    @property
    def industries(self) -> tuple[str, ...]:
        """The industries that have a rule, in file order."""
        return tuple(dict.fromkeys(rule.industry for rule in self.rules))


@dataclass(frozen=True)
class Measure:
    """One measured value of a part of the health score, and the target at which it earns 100."""

    id: str
    target: Decimal
    label: Text


@dataclass(frozen=True)
class Part:
    """One part of the health score."""

    id: str
    weight: int
    label: Text
    measures: tuple[Measure, ...]


@dataclass(frozen=True)
class Grade:
    """One grade: health scores of at least a border; the last grade has none."""

    grade: str
    label: Text
    at_least: Decimal | None


@dataclass(frozen=True, kw_only=True)
class Health(Definition):
    """The health score of the programme (table 7)."""

    parts: tuple[Part, ...]
    grades: tuple[Grade, ...]


@dataclass(frozen=True)
class Indicator:
    """One daily indicator (table 6): exactly one of at_most and at_least is its target."""

    id: str
    label: Text
    owner: str
    at_most: Decimal | None = None
    at_least: Decimal | None = None
    red_above: Decimal | None = None
    red_below: Decimal | None = None


@dataclass(frozen=True, kw_only=True)
class Indicators(Definition):
    """The daily indicators, in the order of the page."""

    indicators: tuple[Indicator, ...]


@dataclass(frozen=True)
class Definitions:
    """One definition of every kind: all that scoring needs to know."""

    rfm: Rfm
    tiers: Tiers
    lifecycle: Lifecycle
    churn: Churn
    health: Health
    indicators: Indicators

    def all(self) -> tuple[Definition, ...]:
        """Every definition, for the register of approvals."""
        return (self.rfm, self.tiers, self.lifecycle, self.churn, self.health, self.indicators)
