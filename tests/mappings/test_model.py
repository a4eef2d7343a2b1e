"""The model: its page, its columns."""

from pathlib import Path

import pytest

from mappings.model import ENTITIES, Type
from mappings.model_page import page

ROOT = Path(__file__).parents[2]


def test_the_page_of_the_model_says_what_the_code_says():
    assert (ROOT / "docs" / "model.md").read_text(encoding="utf-8") == page()


@pytest.mark.parametrize("entity", ENTITIES.values(), ids=lambda entity: entity.name)
def test_references_name_entities_and_choices_are_closed(entity):
    for field in entity.fields:
        assert field.references is None or field.references in ENTITIES
        assert bool(field.choices) == (field.type is Type.CHOICE)
        assert field.zh, field.name


def test_what_the_hub_fills_cannot_be_mapped_and_what_it_derives_is_content():
    customer = ENTITIES["customer_record"]
    mapped, content = {f.name for f in customer.mapped()}, {f.name for f in customer.content()}
    assert "record_no" not in mapped | content
    assert "identifier_set" in content - mapped
