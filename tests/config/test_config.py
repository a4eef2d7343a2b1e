from textwrap import dedent

import pytest

from mappings.problems import LiukeError
from sync.config import duration_s, load, variables
from sync.settings import WRITABLE
from sync.writeback.fields import FIELDS


def written(folder, text):
    (folder / "liuke.yaml").write_text(dedent(text), encoding="utf-8")
    return folder


def problems_of(folder, lookup=lambda _name: None):
    with pytest.raises(LiukeError) as raised:
        load(folder, lookup)
    return raised.value.problems


TWO_SHOPS = """\
    company: 示例商贸有限公司
    library: crm
    connectors:
      shop_a:
        type: sql
        title: 天猫旗舰店
        role: shop
        interval: 5m
        owner: 王磊
        settings:
          url: "sqlite:///a.db"
          streams:
            orders: {table: sale_order, key: [id], modified: [updated_at]}
            customers: {table: customer, key: [id]}
      shop_b:
        type: sql
        streams: [orders]
        settings:
          url: "${SHOP_B}"
          streams:
            orders: {table: sale_order, key: [id]}
            customers: {table: customer, key: [id]}
      crm:
        type: sql
        role: crm
        settings: {url: "sqlite:///crm.db", streams: {products: {table: product, key: [code]}}}
    """


def test_two_shops_of_one_vendor_are_two_names(tmp_path):
    config = load(written(tmp_path, TWO_SHOPS), {"SHOP_B": "sqlite:///b.db"}.get)
    a, b = config.instances["shop_a"], config.instances["shop_b"]
    assert (a.connector.name, b.connector.name) == ("sql", "sql")
    assert (a.title.zh, a.role, a.interval_s, a.owner, a.streams) == (
        "天猫旗舰店",
        "shop",
        300,
        "王磊",
        ("orders", "customers"),
    )
    assert (b.title.zh, b.role, b.interval_s, b.owner, b.streams) == ("SQL 数据库", "other", 60, "", ("orders",))
    assert b.settings["url"] == "sqlite:///b.db"


def test_the_fields_that_can_be_written_back_are_those_the_hub_makes():
    assert set(WRITABLE) == set(FIELDS)


def test_what_is_left_out_lies_in_the_users_folder(tmp_path):
    config = load(written(tmp_path, "company: 示例\n"), lambda _name: None)
    assert config.store_url == f"sqlite:///{tmp_path}/liuke.db"
    assert (config.landing, config.keys) == (tmp_path / "landing", tmp_path / "keys")
    assert (config.library, config.demo_clock, dict(config.instances)) == (None, None, {})


@pytest.mark.parametrize(
    ("store", "url"),
    [
        ("sqlite:///data/x.db", "sqlite:///{folder}/data/x.db"),
        ("sqlite:////srv/x.db", "sqlite:////srv/x.db"),
        ("postgresql+psycopg://hub@db:5432/liuke", "postgresql+psycopg://hub@db:5432/liuke"),
    ],
)
def test_only_a_relative_sqlite_file_is_put_into_the_folder(tmp_path, store, url):
    config = load(written(tmp_path, f"company: 示例\nstore: {store}\n"), lambda _name: None)
    assert config.store_url == url.format(folder=tmp_path)


def test_everything_that_is_wrong_is_said_at_once_with_its_line(tmp_path):
    written(
        tmp_path,
        """\
        compny: 示例
        library: cmr
        connectors:
          erp:
            type: sql
            role: erpp
            interval: 60
            settings:
              url: mysql://reader:topsecret@10.0.0.8/erp
              streams:
                orders: {table: sale_order, keyy: [id]}
          shop a:
            type: sqll
          crm:
            type: sql
            streams: [customerz]
            settings: {url: "${CRM}", streams: {customers: {table: c, key: [id]}}}
          empty:
        """,
    )
    problems = problems_of(tmp_path, {"CRM": "sqlite:///crm.db"}.get)
    assert [(one.code, one.where) for one in problems] == [
        ("settings.unknown", "liuke.yaml:1 key compny"),
        ("settings.missing", "liuke.yaml:1 key company"),
        ("config.unknown-instance", "liuke.yaml:2 key library"),
        ("settings.wrong", "liuke.yaml:6 key connectors.erp.role"),
        ("config.duration", "liuke.yaml:7 key connectors.erp.interval"),
        ("settings.literal-secret", "liuke.yaml:9 key connectors.erp.settings.url"),
        ("settings.unknown", "liuke.yaml:11 key connectors.erp.settings.streams.orders.keyy"),
        ("settings.missing", "liuke.yaml:11 key connectors.erp.settings.streams.orders.key"),
        ("config.instance-name", "liuke.yaml:12 key connectors.shop a"),
        ("config.unknown-type", "liuke.yaml:13 key connectors.shop a.type"),
        ("config.unknown-stream", "liuke.yaml:16 key connectors.crm.streams"),
        ("settings.missing", "liuke.yaml:18 key connectors.empty.type"),
    ]
    advice = {one.code: one.do.en for one in problems if one.code != "settings.missing"}
    assert advice["config.unknown-type"] == "Did you mean sql?"
    assert advice["config.unknown-instance"] == "Did you mean crm?"
    assert advice["settings.unknown"] == "did you mean key?"
    assert "topsecret" not in "\n".join(map(str, problems))


def test_a_target_says_what_goes_back_and_how_much_a_day(tmp_path):
    written(
        tmp_path,
        """\
        company: 示例
        connectors:
          crm:
            type: sql
            write_back: {fields: [score, tier], theirs: [tier], records: [crm], customers_per_day: 0.1}
            settings: {url: "sqlite:///crm.db", write: {create: true}}
        """,
    )
    wanted = load(tmp_path, lambda _name: None).instances["crm"].write_back
    assert wanted == {
        "fields": ("score", "tier"),
        "theirs": ("tier",),
        "records": ("crm",),
        "customers_per_day": 0.1,
        "tier_per_day": 0.2,
        "daily_calls": None,
    }


def test_a_target_is_keyed_by_connectors_that_exist_and_takes_fields_that_exist(tmp_path):
    written(
        tmp_path,
        """\
        company: 示例
        connectors:
          crm:
            type: sql
            write_back: {records: [erp]}
            settings: {url: "sqlite:///crm.db"}
          erp2:
            type: sql
            write_back: {fields: [scores]}
            settings: {url: "sqlite:///crm.db"}
        """,
    )
    assert [(one.code, one.where) for one in problems_of(tmp_path)] == [
        ("config.unknown-instance", "liuke.yaml:5 key connectors.crm.write_back.records"),
        ("settings.wrong", "liuke.yaml:9 key connectors.erp2.write_back.fields[0]"),
    ]


def test_one_name_twice_is_told_instead_of_the_last_one_winning(tmp_path):
    written(tmp_path, "company: 示例\nconnectors:\n  erp: {type: sql}\n  erp: {type: sql}\n")
    (problem,) = problems_of(tmp_path)
    assert (problem.code, problem.where) == ("yaml.duplicate-key", "liuke.yaml:4")


def test_a_folder_without_configuration_says_how_to_make_one(tmp_path):
    (problem,) = problems_of(tmp_path)
    assert problem.code == "config.missing"
    assert "liuke init" in problem.do.en


@pytest.mark.parametrize("content", ["- a\n- b\n", "just text\n", "connectors: [erp]\ncompany: x\n"])
def test_a_file_of_another_shape_is_a_problem_not_a_crash(tmp_path, content):
    written(tmp_path, content)
    assert "settings.wrong" in {one.code for one in problems_of(tmp_path)}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("60s", 60), ("5m", 300), ("1h", 3600), ("2d", 172_800), ("60", None), (60, None), ("0s", None), ("1.5h", None)],
)
def test_a_duration_names_its_unit(text, seconds):
    assert duration_s(text) == seconds


# ---- Variables -----------------------------------------------------------------------------------


def secrets_file(folder, text, mode=0o600):
    file = folder / "secrets.env"
    file.write_text(text, encoding="utf-8")
    file.chmod(mode)
    return folder


def test_a_variable_comes_from_the_environment_before_the_file_of_secrets(tmp_path):
    secrets_file(tmp_path, "# 机密\nERP_URL='sqlite:///file.db'\nexport CRM_URL=sqlite:///crm.db\n\n")
    lookup = variables(tmp_path, {"ERP_URL": "sqlite:///environment.db"})
    assert lookup("ERP_URL") == "sqlite:///environment.db"
    assert lookup("CRM_URL") == "sqlite:///crm.db"
    assert lookup("SHOP_URL") is None


def test_a_file_of_secrets_that_others_may_read_is_refused(tmp_path):
    with pytest.raises(LiukeError) as raised:
        variables(secrets_file(tmp_path, "A=b\n", 0o640), {})
    assert raised.value.problems[0].code == "config.secrets-readable"


def test_a_misspelt_line_of_the_file_of_secrets_is_named_but_not_shown(tmp_path):
    with pytest.raises(LiukeError) as raised:
        variables(secrets_file(tmp_path, "A=b\nhunter2\n"), {})
    assert raised.value.problems[0].where == "secrets.env:2"
    assert "hunter2" not in str(raised.value)
