"""What a field map says: which source field fills which column of which entity, and how.

Maps are YAML (docs/field-maps.md), read by fieldmap_parse.parse and carried out by fieldmap_apply.apply.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from mappings.model import Entity, Field

POSITION = "#"
"""In place of a source field: the position of the element in its list, from 1."""


@dataclass(frozen=True)
class Source:
    """A field of the source: names from the outside in. `parent`: of the record, not of the list's element.

    An empty path is the position of the element.
    """

    path: tuple[str, ...]
    parent: bool = False


@dataclass(frozen=True)
class Rule:
    """How one column is filled: the first of `sources` that is not empty, or all of them joined.

    `target` is the column; `steps` are names of transforms, the last of which makes the column's type. `value` is a
    constant in storage type and stands alone. Source texts in `empty` count as nothing.
    """

    target: Field
    sources: tuple[Source, ...] = ()
    steps: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    join: str | None = None
    value: str | int | None = None
    empty: tuple[str, ...] = ()


@dataclass(frozen=True)
class IdentifierRule:
    """An identifier of a customer: its kind, where it is valid (None: the kind's own scope), and the value."""

    kind: str
    scope: str | None
    rule: Rule


@dataclass(frozen=True)
class Buyer:
    """A customer record made from the buyer's identifiers in a record, and its columns."""

    identifiers: tuple[IdentifierRule, ...]
    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True)
class Only:
    """Rows are made only where the source field has one of these texts."""

    source: Source
    values: tuple[str, ...]


@dataclass(frozen=True)
class EntityMap:
    """How rows of one entity are made; `each` is the list of the record whose elements are the rows."""

    name: str
    entity: Entity
    rules: tuple[Rule, ...]
    each: tuple[str, ...] | None = None
    only: tuple[Only, ...] = ()
    extra: Mapping[str, Source] = field(default_factory=dict)
    identifiers: tuple[IdentifierRule, ...] = ()
    buyer: Buyer | None = None

    def sources(self) -> Iterator[Source]:
        """Every source field that is read for the entity."""
        buyer = self.buyer or Buyer(())
        for rule in (
            *self.rules,
            *buyer.rules,
            *(found.rule for found in (*self.identifiers, *buyer.identifiers)),
        ):
            yield from rule.sources
        yield from self.extra.values()
        yield from (only.source for only in self.only)


@dataclass(frozen=True)
class StreamMap:
    """How records of one stream become rows. The first entity is the record itself."""

    name: str
    key: tuple[Rule, ...]
    entities: tuple[EntityMap, ...]
    versions: tuple[Rule, ...] = ()
    """What fills source_created_at and source_updated_at of all rows that do not say otherwise."""
    deleted: Rule | None = None
    partial: bool = False
    """Null neither overwrites nor clears."""

    @property
    def primary(self) -> EntityMap:
        """The entity that the record itself is."""
        return self.entities[0]

    @cached_property
    def paths(self) -> tuple[tuple[str, ...], ...]:
        """Every field of the record that is read, from the outside in; lists of children included."""
        record_rules = (*self.key, *self.versions, *((self.deleted,) if self.deleted else ()))
        paths = [source.path for rule in record_rules for source in rule.sources]
        for entity in self.entities:
            if entity.each is not None:
                paths.append(entity.each)
            own = entity.each is None
            paths += [source.path for source in entity.sources() if (own or source.parent) and source.path]
        return tuple(dict.fromkeys(paths))

    @property
    def columns(self) -> tuple[str, ...]:
        """The fields of the record that reading.read must deliver."""
        return tuple(dict.fromkeys(path[0] for path in self.paths))


@dataclass(frozen=True)
class FieldMap:
    """The map of one connector: its streams by name."""

    name: str
    streams: Mapping[str, StreamMap]
