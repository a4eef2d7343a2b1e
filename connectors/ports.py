"""What a connector needs from whoever runs it: clock, tokens, quota, meter, and a place for what it pulls.

Small protocols, injected. The hub has persistent ones; ports_memory.py has the ones for tests and trials.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

import msgspec

from connectors.outcomes import Outcome

__all__ = [
    "Budget",
    "Clock",
    "Grant",
    "Meter",
    "Page",
    "Per",
    "Ports",
    "Quota",
    "Rejected",
    "Sink",
    "Token",
    "TokenStore",
]


class Clock(Protocol):
    """The only source of time; tests inject one that they move."""

    def now(self) -> datetime:
        """Aware UTC."""

    def monotonic(self) -> float:
        """Seconds that only grow; for durations."""

    def sleep(self, seconds: float) -> None: ...


@dataclass(frozen=True, repr=False)
class Token:
    """An access token, and until when the vendor says it holds (None: not said)."""

    value: str
    taken_at: datetime
    expires_at: datetime | None = None

    def __repr__(self) -> str:
        return f"Token(***, taken_at={self.taken_at!s}, expires_at={self.expires_at!s})"


class TokenStore(Protocol):
    """Tokens shared by everything that talks for one holder (an appid, a corp, a shop) with one kind of token.

    Two programs that refresh at once kill each other's token, so a refresh happens under the lock.
    """

    def get(self, holder: str, kind: str) -> Token | None: ...

    def put(self, holder: str, kind: str, token: Token) -> None: ...

    def lock(self, holder: str, kind: str) -> AbstractContextManager[object]: ...


class Per(StrEnum):
    """The window a vendor counts calls in: fixed (from a full minute, day or month in Beijing), or gliding."""

    SECOND = "second"
    MINUTE = "minute"
    DAY = "day"
    MONTH = "month"
    INTERVAL = "interval"
    """Not a count: at least `Budget.seconds` between two calls."""


@dataclass(frozen=True)
class Budget:
    """How much one quota holder may use: `limit` calls per window, or one call each `seconds`.

    `name` tells budgets of one holder apart (a vendor may count one endpoint by itself).
    """

    per: Per
    limit: int = 1
    seconds: float = 0.0
    name: str = ""


@dataclass(frozen=True)
class Grant:
    """The answer to `Quota.take`: go on after `wait_s`; or nothing was taken, come back at `until`."""

    wait_s: float = 0.0
    until: datetime | None = None


class Quota(Protocol):
    """Budgets per quota holder, shared by every stream and writer that spends from it."""

    def take(self, holder: str, budgets: Sequence[Budget], n: int = 1) -> Grant:
        """Takes n calls from every budget, or none from any."""

    def close(self, holder: str, until: datetime) -> None:
        """The vendor said that the holder has used up its quota: no calls until then."""


class Meter(Protocol):
    """Counts attempts and final results; the failure rate is made of both."""

    def attempt(self, endpoint: str, outcome: Outcome, duration_ms: int) -> None:
        """One request on the wire, or one that never got there."""

    def call(self, endpoint: str, outcome: Outcome) -> None:
        """What the caller got in the end, after all attempts."""


@dataclass(frozen=True)
class Ports:
    """Everything injected into one connector instance. `connector` is the instance's name."""

    connector: str
    clock: Clock
    tokens: TokenStore
    quota: Quota
    meter: Meter


@dataclass(frozen=True)
class Rejected:
    """A record that the connector itself found damaged: its bytes and the code of the reason."""

    code: str
    raw: bytes


@dataclass(frozen=True)
class Page:
    """Records of one stream as they came, each the bytes of one JSON object, in the source's order.

    `validated` says that msgspec made or split the records, so they are valid JSON; it does not say that they
    are compact or free of duplicate keys. `extracted_at` is microseconds UTC, taken before the request that
    brought them. `skew_us` is the source's clock minus ours, where the source tells its time.
    """

    stream: str
    records: Sequence[bytes | msgspec.Raw]
    extracted_at: int
    validated: bool = False
    rejected: Sequence[Rejected] = ()
    skew_us: int | None = None

    def __len__(self) -> int:
        return len(self.records) + len(self.rejected)


class Sink(Protocol):
    """Where a tap puts what it pulls. What it raises stops the pull and reaches the caller unchanged."""

    def page(self, page: Page) -> None: ...

    def state(self, value: Mapping[str, Any]) -> None:
        """The tap's state after everything given so far; a copy of its own, to keep."""
