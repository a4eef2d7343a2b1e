"""The one profile of a customer: which source is believed for which field, and where each value is from."""

import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from mappings.identity.golden import FIELDS, Survivorship, golden
from mappings.model import CUSTOMER_RECORD

ROLES = {"fxiaoke": "crm", "kingdee": "erp", "youzan": "shop", "tmall": "shop"}


def records(*rows):
    schema = {
        "customer_id": pl.Int64,
        "record_no": pl.Int64,
        "connector": pl.String,
        "source_updated_at": pl.Int64,
        "deleted": pl.Int64,
        "name": pl.String,
        "city": pl.String,
        "level": pl.String,
        "consent_marketing": pl.Int64,
    }
    return pl.DataFrame([{**dict.fromkeys(schema), **row} for row in rows], schema=schema)


def profile(*rows, survivorship=None):
    made = golden(records(*rows), survivorship or Survivorship(roles=ROLES))
    (row,) = made.profiles.to_dicts()
    return row


def test_each_field_is_of_the_most_trusted_source_that_has_it():
    made = golden(
        records(
            {"customer_id": 7, "record_no": 7, "connector": "youzan", "name": "王芳", "city": "杭州", "level": "金卡"},
            {"customer_id": 7, "record_no": 8, "connector": "kingdee", "name": "王芳芳", "city": "上海"},
            {"customer_id": 7, "record_no": 9, "connector": "fxiaoke", "name": "王芬"},
        ),
        Survivorship(roles=ROLES),
    )
    assert made.profiles.select("name", "city", "level").row(0) == ("王芬", "上海", "金卡")
    assert made.provenance.select("field", "record_no", "connector").rows() == [
        ("name", 9, "fxiaoke"),
        ("city", 8, "kingdee"),
        ("level", 7, "youzan"),
    ]


def test_of_one_source_the_newest_then_the_oldest_record_is_believed():
    youzan = {"customer_id": 1, "connector": "youzan"}
    assert profile({**youzan, "record_no": 1, "city": "杭州", "source_updated_at": 5})["city"] == "杭州"
    newer = [
        {**youzan, "record_no": 1, "city": "杭州", "source_updated_at": 5},
        {**youzan, "record_no": 2, "connector": "tmall", "city": "宁波", "source_updated_at": 6},
        {**youzan, "record_no": 3, "city": "温州", "source_updated_at": None},
    ]
    assert profile(*newer)["city"] == "宁波"
    assert profile(*({**row, "source_updated_at": 5} for row in newer))["city"] == "杭州"


def test_a_blank_is_no_value_and_zero_is_one():
    row = profile(
        {"customer_id": 1, "record_no": 1, "connector": "fxiaoke", "city": "  ", "consent_marketing": 0},
        {"customer_id": 1, "record_no": 2, "connector": "youzan", "city": "杭州", "consent_marketing": 1},
    )
    assert (row["city"], row["consent_marketing"]) == ("杭州", 0)


def test_a_masked_or_made_up_name_gives_way_to_a_full_one_but_is_better_than_none():
    crm = {"customer_id": 1, "record_no": 1, "connector": "fxiaoke", "name": "王*", "city": "杭州"}
    shop = {"customer_id": 1, "record_no": 2, "connector": "youzan", "name": "王芳", "city": "宁波"}
    assert (profile(crm, shop)["name"], profile(crm, shop)["city"]) == ("王芳", "杭州")
    assert profile(crm)["name"] == "王*"


def test_a_deleted_record_speaks_only_where_no_other_does():
    row = profile(
        {"customer_id": 1, "record_no": 1, "connector": "fxiaoke", "city": "杭州", "level": "金卡", "deleted": 1},
        {"customer_id": 1, "record_no": 2, "connector": "youzan", "city": "宁波", "deleted": 0},
    )
    assert (row["city"], row["level"]) == ("宁波", "金卡")


def test_a_field_may_have_its_own_order_by_connector_or_role():
    rows = [
        {"customer_id": 1, "record_no": 1, "connector": "fxiaoke", "city": "杭州", "level": "普通"},
        {"customer_id": 1, "record_no": 2, "connector": "tmall", "city": "宁波", "level": "88VIP"},
        {"customer_id": 1, "record_no": 3, "connector": "youzan", "city": "温州", "level": "金卡"},
    ]
    by_role = Survivorship(roles=ROLES, fields={"level": ("shop", "crm")})
    by_name = Survivorship(roles=ROLES, fields={"level": ("youzan",)})
    assert profile(*rows, survivorship=by_role)["level"] == "88VIP"
    assert profile(*rows, survivorship=by_name)["level"] == "金卡"
    assert profile(*rows, survivorship=by_name)["city"] == "杭州"


def test_a_customer_without_any_value_has_an_empty_profile_and_no_provenance():
    made = golden(records({"customer_id": 4, "record_no": 4, "connector": "oa"}))
    assert made.profiles.rows() == [(4, None, None, None, None)]
    assert made.provenance.is_empty()


def test_no_records_make_no_profiles():
    assert golden(records()).profiles.is_empty()


def test_every_field_a_source_can_give_is_part_of_the_profile():
    assert tuple(f.name for f in CUSTOMER_RECORD.fields if not f.hub) == FIELDS
    frame = pl.DataFrame({"customer_id": [1], "record_no": [1], "connector": ["erp"], **dict.fromkeys(FIELDS, "x")})
    assert golden(frame).profiles.columns == ["customer_id", *FIELDS]


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "customer_id": st.integers(1, 3),
                "connector": st.sampled_from([*ROLES, "other", None]),
                "source_updated_at": st.sampled_from([None, 1, 2]),
                "deleted": st.sampled_from([None, 0, 1]),
                "name": st.sampled_from([None, "", "王*", "王芳"]),
                "city": st.sampled_from([None, "杭州", "宁波"]),
            }
        )
    ),
    st.randoms(use_true_random=False),
)
def test_the_order_of_the_records_changes_nothing_and_every_value_is_its_records(rows, random):
    rows = [{**row, "record_no": number} for number, row in enumerate(rows, start=1)]
    made = golden(records(*rows), Survivorship(roles=ROLES))
    again = golden(records(*random.sample(rows, len(rows))), Survivorship(roles=ROLES))
    assert_frame_equal(made.profiles, again.profiles)
    assert_frame_equal(made.provenance, again.provenance)
    values = {row["customer_id"]: row for row in made.profiles.to_dicts()}
    for customer_id, field, record_no, *_ in made.provenance.rows():
        assert rows[record_no - 1]["customer_id"] == customer_id
        assert rows[record_no - 1][field] == values[customer_id][field]
