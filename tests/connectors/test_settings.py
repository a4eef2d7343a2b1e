from pathlib import Path

import jsonschema
import pytest

from connectors.problems import ConnectorError, Text
from connectors.redact import Secrets
from connectors.settings import Kind, Setting, json_schema, read_settings


def setting(name, kind=Kind.TEXT, **more):
    return Setting(name, kind, Text(f"{name} 的含义", f"what {name} is"), **more)


SHOP = (
    setting("url", Kind.URL, required=True, secret=True),
    setting("token", required=True, secret=True),
    setting("page_size", Kind.INTEGER, default=100, at_least=1),
    setting("region", choices=("cn", "us"), default="cn"),
    setting("verify", Kind.FLAG, default=True),
    setting("zone", Kind.TIME_ZONE, default="Asia/Shanghai"),
    setting("tags", Kind.LIST),
    setting("fields", Kind.MAP, choices=("score", "tier")),
    setting(
        "streams",
        Kind.NAMED,
        settings=(setting("path", Kind.PATH, required=True), setting("ratio", Kind.NUMBER, default=0.5)),
    ),
)
GOOD = {"url": "https://shop.example", "token": "${TOKEN}"}
VARIABLES = {"TOKEN": "abc-secret-1", "PW": "p@ss/word", "SIZE": "7"}


def read(raw, secrets=None):
    return read_settings(SHOP, raw, VARIABLES.get, folder=Path("/data"), secrets=secrets or Secrets())


def problems_of(raw):
    with pytest.raises(ConnectorError) as raised:
        read(raw)
    return {one.where: one.code for one in raised.value.problems}


def test_defaults_are_filled_in_and_references_resolved():
    settings = read(GOOD | {"page_size": "${SIZE}", "tags": "one", "streams": {"orders": {"path": "in"}}})
    assert dict(settings) == {
        "url": "https://shop.example",
        "token": "abc-secret-1",
        "page_size": 7,
        "region": "cn",
        "verify": True,
        "zone": "Asia/Shanghai",
        "tags": ("one",),
        "fields": None,
        "streams": {"orders": {"path": "in", "ratio": 0.5}},
    }
    assert settings.folder == Path("/data")


def test_everything_that_is_wrong_is_said_at_once_with_its_place():
    raw = {
        "token": "literal-secret",
        "page_size": 0,
        "region": "eu",
        "verify": "maybe",
        "zone": "Asia/Beijin",
        "fields": {"score": "s", "rank": "r"},
        "streams": {"orders": {"ratio": "x", "extra": 1}},
        "colour": "red",
    }
    assert problems_of(raw) == {
        "settings.colour": "settings.unknown",
        "settings.url": "settings.missing",
        "settings.token": "settings.literal-secret",
        "settings.page_size": "settings.wrong",
        "settings.region": "settings.wrong",
        "settings.verify": "settings.wrong",
        "settings.zone": "settings.wrong",
        "settings.fields.rank": "settings.wrong",
        "settings.streams.orders.extra": "settings.unknown",
        "settings.streams.orders.path": "settings.missing",
        "settings.streams.orders.ratio": "settings.wrong",
    }


def test_a_variable_that_is_not_set_is_named():
    with pytest.raises(ConnectorError, match="export SHOP_TOKEN=") as raised:
        read(GOOD | {"token": "${SHOP_TOKEN}"})
    assert raised.value.problem.code == "settings.variable-not-set"


def test_the_password_in_a_secret_address_must_be_a_reference_the_rest_may_stand():
    assert read(GOOD | {"url": "mysql://reader:${PW}@db/erp"})["url"] == "mysql://reader:p@ss/word@db/erp"
    assert problems_of(GOOD | {"url": "mysql://reader:hunter2@db/erp"}) == {"settings.url": "settings.literal-secret"}


def test_a_wrong_secret_is_never_shown():
    with pytest.raises(ConnectorError) as raised:
        read({"url": "mysql://reader:hunter2@db/erp", "token": "very-secret-value"})
    assert "hunter2" not in str(raised.value)
    assert "very-secret" not in str(raised.value)


def test_settings_show_their_names_only():
    assert "abc-secret-1" not in repr(read(GOOD))


def test_secrets_are_known_to_redaction_as_soon_as_they_are_read():
    secrets = Secrets()
    read(GOOD | {"url": "mysql://reader:${PW}@db/erp"}, secrets)
    assert secrets.clean("token abc-secret-1, p@ss/word, p%40ss%2Fword") == "token ${TOKEN}, ${PW}, ${PW}"


@pytest.mark.parametrize(
    "raw",
    [GOOD, GOOD | {"page_size": 5, "tags": ["a", "b"], "streams": {"x": {"path": "p"}}, "fields": {"tier": "t"}}],
)
def test_what_is_right_passes_the_published_schema(raw):
    jsonschema.validate(raw, json_schema(SHOP))


@pytest.mark.parametrize(
    "wrong", [{"token": "literal"}, {"page_size": 0}, {"region": "eu"}, {"colour": 1}, {"fields": {"rank": "r"}}]
)
def test_what_is_wrong_fails_the_published_schema_too(wrong):
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(GOOD | wrong, json_schema(SHOP))
