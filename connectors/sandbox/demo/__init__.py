"""The demo company's own configuration: liuke.yaml and its field maps, as its IT department would write them."""

from __future__ import annotations

from importlib.resources import files

_NAMES = ("liuke.yaml", "mappings/crm.yaml", "mappings/erp.yaml", "mappings/shop.yaml", "mappings/tickets.yaml")


def project_files() -> dict[str, str]:
    """The text of every file of the demo's folder that a person would have written, by its path there."""
    package = files(__name__)
    return {name: package.joinpath(*name.split("/")).read_text(encoding="utf-8") for name in _NAMES}
