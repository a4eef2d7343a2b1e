"""Names what came of one call to an outside system, and so what happens next."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Outcome"]


class Outcome(StrEnum):
    """What came of an attempt or a call; the value is the word in meters and reports."""

    OK = "ok"
    EMPTY = "empty"
    """Answered with success, and there is nothing."""
    LATER = "later"
    """Rate limit or used-up quota: come back at a known time; not a failure."""
    RETRIABLE = "retriable"
    """Network, time-out, truncated answer, the vendor's own fault: again, a few times, soon."""
    AUTH = "auth"
    """The token is not accepted: one new token, one more try."""
    REJECTED = "rejected"
    """This request is refused; others may go through."""
    FATAL = "fatal"
    """Configuration or rights: nothing goes through until a person changes something."""

    @property
    def good(self) -> bool:
        """True for what counts as success in the failure rate."""
        return self in {Outcome.OK, Outcome.EMPTY}
