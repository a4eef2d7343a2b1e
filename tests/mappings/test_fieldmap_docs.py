"""docs/field-maps.md says what the code does."""

import re
from pathlib import Path

from mappings.documents import parse as document
from mappings.fieldmap_docs import filled
from mappings.fieldmap_parse import parse
from mappings.transforms import registered

PAGE = Path(__file__).parents[2] / "docs" / "field-maps.md"


def test_the_tables_are_those_of_the_code():
    page = PAGE.read_text(encoding="utf-8")
    # PAGE.write_text(filled(page)) brings it up to date.
    assert filled(page) == page


def test_the_examples_are_maps():
    page = PAGE.read_text(encoding="utf-8")
    shipped, override = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    fieldmap = parse(document(shipped, "example.yaml"), document(override, "mine.yaml"))
    assert list(fieldmap.streams) == ["orders", "customers"]
    names = [rule.target.name for rule in fieldmap.streams["orders"].primary.rules]
    assert "paid_amount" in names
    assert "channel" not in names


def test_every_code_of_a_reason_is_in_the_page():
    page = PAGE.read_text(encoding="utf-8")
    for transform in registered().values():
        assert f"`{transform.code}`" in page
