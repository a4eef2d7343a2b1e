"""Says what each entity's data must be like: rules, thresholds, owners and the labels pages show.

One contract per entity ships in quality/contracts/ (ODCS v3.1). A user's `contracts/ENTITY.yaml` changes it for
every connector, `contracts/CONNECTOR.ENTITY.yaml` for one; both name only what differs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as data_field
from decimal import Decimal
from enum import StrEnum
from typing import Any

from mappings.problems import Text

DUE_US = 24 * 3600 * 1_000_000


class Kind(StrEnum):
    """How a rule is judged."""

    ROW = "row"
    """Row by row at load; a row that fails goes to quarantine when the rule is blocking."""
    COMPLETENESS = "completeness"
    """Share of rows whose field is filled, per connector that provides it."""
    FINDINGS = "findings"
    """A question over the unified tables (quality/set_checks), answered with a list of keys."""


class Severity(StrEnum):
    """What a failure means for the status."""

    BLOCKING = "blocking"
    WARNING = "warning"
    INFORMATION = "information"
    OFF = "off"


class Dimension(StrEnum):
    """The seven dimensions of data quality, as pages name them."""

    COMPLETENESS = "completeness"
    ACCURACY = "accuracy"
    CONSISTENCY = "consistency"
    TIMELINESS = "timeliness"
    VALIDITY = "validity"
    UNIQUENESS = "uniqueness"
    LINKAGE = "linkage"


@dataclass(frozen=True)
class Rule:
    """One rule of one entity. `target` is the share of rows that must be right, 0..1."""

    code: str
    kind: Kind
    entity: str
    field: str
    severity: Severity
    dimension: Dimension
    title: Text
    repair: Text
    target: Decimal
    where: str
    check: str = ""
    arguments: Mapping[str, Any] = data_field(default_factory=dict)
    columns: tuple[str, ...] = ()
    """Every column a row check looks at."""

    @property
    def blocking(self) -> bool:
        """Whether a row that fails stays out of the unified tables."""
        return self.severity is Severity.BLOCKING


@dataclass(frozen=True)
class Contract:
    """What one entity's rows must be like, for one connector or for all."""

    entity: str
    title: Text
    version: str
    team: Text
    due_us: int
    """How long a quarantined record may wait before it is overdue."""
    labels: Mapping[str, Text]
    personal: frozenset[str]
    rules: tuple[Rule, ...]

    def of_kind(self, kind: Kind) -> tuple[Rule, ...]:
        """The rules of that kind that are switched on."""
        return tuple(r for r in self.rules if r.kind is kind and r.severity is not Severity.OFF)

    def rule(self, code: str, field: str = "") -> Rule | None:
        """The rule of that code (on that field, if one is named); None when there is none."""
        return next((r for r in self.rules if r.code == code and field in ("", r.field)), None)


@dataclass(frozen=True)
class Contracts:
    """Every contract, with what users changed for single connectors."""

    shipped: Mapping[str, Contract]
    changed: Mapping[tuple[str, str], Contract] = data_field(default_factory=dict)

    def of(self, entity: str, connector: str = "") -> Contract:
        """The contract of that entity as it holds for that connector."""
        return self.changed.get((connector, entity), self.shipped[entity])

    def rule(self, code: str, connector: str = "") -> Rule | None:
        """The rule of that code, as it holds for that connector."""
        for entity in self.shipped:
            found = self.of(entity, connector).rule(code)
            if found is not None:
                return found
        return None

    def label(self, entity: str, field: str) -> Text:
        """The name of a field on pages."""
        return self.shipped[entity].labels.get(field, Text(field, field))
