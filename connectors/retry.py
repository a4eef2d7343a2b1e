"""Says how often and after how long a failed call is tried again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

from connectors.ports import Clock

__all__ = ["Again", "Policy"]


class Again(Exception):
    """This attempt failed and another may go through. `wait_s` overrides the policy's own wait."""

    def __init__(self, wait_s: float | None = None) -> None:
        super().__init__(wait_s)
        self.wait_s = wait_s


@dataclass(frozen=True)
class Policy:
    """At most `attempts` in all; waits double from `first_wait_s` to `longest_wait_s`, with jitter."""

    attempts: int = 4
    first_wait_s: float = 1.0
    longest_wait_s: float = 30.0

    def retrying(self, clock: Clock, before_sleep: Callable[[RetryCallState], None] | None = None) -> Retrying:
        """A tenacity loop that repeats on Again and raises the last Again when attempts are used up."""
        return Retrying(
            stop=stop_after_attempt(self.attempts),
            wait=self._wait,
            retry=retry_if_exception_type(Again),
            sleep=clock.sleep,
            before_sleep=before_sleep,
            reraise=True,
        )

    def _wait(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome is not None else None
        if isinstance(error, Again) and error.wait_s is not None:
            return error.wait_s
        return wait_exponential_jitter(multiplier=self.first_wait_s, max=self.longest_wait_s)(state)
