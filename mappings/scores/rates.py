"""Retention and churn rates, exact, with the rounding that a page shows said beside them."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction


@dataclass(frozen=True)
class Rate:
    """A share, exact. No opening customers means no rate: `value` is None, with the reason."""

    value: Fraction | None
    no_data: str = ""

    def percent(self, places: int = 1) -> Decimal | None:
        """In percent, rounded half up to `places` decimals: 91.6 for 458 of 500, 92 with none."""
        return None if self.value is None else percent(self.value, places)

    def gap(self, target: Decimal, places: int = 1) -> Decimal | None:
        """Percentage points above (or, negative, below) a target share, rounded only here.

        Works from the exact value: 91.6 % against 95 % is -3.4, although the rounded 92 % would say -3.
        """
        return None if self.value is None else percent(self.value - Fraction(target), places)


def percent(share: Fraction, places: int) -> Decimal:
    """A share in percent, half up (away from zero) at the last decimal shown."""
    exact = Decimal(share.numerator * 100) / Decimal(share.denominator)
    return exact.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)


def churn_rate(lost: int, opening: int) -> Rate:
    """流失率 = lost / customers at the opening: 50 of 1,000 is 5 %."""
    return _share(lost, opening)


def retention_rate(opening: int, new: int, closing: int) -> Rate:
    """保留率 = (customers at the closing - new ones) / customers at the opening."""
    return _share(closing - new, opening)


def rates_agree(opening: int, new: int, closing: int, lost: int) -> bool:
    """Whether churn and retention add up to 100 %, as they must if nobody is counted twice or forgotten."""
    return closing == opening + new - lost


@dataclass(frozen=True)
class RetentionRow:
    """One row of table 5 (留存率): a tier in a period."""

    tier: str
    opening: int
    closing: int
    retained: int
    """Customers of the opening who are still there at the closing."""
    target: Decimal

    @property
    def new(self) -> int:
        """Customers of the closing who were not there at the opening."""
        return self.closing - self.retained

    @property
    def rate(self) -> Rate:
        """Retained / opening, exact; the same as (closing - new) / opening."""
        return _share(self.retained, self.opening)

    @property
    def gap(self) -> Decimal | None:
        """Percentage points against the target, to one decimal."""
        return self.rate.gap(self.target)


def _share(part: int, whole: int) -> Rate:
    if whole <= 0:
        return Rate(None, "no-opening-customers")
    return Rate(Fraction(part, whole))
