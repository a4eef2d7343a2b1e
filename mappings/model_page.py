"""Writes docs/model.md from the model, so that the page cannot say anything else than the code."""

from __future__ import annotations

from collections.abc import Iterator

from mappings.model import DELETED, ENTITIES, EXTRA, HUB_FIELDS, IDENTIFIER_KINDS, KEY_FIELDS, Entity, Field

_HEAD = """# The unified model

*Made by `python -m mappings.model_page` from `mappings/model.py`; a test holds the two equal.*

Every table is keyed by (connector, source_id). An empty column is one that its source cannot give: "—" on pages,
never 0 %. Types as stored:

| type | stored as |
|---|---|
| id, text, choice, json | TEXT; ids keep every digit and leading zero |
| money | BIGINT in 1/10,000 yuan |
| quantity | BIGINT in 1/10,000 |
| decimal | TEXT, the exact decimal |
| time | BIGINT, microseconds UTC |
| day | TEXT, YYYY-MM-DD |
| flag | INTEGER, 0 or 1 |
| integer | BIGINT |
| digest | BLOB of 16 bytes |

Columns marked *hub* are filled by the hub and cannot be mapped; *derived* ones are made from what the source sent.
Columns marked *masked* hold persons: they are masked wherever they are shown.
"""


def page() -> str:
    """The whole page."""
    parts = [_HEAD]
    common = (*KEY_FIELDS, DELETED, EXTRA, *HUB_FIELDS)
    parts.append("## On every row\n\n" + _table(common))
    parts += [_entity(entity) for entity in ENTITIES.values()]
    kinds = "\n".join(f"| {kind} | {zh} |" for kind, zh in IDENTIFIER_KINDS.items())
    parts.append(f"## Kinds of identifier\n\n| kind | 中文 |\n|---|---|\n{kinds}\n")
    return "\n".join(parts)


def _entity(entity: Entity) -> str:
    meaning = f"{entity.meaning}\n\n" if entity.meaning else ""
    return f"## {entity.name} {entity.zh}\n\n{meaning}{_table(entity.fields)}"


def _table(fields: tuple[Field, ...]) -> str:
    return "| column | 中文 | type | notes |\n|---|---|---|---|\n" + "".join(f"{row}\n" for row in map(_row, fields))


def _row(field: Field) -> str:
    return f"| {field.name} | {field.zh} | {field.type} | {'; '.join(_notes(field))} |"


def _notes(field: Field) -> Iterator[str]:
    if field.required:
        yield "required"
    if field.hub:
        yield "hub"
    if field.derived:
        yield "derived"
    if field.personal:
        yield "masked"
    if field.choices:
        yield "one of " + ", ".join(field.choices)
    if field.references:
        yield f"source_id of {field.references}"


if __name__ == "__main__":
    from pathlib import Path

    Path("docs/model.md").write_text(page(), encoding="utf-8")
