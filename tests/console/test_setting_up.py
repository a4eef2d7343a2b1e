import shutil
import sqlite3
import stat
from collections import namedtuple

import pytest

from mappings.identity.digest import Keys
from sync.config import load

SQL = """\
  erp:
    type: sql
    settings:
      url: sqlite:///erp.db
      streams: {orders: {table: sale_order, key: [id]}}
"""

MAP = "version: 1\nstreams: {orders: {key: [id], entities: {order: {source_id: id}}}}\n"


@pytest.fixture(name="started")
def _started(run, tmp_path):
    assert run("init", "--company", "示例商贸有限公司").code == 0
    return tmp_path


@pytest.fixture(name="folder")
def _folder(started, monkeypatch):
    """A configured ERP with one order."""
    monkeypatch.chdir(started)  # an outside SQLite file is looked for where the command runs
    with (started / "liuke.yaml").open("a", encoding="utf-8") as file:
        file.write(SQL)
    (started / "mappings" / "erp.yaml").write_text(MAP, encoding="utf-8")
    database = sqlite3.connect(started / "erp.db")
    database.execute("CREATE TABLE sale_order (id INTEGER PRIMARY KEY, memo TEXT)")
    database.execute("INSERT INTO sale_order VALUES (1, 'x')")
    database.commit()
    database.close()
    return started


def statuses(ran):
    return {one["code"]: one["status"] for one in ran.json["findings"]}


# ---- init -----------------------------------------------------------------------------------------


def test_init_makes_a_folder_that_is_valid_as_it_is(started):
    config = load(started, lambda _name: None)
    assert config.company == "示例商贸有限公司"
    assert sorted(path.relative_to(started).as_posix() for path in started.rglob("*") if path.is_file()) == [
        ".gitignore",
        "contracts/README.md",
        "crosswalk.csv",
        "keys/identity.key",
        "liuke.yaml",
        "mappings/README.md",
    ]


def test_every_example_in_the_new_file_is_valid_once_it_is_uncommented(started):
    lines = (started / "liuke.yaml").read_text(encoding="utf-8").splitlines()
    kept = [line.replace("# ", "", 1) if line.startswith(("  # ", "# store", "# library")) else line for line in lines]
    text = "\n".join(line.replace("library: crm", "library: erp") for line in kept)
    (started / "liuke.yaml").write_text(text, encoding="utf-8")
    config = load(started, {"LIUKE_STORE": "sqlite:///x.db", "ERP_URL": "sqlite:///erp.db"}.get)
    assert config.instances["erp"].owner == "王磊"
    assert config.instances["erp"].streams == ("orders",)
    assert config.library == "erp"


def test_the_identity_key_is_for_its_owner_only(started):
    file = started / "keys" / "identity.key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert Keys.from_bytes(file.read_bytes()).id


def test_a_folder_that_init_makes_is_for_its_owner_only(run, tmp_path):
    assert run("init", "--folder", str(tmp_path / "new")).code == 0
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700


def test_init_never_overwrites(run, started):
    before = {path: path.read_bytes() for path in started.rglob("*") if path.is_file()}
    (started / "crosswalk.csv").unlink()
    ran = run("init", "--company", "别的公司", "--json")
    assert ran.code == 0
    assert ran.json["made"] == ["crosswalk.csv"]
    assert {path: path.read_bytes() for path in started.rglob("*") if path.is_file()} == before


def test_init_makes_no_new_key_beside_an_old_database(run, started):
    (started / "keys" / "identity.key").unlink()
    (started / "liuke.db").touch()
    ran = run("init")
    assert ran.code == 1
    assert "identity.key-missing" in ran.err
    assert not (started / "keys" / "identity.key").exists()


@pytest.mark.parametrize("company", ["O'Brien: #1", "{x}", "- a", "null", "12", '甲"乙'])
def test_any_company_name_survives_yaml(run, tmp_path, company):
    assert run("init", "--company", company).code == 0
    assert load(tmp_path, lambda _name: None).company == company


# ---- doctor ---------------------------------------------------------------------------------------


def test_doctor_finds_a_whole_installation_fit(run, folder):
    ran = run("doctor", "--json")
    assert ran.code == 0, ran.out
    assert set(statuses(ran).values()) == {"ok"}
    assert {"names", "configuration", "clock", "disk", "landing", "key", "store", "privacy"} <= set(statuses(ran))


def test_doctor_says_all_that_is_wrong_with_the_configuration(run, folder):
    text = (folder / "liuke.yaml").read_text(encoding="utf-8")
    (folder / "liuke.yaml").write_text(text.replace("key: [id]", "kye: [id]") + "libary: erp\n", encoding="utf-8")
    ran = run("doctor")
    assert ran.code == 1
    for code in ("settings.unknown", "settings.missing"):
        assert code in ran.out
    assert "liuke.yaml:" in ran.out


def test_doctor_reads_field_maps_too(run, folder):
    (folder / "mappings" / "erp.yaml").write_text(MAP.replace("order:", "ordr:"), encoding="utf-8")
    ran = run("doctor", "--json")
    assert ran.code == 1
    assert statuses(ran)["configuration"] == "error"


@pytest.mark.parametrize("file", ["secrets.env", "keys/identity.key"])
def test_doctor_refuses_secrets_that_others_can_read(run, folder, file):
    path = folder / file
    path.touch()
    path.chmod(0o644)
    ran = run("doctor", "--json")
    assert ran.code == 1
    assert "chmod 600" in ran.out


def test_doctor_finds_a_database_that_cannot_be_used(run, folder):
    (folder / "liuke.db").mkdir()
    ran = run("doctor", "--json")
    assert ran.code == 1
    assert statuses(ran)["store"] == "error"


def test_doctor_warns_of_a_database_that_everybody_on_the_machine_can_read(run, folder, monkeypatch):
    assert run("doctor").code == 0
    (folder / "liuke.db").chmod(0o644)
    monkeypatch.setattr("sync.doctor.stat.S_IXOTH", stat.S_IXUSR)  # as if every folder above were open
    assert statuses(run("doctor", "--json"))["privacy"] == "warning"


def test_doctor_warns_of_little_disk_and_fails_on_none(run, folder, monkeypatch):
    usage = namedtuple("usage", "total used free")
    for free, code, word in ((1024**3, 0, "warning"), (1024**2, 1, "error")):
        monkeypatch.setattr(shutil, "disk_usage", lambda _path, free=free: usage(1, 1, free))
        ran = run("doctor", "--json")
        assert (ran.code, statuses(ran)["disk"]) == (code, word)


def test_doctor_finds_a_clock_that_was_turned_back(run, folder):
    assert run("doctor").code == 0
    database = sqlite3.connect(folder / "liuke.db")
    database.execute(
        "INSERT INTO run (run_id, connector, command, started_at, outcome) VALUES ('r', 'erp', 'sync', ?, 'ok')",
        (4_102_444_800_000_000,),
    )
    database.commit()
    database.close()
    ran = run("doctor", "--json")
    assert (ran.code, statuses(ran)["clock"]) == (1, "error")
    assert "2100-01-01" in ran.out


def test_doctor_without_any_configuration_says_how_to_start(run):
    ran = run("doctor")
    assert ran.code == 1
    assert "liuke init" in ran.out


# ---- connectors -----------------------------------------------------------------------------------


def test_connectors_are_listed_from_the_code(run):
    listed = {one["name"]: one for one in run("connectors", "--json").json}
    assert listed["sql"] == {
        "name": "sql",
        "title": {"zh": "SQL 数据库", "en": "SQL database"},
        "pull": True,
        "push": False,
        "write_back": True,
        "streams": [],
    }


def test_the_settings_of_a_connector_come_from_its_code(run):
    shown = run("connectors", "sql", "--json").json
    assert shown["settings"]["required"] == ["url"]
    page = run("connectors", "sql").out
    assert "SQLAlchemy 数据库地址" in page
    assert "modified_as:" in page


def test_an_unknown_connector_is_an_error(run):
    ran = run("connectors", "sqll")
    assert ran.code == 1
    assert "connector.unknown" in ran.err


# ---- test -----------------------------------------------------------------------------------------


def test_test_reads_one_record_of_each_stream_and_keeps_nothing(run, folder):
    ran = run("test", "erp", "--json")
    assert ran.code == 0
    assert ran.json == {
        "name": "erp",
        "streams": [{"stream": "orders", "records": 1, "problem": None}],
        "writes": None,
    }
    assert not (folder / "landing").exists()


def test_test_names_the_stream_that_cannot_be_read(run, folder):
    text = (folder / "liuke.yaml").read_text(encoding="utf-8")
    (folder / "liuke.yaml").write_text(text.replace("sale_order", "sales_order"), encoding="utf-8")
    ran = run("test", "erp")
    assert ran.code == 1
    assert "sql.no-table" in ran.out


def test_test_of_an_unknown_instance_names_the_near_one(run, folder):
    ran = run("test", "epr")
    assert ran.code == 1
    assert "是不是 erp" in ran.err


def staging(folder, row=None):
    with (folder / "liuke.yaml").open("a", encoding="utf-8") as file:
        file.write("      write: {table: staging, create: true}\n")
    database = sqlite3.connect(folder / "erp.db")
    database.execute(
        "CREATE TABLE staging (customer_id TEXT PRIMARY KEY, score TEXT, tier TEXT, last_purchase_at TEXT, "
        "purchase_count INTEGER, purchase_amount TEXT, updated_at TEXT)"
    )
    if row:
        database.execute("INSERT INTO staging VALUES (?, ?, ?, ?, ?, ?, ?)", row)
    database.commit()
    database.close()


def test_test_write_puts_back_what_was_there(run, folder):
    row = ("T1", "68.00", "B", None, 6, "3500.00", "2026-01-01 00:00:00")
    staging(folder, row)
    ran = run("test", "erp", "--write", "T1", "--json")
    assert ran.code == 0, ran.out + ran.err
    assert [(one["written"], one["restored"]) for one in ran.json["writes"]] == [(True, True)] * 5
    database = sqlite3.connect(folder / "erp.db")
    assert database.execute("SELECT * FROM staging").fetchone()[:-1] == row[:-1]
    database.close()


def test_test_write_makes_no_customer(run, folder):
    staging(folder)
    ran = run("test", "erp", "--write", "T1")
    assert ran.code == 1
    assert "test.no-customer" in ran.err
    database = sqlite3.connect(folder / "erp.db")
    assert database.execute("SELECT count(*) FROM staging").fetchone() == (0,)
    database.close()
