"""Identity rules as a person writes them."""

import dataclasses

import pytest

from mappings.identity import rules
from mappings.identity.normalise import CLASSES
from mappings.identity.rules import DEFAULT, KindRule, Rules, parse
from mappings.model import IDENTIFIER_KINDS


def test_the_default_has_a_rule_for_every_kind_of_the_model():
    assert {rule.kind for rule in DEFAULT.kinds} == set(IDENTIFIER_KINDS)


def test_every_setting_has_words_for_what_it_expects_and_every_proposing_class_exists():
    assert set(rules._EXPECTED) == {field.name for field in dataclasses.fields(KindRule)} - {"kind"}
    assert set(rules.PROPOSING) <= set(CLASSES)


def test_what_is_left_out_is_as_in_the_default_and_kinds_left_out_join_nobody():
    read, problems = parse({"version": 1, "kinds": ["unionid", {"kind": "phone", "cap": 6}]})
    assert problems == []
    assert read.kinds == (DEFAULT.by_kind["unionid"], dataclasses.replace(DEFAULT.by_kind["phone"], cap=6))


def test_the_order_of_the_list_is_the_order_of_strength():
    read, _ = parse({"version": 1, "kinds": ["email", "phone"]})
    assert read.rank == {"email": 0, "phone": 1}


def test_giving_companies_the_phone_as_a_key_takes_the_name_away_from_it():
    read, problems = parse({"version": 1, "kinds": [{"kind": "phone", "joins": ["person", "company"]}]})
    assert problems == []
    assert read.by_kind["phone"].joins == ("person", "company")
    assert read.by_kind["phone"].joins_with_name == ()


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ([], "identity"),
        ({"kinds": ["phone"]}, "version"),
        ({"version": 1}, "kinds"),
        ({"version": 1, "kinds": []}, "kinds"),
        ({"version": 1, "kinds": ["phone"], "cap": 3}, "cap"),
        ({"version": 1, "kinds": ["telephone"]}, "kinds[0].kind"),
        ({"version": 1, "kinds": [{"kind": ["phone"]}]}, "kinds[0].kind"),
        ({"version": 1, "kinds": ["phone", "phone"]}, "kinds[1].kind"),
        ({"version": 1, "kinds": [{"kind": "phone", "cap": 0}]}, "kinds[0].cap"),
        ({"version": 1, "kinds": [{"kind": "phone", "cap": True}]}, "kinds[0].cap"),
        ({"version": 1, "kinds": [{"kind": "phone", "cap": "12"}]}, "kinds[0].cap"),
        ({"version": 1, "kinds": [{"kind": "phone", "exclusive": "yes"}]}, "kinds[0].exclusive"),
        ({"version": 1, "kinds": [{"kind": "phone", "joins": ["people"]}]}, "kinds[0].joins"),
        ({"version": 1, "kinds": [{"kind": "phone", "scope": "shop"}]}, "kinds[0].scope"),
        ({"version": 1, "kinds": [{"kind": "phone", "proposes": ["usable"]}]}, "kinds[0].proposes"),
        ({"version": 1, "kinds": [{"kind": "phone", "maximum": 3}]}, "kinds[0].maximum"),
        (
            {"version": 1, "kinds": [{"kind": "phone", "joins": ["person"], "joins_with_name": ["person"]}]},
            "kinds[0].joins_with_name",
        ),
    ],
)
def test_a_mistake_is_told_with_its_place(document, path):
    _, problems = parse(document, locate=lambda key: f"identity.yaml:{key}")
    assert [problem.where for problem in problems] == [f"identity.yaml:{path}"]
    assert problems[0].code == "identity.rules"
    assert problems[0].what.zh.startswith(path)


def test_all_mistakes_are_told_at_once():
    _, problems = parse({"version": 2, "kinds": [{"kind": "phone", "cap": -1}, "fax"]})
    assert len(problems) == 3


def test_the_version_changes_with_any_rule_and_with_their_order():
    phone, email = DEFAULT.by_kind["phone"], DEFAULT.by_kind["email"]
    versions = {
        Rules((phone, email)).version,
        Rules((email, phone)).version,
        Rules((dataclasses.replace(phone, cap=phone.cap + 1), email)).version,
        Rules((dataclasses.replace(phone, with_name=False), email)).version,
    }
    assert len(versions) == 4
    assert Rules((phone, email)).version == Rules((dataclasses.replace(phone), email)).version


def test_scopes_default_to_everybody_to_the_connector_or_must_be_named():
    assert DEFAULT.default_scope("phone", "shop1") == ""
    assert DEFAULT.default_scope("member_no", "shop1") == "shop1"
    assert DEFAULT.default_scope("unionid", "shop1") is None
