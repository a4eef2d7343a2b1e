import json

from click.testing import CliRunner

from console.cli import liuke

COMMANDS = [
    "status", "check", "report", "doctor", "quarantine list --connector erp", "quarantine show 1", "trace S1",
    "trace erp/S3", "trace 13912348765", "customer show erp/K1", "customer explain erp/K1", "sku coverage",
    "sku unmatched --connector erp", "resolve --full", "score", "writeback plan", "writeback list", "replay",
]  # fmt: skip


def test_every_question_can_be_asked_of_postgresql(tmp_path, make_company, postgres_url):
    folder = make_company(tmp_path / "hub", postgres_url)

    def answer(arguments):
        done = CliRunner().invoke(liuke, [*arguments.split(), "--json", "--folder", str(folder)])
        assert done.exit_code == 0, (arguments, done.stderr)
        return json.loads(done.stdout)

    assert {one["name"]: one["read"] for one in answer("sync")["connectors"]} == {"crm": 2, "erp": 7}
    answers = {one: answer(one) for one in COMMANDS}
    assert answers["status"]["owed"]["quarantine"] == 1
    assert answers["trace S1"]["orders"][0]["customer"]["name"] == "张**"
    assert answers["trace 13912348765"]["phone"]["mask"] == "139****8765"
    assert answers["customer show erp/K1"][0]["purchases"]["net_amount_yuan"] == "3500.00"
    assert answers["sku coverage"]["connectors"][0]["codes"] == {"good": 1, "total": 2}
    number = answers["quarantine list --connector erp"]["rows"][0]["id"]
    answer(f"quarantine waive {number} --by 李娜 --reason 测试单")
    assert answer("status")["owed"]["quarantine"] == 0
