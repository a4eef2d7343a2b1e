"""What a test hands to the conformance kit: an outside system that it can fill, change and break."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from connectors.ports import Ports
from connectors.settings import Settings
from connectors.writer import Field, Value

__all__ = ["Fault", "Handle", "NotOffered"]


class NotOffered(Exception):
    """The handle cannot do what the check needs: the check does not apply, and says so."""


class Fault(StrEnum):
    """What a handle can make the next call of the outside system do."""

    BUSINESS_ERROR = "an error at HTTP 200"
    RATE_LIMIT = "a rate limit"
    BROKEN_ANSWER = "a broken answer"
    LOST_ANSWER = "a write that arrives, and no answer"


class Handle:
    """One outside system in the hands of a test. What it does not override is not offered.

    `stream` is the one the handle fills. `since` is a time from which records may be put; the clock of the
    ports stands an hour later.
    """

    stream: str
    settings: Settings
    since: datetime
    secrets: Sequence[str] = ()
    docs: str = ""

    def ports(self) -> Ports:
        """New ports in memory, on the handle's clock."""
        raise NotImplementedError

    def put(self, ids: Sequence[str], at: datetime, text: str = "x") -> None:
        """Makes records with these ids be there, last changed at that time, with that text in them."""
        raise NotOffered

    def id_of(self, record: Mapping[str, Any]) -> str:
        """The id a record was put with."""
        raise NotOffered

    def fail_next(self, fault: Fault) -> None:
        raise NotOffered

    def spoil_tokens(self) -> None:
        """From now on no token is accepted."""
        raise NotOffered

    def calls(self) -> int:
        """How many calls for data have reached the system."""
        raise NotOffered

    def target_ids(self) -> Sequence[str]:
        """Ids that can be written to; the last of them is not there yet, if records can be absent."""
        raise NotOffered

    def value_for(self, field: Field) -> Value:
        """A value that fits the field."""
        raise NotOffered

    def map_problems(self, text: str) -> Sequence[str]:
        """What is wrong with a shipped field map: the kit does not know the unified model."""
        raise NotOffered

    def close(self) -> None:
        """Takes down what the handle has put up."""
