"""Makes the JSON Schema of liuke.yaml from the descriptions that check it: the hub's and every connector's."""

from __future__ import annotations

from typing import Any

from connectors import registry
from connectors.settings import json_schema
from sync.settings import CONNECTORS, HUB, INSTANCE

DURATION = "^[1-9][0-9]{0,5}[smhd]$"
NAME = "^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$"


def schema() -> dict[str, Any]:
    """The schema; of each instance the settings follow from its `type`."""
    found = registry.connectors().connectors
    instance = json_schema(INSTANCE)
    instance["properties"]["interval"]["pattern"] = DURATION
    instance["properties"]["type"]["enum"] = sorted(found)
    instance["properties"]["settings"] = {"type": "object"}
    instance["allOf"] = [
        {
            "if": {"properties": {"type": {"const": name}}, "required": ["type"]},
            "then": {"properties": {"settings": json_schema(connector.settings)}, **_needed(connector.settings)},
        }
        for name, connector in sorted(found.items())
    ]
    hub = json_schema(HUB)
    hub["properties"]["connectors"] = {
        "description": f"{CONNECTORS.zh}\n{CONNECTORS.en}",
        "type": ["object", "null"],
        "propertyNames": {"pattern": NAME},
        "additionalProperties": instance,
    }
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "liuke.yaml", **hub}


def _needed(settings: tuple[Any, ...]) -> dict[str, Any]:
    return {"required": ["settings"]} if any(setting.required for setting in settings) else {}
