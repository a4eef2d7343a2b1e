"""Counts calls to outside systems by minute, so that a day's failure rate is a sum and not a guess."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable

from state.bulk import execute_many
from state.store import Store

MINUTE_US = 60_000_000


class CallMeter:
    """Collects attempts and final results in memory and adds them to the database when flushed.

    Safe to use from several threads. What is not flushed when the process dies is lost: it counts calls, no data.
    """

    def __init__(self, connector: str, now: Callable[[], int]) -> None:
        self._connector = connector
        self._now = now
        self._lock = threading.Lock()
        self._counts: dict[tuple[str, int, str, str], list[int]] = defaultdict(lambda: [0, 0])

    def attempt(self, endpoint: str, outcome: str, duration_ms: float) -> None:
        """One try of a call, transport errors included."""
        self._add(endpoint, "attempt", outcome, round(duration_ms))

    def call(self, endpoint: str, outcome: str) -> None:
        """The final result of a call, after all its tries."""
        self._add(endpoint, "call", outcome, 0)

    def flush(self, store: Store) -> None:
        """Adds what was counted to the database; on failure it stays counted for the next flush."""
        with self._lock:
            counts, self._counts = self._counts, defaultdict(lambda: [0, 0])
        try:
            with store.transaction() as tx:
                execute_many(
                    tx,
                    "INSERT INTO call_meter (connector, endpoint, minute, level, outcome, n, ms) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (connector, endpoint, minute, level, outcome) "
                    "DO UPDATE SET n = call_meter.n + excluded.n, ms = call_meter.ms + excluded.ms",
                    [(self._connector, *key, n, ms) for key, (n, ms) in sorted(counts.items())],
                )
        except BaseException:
            with self._lock:
                for key, (n, ms) in counts.items():
                    self._counts[key][0] += n
                    self._counts[key][1] += ms
            raise

    def _add(self, endpoint: str, level: str, outcome: str, ms: int) -> None:
        minute = self._now() // MINUTE_US
        with self._lock:
            entry = self._counts[endpoint, minute, level, outcome]
            entry[0] += 1
            entry[1] += ms
