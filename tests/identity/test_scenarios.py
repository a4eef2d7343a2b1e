"""Stories of Chinese customers: who is one, who is not, and what a person is asked."""

import polars as pl
import pytest

from mappings.identity.rules import DEFAULT, parse
from mappings.identity.solve import resolve

WANG = "oWANG00000000000000000000001"
LI = "oLI0000000000000000000000002"
CLERK = "13700000007"


def test_a_phone_joins_one_person_over_erp_shop_and_tickets(know):
    known = know(
        [
            {"record_no": 1, "connector": "erp", "name": "王芳", "phone": "138 0001 0001"},
            {"record_no": 2, "connector": "shop", "name": "王女士", "phone": "+8613800010001"},
            {"record_no": 3, "connector": "tickets", "name": None, "phone": "13800010001"},
            {"record_no": 4, "connector": "tickets", "name": "王芳", "phone": "13900010002"},
        ]
    )
    assert known.customers() == [{1, 2, 3}, {4}]


def test_a_household_phone_does_not_make_one_customer_of_two_wechat_accounts(know):
    known = know(
        [
            {"record_no": 1, "name": "王芳", "unionid": WANG, "phone": "13800010001"},
            {"record_no": 2, "name": "李强", "unionid": LI, "phone": "13800010001"},
        ]
    )
    assert known.customers() == [{1}, {2}]
    (conflict,) = known.resolve().conflicts.to_dicts()
    assert (conflict["record_a"], conflict["record_b"]) == (1, 2)
    assert (conflict["kind"], conflict["code"], conflict["against_kind"]) == ("phone", "exclusive", "unionid")
    assert conflict["component_id"] == 1


def test_in_a_household_orders_go_to_who_has_the_name_and_to_nobody_without_one(know):
    known = know(
        [
            {"record_no": 1, "name": "王芳", "unionid": WANG, "phone": "13800010001"},
            {"record_no": 2, "name": "李强", "unionid": LI, "phone": "13800010001"},
            {"record_no": 3, "connector": "shop", "name": "李强先生", "phone": "13800010001"},
            {"record_no": 4, "connector": "shop", "name": "李先生", "phone": "13800010001"},
            {"record_no": 5, "connector": "shop", "name": None, "phone": "13800010001"},
        ]
    )
    assert known.customers() == [{1}, {2, 3}, {4}, {5}]
    refused = known.resolve().refused
    assert set(refused.filter(~refused["open"])["code"]) == {"ambiguous"}
    assert known.resolve().conflicts.height == 1


def test_a_phone_over_the_cap_joins_only_those_of_one_name(know):
    walk_in = [
        {"record_no": n, "connector": "shop", "name": f"顾客{n}" if n > 2 else "陈静", "phone": CLERK}
        for n in range(1, DEFAULT.by_kind["phone"].cap + 2)
    ]
    known = know(walk_in)
    assert known.customers() == [{1, 2}, *({n} for n in range(3, len(walk_in) + 1))]
    (capped,) = known.resolve().capped.to_dicts()
    assert (capped["kind"], capped["records"], capped["cap"]) == ("phone", 13, 12)


def test_a_phone_at_the_cap_still_joins_all(know):
    known = know([{"record_no": n, "phone": CLERK} for n in range(1, DEFAULT.by_kind["phone"].cap + 1)])
    assert known.customers() == [set(range(1, 13))]


def test_a_name_that_a_form_filled_in_does_not_join_strangers_at_the_shop_assistants_phone(know):
    rules, _ = parse({"version": 1, "kinds": [{"kind": "phone", "cap": 2, "name_cap": 3}]})
    rows = [{"record_no": n, "name": "门店贵宾", "phone": CLERK} for n in range(1, 5)]
    assert know(rows).customers(rules) == [{1}, {2}, {3}, {4}]
    assert know(rows[:3]).customers(rules) == [{1, 2, 3}]


def test_an_openid_known_before_its_unionid_becomes_the_same_customer_later(know):
    follower = {"record_no": 1, "connector": "oa", "openid": ("oOA00000000000000000000WANG", "wxapp1")}
    shop = {"record_no": 2, "connector": "shop", "name": "王芳", "unionid": WANG, "phone": "13800010001"}
    assert know([follower, shop]).customers() == [{1}, {2}]
    assert know([{**follower, "unionid": WANG}, shop]).customers() == [{1, 2}]


def test_a_unionid_that_appears_later_takes_a_merged_customer_apart_again(know):
    first = [
        {"record_no": 1, "connector": "shop", "name": "王芳", "phone": "13800010001"},
        {"record_no": 2, "connector": "mini", "name": None, "phone": "13800010001", "unionid": WANG},
        {"record_no": 3, "connector": "oa", "name": "李强", "phone": "13800010001"},
    ]
    assert know(first).customers() == [{1, 2, 3}]
    later = [*first[:2], {**first[2], "unionid": LI}]
    # Whose the first record is, phone and name cannot tell: the mini program never gave a name.
    assert know(later).customers() == [{1}, {2}, {3}]


def test_the_same_person_has_one_openid_per_account_and_only_the_unionid_joins_them(know):
    known = know(
        [
            {"record_no": 1, "openid": ("oAAAAAAAAAAAAAAAAAAAAAAAAAAA", "wxapp1"), "unionid": WANG},
            {"record_no": 2, "openid": ("oBBBBBBBBBBBBBBBBBBBBBBBBBBB", "wxapp2"), "unionid": WANG},
            {"record_no": 3, "openid": ("oAAAAAAAAAAAAAAAAAAAAAAAAAAA", "wxapp2")},
        ]
    )
    assert known.customers() == [{1, 2}, {3}]


def test_unionids_of_two_open_platform_accounts_say_nothing_about_each_other(know):
    known = know(
        [
            {"record_no": 1, "unionid": (WANG, "wx"), "phone": "13800010001"},
            {"record_no": 2, "unionid": (LI, "wx-agency"), "phone": "13800010001"},
            {"record_no": 3, "unionid": (WANG, "wx-agency")},
        ]
    )
    assert known.customers() == [{1, 2}, {3}]


def test_a_gift_goes_to_another_person_and_its_recipient_is_not_the_buyer(know):
    # The map gives the buyer's identifiers; the recipient's masked or privacy number is no key in any case.
    known = know(
        [
            {"record_no": 1, "connector": "shop", "name": "王芳", "phone": "13800010001"},
            {"record_no": 2, "connector": "shop", "name": "李强", "phone": "18877771112-123"},
            {"record_no": 3, "connector": "shop", "name": "李强", "phone": "18877771112-123"},
        ]
    )
    assert known.customers() == [{1}, {2}, {3}]


def test_masked_virtual_and_made_up_numbers_and_ciphertext_join_nobody(know):
    for phone in ("138****0001", "9501312345678901", "13800138000", "$uhqbqg15Dn5slYolRHAzZw==$1$", "010-62770001"):
        known = know([{"record_no": 1, "phone": phone}, {"record_no": 2, "phone": phone}])
        assert known.customers() == [{1}, {2}]


def test_a_masked_phone_with_the_full_name_is_proposed_and_not_merged(know):
    known = know(
        [
            {"record_no": 1, "connector": "erp", "name": "王芳", "phone": "13800010001"},
            {"record_no": 2, "connector": "tmall", "name": "王芳", "phone": "138****0001"},
            {"record_no": 3, "connector": "tmall", "name": "王*", "phone": "138****0001"},
            {"record_no": 4, "connector": "tmall", "name": "李强", "phone": "138****0001"},
            {"record_no": 5, "connector": "douyin", "name": "王芳", "phone": "13*******01"},
        ]
    )
    assert known.customers() == [{1}, {2}, {3}, {4}, {5}]
    (proposal,) = known.resolve().proposals.to_dicts()
    assert (proposal["customer_a"], proposal["customer_b"]) == (1, 2)
    assert (proposal["mask"], proposal["code"]) == ("138****0001", "masked")


def test_a_masked_phone_completed_elsewhere_is_no_longer_proposed(know):
    rows = [
        {"record_no": 1, "connector": "erp", "name": "王芳", "phone": "13800010001"},
        {"record_no": 2, "connector": "tmall", "name": "王芳", "phone": ["138****0001", "13800010001"]},
    ]
    known = know(rows)
    assert known.customers() == [{1, 2}]
    assert known.resolve().proposals.is_empty()


@pytest.mark.parametrize(
    ("extra_1", "extra_2", "decisions"),
    [
        ({"unionid": WANG}, {"unionid": LI}, {}),  # would be refused
        ({}, {}, {"cannot_link": [(2, 1)]}),  # was answered already
        ({"kind": "company"}, {"kind": "person"}, {}),
    ],
)
def test_what_must_stay_apart_is_not_proposed(know, extra_1, extra_2, decisions):
    known = know(
        [
            {"record_no": 1, "name": "王芳", "phone": "13800010001", **extra_1},
            {"record_no": 2, "name": "王芳", "phone": "138****0001", **extra_2},
        ],
        **decisions,
    )
    assert known.resolve().proposals.is_empty()


def test_the_shop_as_customer_in_the_erp_is_a_channel_and_no_persons_orders_flow_into_it(know):
    known = know(
        [
            {"record_no": 1, "connector": "erp", "kind": "channel", "name": "天猫旗舰店", "phone": "13800010001"},
            {"record_no": 2, "connector": "shop", "kind": "person", "name": "王芳", "phone": "13800010001"},
            {"record_no": 3, "connector": "erp", "kind": "channel", "name": "天猫旗舰店", "phone": "13800010001"},
        ]
    )
    assert known.customers() == [{1}, {2}, {3}]


def test_companies_are_one_by_their_credit_code_and_their_contacts_stay_persons(know):
    code = "914403001922038216"
    known = know(
        [
            {"record_no": 1, "connector": "erp", "kind": "company", "name": "华为技术有限公司", "company_code": code},
            {"record_no": 2, "connector": "crm", "kind": "company", "name": "华为", "company_code": code},
            {"record_no": 3, "connector": "crm", "kind": "person", "name": "王芳", "company_code": code},
            {"record_no": 4, "connector": "crm", "kind": "person", "name": "李强", "company_code": code},
        ]
    )
    assert known.customers() == [{1, 2}, {3}, {4}]


def test_a_book_keepers_phone_joins_companies_only_of_the_same_name(know):
    phone = "13800010001"
    known = know(
        [
            {"record_no": 1, "kind": "company", "name": "甲贸易有限公司", "phone": phone},
            {"record_no": 2, "kind": "company", "name": "乙贸易有限公司", "phone": phone},
            {"record_no": 3, "kind": "company", "name": "甲贸易有限公司", "phone": phone, "connector": "crm"},
        ]
    )
    assert known.customers() == [{1, 3}, {2}]


def test_a_record_with_two_unionids_joins_neither_and_is_told(know):
    known = know(
        [
            {"record_no": 1, "unionid": WANG},
            {"record_no": 2, "unionid": LI},
            {"record_no": 3, "unionid": [WANG, LI]},
        ]
    )
    assert known.customers() == [{1}, {2}, {3}]
    (conflict,) = known.resolve().conflicts.to_dicts()
    assert (conflict["record_a"], conflict["record_b"], conflict["code"]) == (3, 3, "several_values")


def test_a_stronger_kind_is_heard_first_and_the_weaker_one_is_refused(know):
    known = know(
        [
            {"record_no": 1, "unionid": WANG, "phone": "13800010001"},
            {"record_no": 2, "member_no": "M1", "phone": "13800010001"},
            {"record_no": 3, "unionid": LI, "member_no": "M1"},
        ]
    )
    assert known.customers() == [{1}, {2, 3}]
    assert known.resolve().refused["kind"].to_list() == ["phone"]


def test_a_person_may_decide_that_two_are_one_and_that_one_is_two(know):
    rows = [
        {"record_no": 1, "name": "王芳", "phone": "13800010001"},
        {"record_no": 2, "name": "王芳", "phone": "13800010001"},
        {"record_no": 3, "name": "王芳", "phone": "13900010002"},
    ]
    assert know(rows).customers() == [{1, 2}, {3}]
    assert know(rows, must_link=[(3, 1)]).customers() == [{1, 2, 3}]
    assert know(rows, cannot_link=[(2, 1)]).customers() == [{1}, {2}, {3}]
    assert know(rows, must_link=[(1, 2)], cannot_link=[(2, 1)]).customers() == [{1}, {2}, {3}]


def test_a_cannot_link_answers_the_conflict_and_a_must_link_merges_two_accounts_of_one_person(know):
    rows = [
        {"record_no": 1, "name": "王芳", "unionid": WANG, "phone": "13800010001"},
        {"record_no": 2, "name": "王芳", "unionid": LI, "phone": "13800010001"},
        {"record_no": 3, "unionid": LI},
    ]
    assert know(rows).resolve().conflicts.height == 1
    decided = know(rows, cannot_link=[(1, 3)])
    assert decided.customers() == [{1}, {2, 3}]
    assert decided.resolve().conflicts.is_empty()
    assert decided.resolve().refused["code"].unique().to_list() == ["cannot_link"]
    merged = know(rows, must_link=[(1, 2)])
    assert merged.customers() == [{1, 2, 3}]
    assert merged.resolve().conflicts.is_empty()


def test_decisions_that_contradict_each_other_are_a_conflict(know):
    rows = [{"record_no": n, "phone": f"1380001000{n}"} for n in (1, 2, 3)]
    known = know(rows, must_link=[(1, 2), (2, 3)], cannot_link=[(1, 3)])
    assert known.customers() == [{1, 2}, {3}]
    (conflict,) = known.resolve().conflicts.to_dicts()
    assert (conflict["kind"], conflict["code"]) == ("must_link", "cannot_link")
    assert (conflict["record_a"], conflict["record_b"]) == (2, 3)
    assert {conflict["against_a"], conflict["against_b"]} == {1, 3}


def test_nobody_can_decide_that_a_person_is_a_channel(know):
    rows = [{"record_no": 1, "kind": "person"}, {"record_no": 2, "kind": "channel"}]
    known = know(rows, must_link=[(1, 2)])
    assert known.customers() == [{1}, {2}]
    assert known.resolve().conflicts["code"].to_list() == ["customer_kind"]


def test_an_agent_who_orders_for_many_is_not_merged_with_them(know):
    rules, _ = parse({"version": 1, "kinds": ["unionid", {"kind": "phone", "cap": 3}]})
    clients = [{"record_no": n, "name": name, "phone": "13700010001"} for n, name in enumerate("甲乙丙丁", start=1)]
    assert know(clients).customers(rules) == [{1}, {2}, {3}, {4}]


def test_two_rows_of_one_record_and_digests_of_another_size_are_mistakes_of_the_caller(know):
    with pytest.raises(ValueError, match="twice"):
        know([{"record_no": 1}, {"record_no": 1}]).resolve()
    known = know([{"record_no": 1, "phone": "13800010001"}])
    short = known.links.with_columns(pl.col("digest").bin.head(8))
    with pytest.raises(ValueError, match="16 bytes"):
        resolve(known.records, short)
