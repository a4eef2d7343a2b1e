"""What is expected of each connector and of the hub: the configuration, as the judges need it.

Made by sync from the user's liuke.yaml and the connectors' field maps; nothing here is read from a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from mappings.problems import Text

STALE_FLOOR_S = 300
NO_TEXT = Text("", "")


@dataclass(frozen=True)
class StreamExpectation:
    """One stream: how often it is pulled, and which entities its records fill (first: the record's own)."""

    name: str
    interval_s: int
    entities: tuple[str, ...] = ()
    title: Text = NO_TEXT

    @property
    def limit_s(self) -> int:
        """Without a successful pull for longer than this, the stream is stale."""
        return max(3 * self.interval_s, STALE_FLOOR_S)


@dataclass(frozen=True)
class ConnectorExpectation:
    """One connector instance. `provided` names, per entity, the fields its map fills (identifier kinds too)."""

    name: str
    type: str
    title: Text
    role: str = "other"
    owner: str = ""
    it_owner: str = ""
    streams: tuple[StreamExpectation, ...] = ()
    provided: Mapping[str, frozenset[str]] = field(default_factory=dict)
    pulls: bool = True
    writes: bool = False

    def provides(self, entity: str, name: str = "") -> bool:
        """Whether its map fills that field; without a field, whether it fills the entity at all."""
        fields = self.provided.get(entity)
        return fields is not None and (not name or name in fields)


@dataclass(frozen=True)
class Thresholds:
    """The programme's numbers (requirements.md); shares are 0..1."""

    latency_target: Decimal = Decimal("0.99")
    latency_days: int = 28
    failure_limit: Decimal = Decimal("0.02")
    later_minutes: int = 30
    history_days: int = 365
    debt_due_us: int = 24 * 3600 * 1_000_000
    new_code_grace_us: int = 24 * 3600 * 1_000_000
    phone_cap: int = 12
    """The degree cap of phones in the identity rules in force."""


@dataclass(frozen=True)
class Expectations:
    """The whole installation. `library` names the connector whose product list is the product library."""

    company: str
    connectors: Mapping[str, ConnectorExpectation]
    library: str = ""
    clock: str = "real"
    thresholds: Thresholds = Thresholds()

    def providing(self, entity: str, name: str = "") -> list[str]:
        """Names of the connectors that fill that entity, or that field of it."""
        return [c.name for c in self.connectors.values() if c.provides(entity, name)]
