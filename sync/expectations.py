"""Tells the judges what was configured: what to expect of each connector, as quality/ needs it."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from mappings.problems import Text
from quality.expectations import ConnectorExpectation, Expectations, StreamExpectation
from sync.config import Config, Instance

if TYPE_CHECKING:
    from mappings.fieldmap import FieldMap


def expectations(config: Config, *, maps: bool = True) -> Expectations:
    """What is expected of this installation.

    Without `maps` it does not say which fields a connector provides: enough for objectives and debts, not for
    checks, and field maps are not read.
    """
    return Expectations(
        company=config.company,
        connectors={name: _connector(instance, maps=maps) for name, instance in config.instances.items()},
        library=config.library or "",
        clock="demo" if config.demo_clock else "real",
    )


def _connector(instance: Instance, *, maps: bool) -> ConnectorExpectation:
    made = instance.field_map if maps else None
    titles = {stream.name: stream.title for stream in instance.connector.streams(instance.settings)}
    return ConnectorExpectation(
        name=instance.name,
        type=instance.connector.name,
        title=instance.title,
        role=instance.role,
        owner=instance.owner,
        streams=tuple(
            StreamExpectation(name, instance.interval_s, _entities(made, name), Text(*titles[name]))
            for name in instance.streams
        ),
        provided=_provided(made, instance.streams) if made else {},
        pulls=bool(instance.streams) and instance.connector.pull,
        writes=instance.write_back is not None,
    )


def _entities(made: FieldMap | None, stream: str) -> tuple[str, ...]:
    return tuple(entity.entity.name for entity in made.streams[stream].entities) if made else ()


def _provided(made: FieldMap, streams: tuple[str, ...]) -> dict[str, frozenset[str]]:
    """Per entity the columns that the map fills, and of customer records the kinds of identifier."""
    filled: defaultdict[str, set[str]] = defaultdict(set)
    for stream in streams:
        for one in made.streams[stream].entities:
            filled[one.entity.name].update(rule.target.name for rule in (*one.rules, *made.streams[stream].versions))
            filled[one.entity.name].update(found.kind for found in one.identifiers)
            if one.buyer is not None:
                filled["customer_record"].update(found.kind for found in one.buyer.identifiers)
                filled["customer_record"].update(rule.target.name for rule in one.buyer.rules)
    return {entity: frozenset(fields) for entity, fields in filled.items()}
