"""Writes the tables of docs/field-maps.md from the code, so that they cannot fall behind it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mappings.fieldmap_apply import default_scope
from mappings.model import ENTITIES, IDENTIFIER_KINDS
from mappings.transforms import registered


def tables() -> dict[str, str]:
    """Markdown of each table by its name; in the page it stands between `<!-- name -->` and `<!-- /name -->`."""
    return {
        "transforms": _transforms(),
        "entities": _entities(),
        "identifiers": _identifiers(),
    }


def filled(page: str) -> str:
    """The page with every table as it should be now."""
    for name, table in tables().items():
        start, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
        before, _, rest = page.partition(start)
        _, _, after = rest.partition(end)
        page = f"{before}{start}{table}{end}{after}"
    return page


def _transforms() -> str:
    rows = []
    for name, transform in registered().items():
        fills = ", ".join(sorted(kind.value for kind in transform.fills))
        meaning = f"{transform.meaning.zh}<br>{transform.meaning.en}"
        for option in transform.options:
            required = " (required)" if option.required else ""
            meaning += f"<br>`{option.name}`{required}: {option.meaning.zh}. {option.meaning.en}"
        rows.append((f"`{name}`", fills, meaning, f"`{transform.code}`"))
    return _table(("`as`", "makes", "what it reads", "reason if it cannot"), rows)


def _entities() -> str:
    rows = []
    for entity in ENTITIES.values():
        columns = ", ".join(f"`{field.name}` {field.type.value}" for field in entity.mapped())
        rows.append((f"`{entity.name}` {entity.zh}", columns))
    return _table(("entity", "columns a map can fill, with their types"), rows)


def _identifiers() -> str:
    rows = []
    for kind, zh in IDENTIFIER_KINDS.items():
        scope = default_scope(kind, "")
        here = (
            "everywhere" if kind in ("phone", "email", "company_code") else f"`{scope}`" if scope else "the connector"
        )
        rows.append((f"`{kind}`", zh, here))
    return _table(("kind", "", "valid, unless `scope` says otherwise"), rows)


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    def lines() -> Iterator[str]:
        yield "| " + " | ".join(head) + " |"
        yield "|" + "---|" * len(head)
        for row in rows:
            yield "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"

    return "\n".join(lines()) + "\n"
