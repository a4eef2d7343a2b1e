import json
import re
from pathlib import Path

import jsonschema
import pytest

from console import reference
from mappings import documents
from sync.config import load
from sync.config_schema import schema
from sync.settings import HUB, INSTANCE, WRITE_BACK

DOCS = Path(__file__).resolve().parents[2] / "docs"
EXAMPLE = DOCS / "liuke.example.yaml"

VARIABLES = {
    "LIUKE_STORE": "postgresql+psycopg://hub@127.0.0.1/liuke",
    "ERP_PASSWORD": "made-up-password",
    "CRM_URL": "sqlite:///crm.db",
}


def page(name):
    return (DOCS / name).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "made"), [("commands.md", reference.commands_page), ("liuke.schema.json", reference.schema_text)]
)
def test_reference_pages_are_made_from_the_code(name, made):
    assert page(name) == made(), "python -m console.reference"


def test_the_tables_of_settings_are_made_from_the_code():
    assert page("configuration.md") == reference.with_tables(page("configuration.md")), "python -m console.reference"
    assert all(f"<!-- {name} -->" in page("configuration.md") for name in reference.tables())


def test_writing_tables_anew_loses_no_text_around_them():
    text = "a\n<!-- hub -->\n<!-- /hub -->\nb\n<!-- instance -->\nan older table\n<!-- /instance -->\nc\n"
    once = reference.with_tables(text)
    assert [line for line in once.splitlines() if line in "abc"] == ["a", "b", "c"]
    assert "an older table" not in once
    assert reference.with_tables(once) == once


def test_every_file_the_page_names_exists():
    for name in re.findall(r"\]\(([^)#]+)\)", page("configuration.md")):
        assert (DOCS / name).exists(), name


def example():
    return documents.load(EXAMPLE).data


def test_the_full_example_is_valid_by_the_published_schema_and_by_the_hub(tmp_path):
    jsonschema.Draft202012Validator(schema()).validate(example())
    (tmp_path / "liuke.yaml").write_text(EXAMPLE.read_text(encoding="utf-8"), encoding="utf-8")
    config = load(tmp_path, VARIABLES.get)
    assert list(config.instances) == ["erp", "crm", "tmall_flagship", "tmall_outlet"]
    assert config.instances["crm"].streams == ("products", "customers")


def test_the_full_example_shows_every_setting_of_the_hub():
    text, shown = EXAMPLE.read_text(encoding="utf-8"), example()
    assert all(f"{setting.name}:" in text for setting in HUB)
    crm = shown["connectors"]["crm"]
    assert {setting.name for setting in INSTANCE} <= set(crm)
    assert {setting.name for setting in WRITE_BACK} == set(crm["write_back"])


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"libary": "crm"}, []),
        ({"company": None}, ["company"]),
        ({"connectors": {"erp": {"type": "sqll"}}}, ["connectors", "erp", "type"]),
        ({"connectors": {"e rp": {"type": "sql"}}}, ["connectors"]),
        ({"connectors": {"erp": {"type": "sql", "interval": "60"}}}, ["connectors", "erp", "interval"]),
        ({"connectors": {"erp": {"type": "sql"}}}, ["connectors", "erp"]),
        (
            {"connectors": {"erp": {"type": "sql", "settings": {"url": "x", "streemz": {}}}}},
            ["connectors", "erp", "settings"],
        ),
    ],
)
def test_the_schema_refuses_what_the_hub_refuses(tmp_path, change, where):
    wrong = {"company": "示例"} | change
    found = list(jsonschema.Draft202012Validator(schema()).iter_errors(wrong))
    assert where in [list(one.absolute_path) for one in found]
    (tmp_path / "liuke.yaml").write_text(json.dumps(wrong, ensure_ascii=False), encoding="utf-8")
    with pytest.raises(Exception, match=r"liuke\.yaml:"):
        load(tmp_path, lambda _name: None)
