"""The ports of a connector kept in memory: for tests and for trying a connector from the command line."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from connectors.outcomes import Outcome
from connectors.ports import Budget, Clock, Grant, Page, Per, Ports, Token

__all__ = [
    "FakeClock",
    "KeptPages",
    "MemoryMeter",
    "MemoryQuota",
    "MemoryTokens",
    "memory_ports",
    "window_end",
]

BEIJING = timezone(timedelta(hours=8))


def memory_ports(clock: Clock, connector: str = "trial") -> Ports:
    """Ports that remember nothing after the process."""
    return Ports(connector, clock, MemoryTokens(), MemoryQuota(clock), MemoryMeter())


class FakeClock:
    """Time that moves only when somebody sleeps or moves it."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._monotonic = 0.0
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.move(seconds)

    def move(self, seconds: float) -> None:
        """Lets that many seconds pass, without anybody sleeping."""
        self._now += timedelta(seconds=seconds)
        self._monotonic += seconds


class MemoryTokens:
    """Tokens of one process, with one lock per (holder, kind)."""

    def __init__(self) -> None:
        self._tokens: dict[tuple[str, str], Token] = {}
        self._locks: defaultdict[tuple[str, str], threading.RLock] = defaultdict(threading.RLock)
        self._guard = threading.Lock()

    def get(self, holder: str, kind: str) -> Token | None:
        return self._tokens.get((holder, kind))

    def put(self, holder: str, kind: str, token: Token) -> None:
        self._tokens[holder, kind] = token

    def lock(self, holder: str, kind: str) -> AbstractContextManager[object]:
        with self._guard:
            return self._locks[holder, kind]


class MemoryQuota:
    """Budgets counted in this process, on the injected clock."""

    LONGEST_WAIT_S = 5.0
    """A wait up to this is slept through; a longer one is a deferral, so that no worker hangs on a quota."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._used: dict[tuple[str, Budget], tuple[datetime, int]] = {}
        self._next: dict[tuple[str, Budget], datetime] = {}
        self._closed: dict[str, datetime] = {}
        self._lock = threading.Lock()

    def take(self, holder: str, budgets: Sequence[Budget], n: int = 1) -> Grant:
        with self._lock:
            now = self._clock.now()
            closed_until = self._closed.get(holder)
            if closed_until is not None and closed_until > now:
                return Grant(until=closed_until)
            at = now
            for budget in budgets:
                at = max(at, self._free_at(holder, budget, n, now))
            wait_s = (at - now).total_seconds()
            if wait_s > self.LONGEST_WAIT_S:
                return Grant(until=at)
            for budget in budgets:
                self._use(holder, budget, n, at)
            return Grant(wait_s=wait_s)

    def close(self, holder: str, until: datetime) -> None:
        with self._lock:
            self._closed[holder] = max(until, self._closed.get(holder, until))

    def _free_at(self, holder: str, budget: Budget, n: int, now: datetime) -> datetime:
        if budget.per is Per.INTERVAL:
            return max(now, self._next.get((holder, budget), now))
        end, used = self._used.get((holder, budget), (now, 0))
        return end if end > now and used + n > budget.limit else now

    def _use(self, holder: str, budget: Budget, n: int, at: datetime) -> None:
        if budget.per is Per.INTERVAL:
            self._next[holder, budget] = at + timedelta(seconds=budget.seconds * n)
            return
        end, used = self._used.get((holder, budget), (at, 0))
        if end <= at:
            end, used = window_end(budget.per, at), 0
        self._used[holder, budget] = (end, used + n)


def window_end(per: Per, at: datetime) -> datetime:
    """When the vendor's fixed window around `at` ends: full minute, midnight or first of the month in Beijing."""
    local = at.astimezone(BEIJING)
    if per is Per.SECOND:
        end = local.replace(microsecond=0) + timedelta(seconds=1)
    elif per is Per.MINUTE:
        end = local.replace(second=0, microsecond=0) + timedelta(minutes=1)
    elif per is Per.DAY:
        end = local.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    elif per is Per.MONTH:
        first = local.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        end = (first + timedelta(days=32)).replace(day=1)
    else:
        raise ValueError(f"{per} has no window")
    return end.astimezone(UTC)


class MemoryMeter:
    """Keeps every attempt and call in order; tests read them."""

    def __init__(self) -> None:
        self.attempts: list[tuple[str, Outcome, int]] = []
        self.calls: list[tuple[str, Outcome]] = []

    def attempt(self, endpoint: str, outcome: Outcome, duration_ms: int) -> None:
        self.attempts.append((endpoint, outcome, duration_ms))

    def call(self, endpoint: str, outcome: Outcome) -> None:
        self.calls.append((endpoint, outcome))


@dataclass
class KeptPages:
    """A Sink that keeps everything; `states` holds each state as it was when it came."""

    pages: list[Page] = field(default_factory=list)
    states: list[Mapping[str, Any]] = field(default_factory=list)

    def page(self, page: Page) -> None:
        self.pages.append(page)

    def state(self, value: Mapping[str, Any]) -> None:
        self.states.append(value)

    def records(self, stream: str) -> list[bytes]:
        """All records of a stream, in order."""
        return [bytes(record) for page in self.pages if page.stream == stream for record in page.records]

    @property
    def last_state(self) -> dict[str, Any]:
        """The newest state; an empty one if none came."""
        return dict(self.states[-1]) if self.states else {}
