import json
from pathlib import Path

import pytest

from connectors.sandbox import company
from console import demo

pytestmark = pytest.mark.slow


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_demo_goes_on_after_an_interruption_and_then_changes_nothing(run, tmp_path, monkeypatch):
    folder = tmp_path / "demo"
    write = company.write_increment

    def interrupted(where, n):
        if n == 2:
            raise KeyboardInterrupt
        return write(where, n)

    monkeypatch.setattr(company, "write_increment", interrupted)
    assert run("demo", "--folder", str(folder)).code == 130
    monkeypatch.setattr(company, "write_increment", write)

    made = run("demo", "--folder", str(folder))
    assert made.code == 0, made.err
    assert "接着做" in made.out
    assert str(folder / demo.PAGE) in made.out
    commands = [line.strip() for line in made.out.splitlines() if line.strip().startswith("liuke ")]
    assert len(commands) == 3
    for one in commands:
        assert run(*one.split()[1:]).code == 0, one

    report = json.loads((folder / demo.FINISHED).read_text(encoding="utf-8"))["report"]
    assert report["status"] in {"ok_todo", "warning"}
    assert report["owed"]["quarantine"] > 0
    assert report["sku"]["codes"]["good"] > 400
    (target,) = report["writeback"]["targets"]
    assert (target["name"], target["waiting"]) == ("crm", 0)
    assert target["confirmed"] > 10_000
    assert "示例商贸有限公司" in (folder / demo.PAGE).read_text(encoding="utf-8")

    before = contents(folder)
    again = run("demo", "--folder", str(folder), "--json")
    assert again.code == 0
    assert again.json["new"] is False
    assert contents(folder) == before


def test_the_demo_leaves_a_folder_with_something_else_alone(run, tmp_path):
    (tmp_path / "mine.txt").write_text("x", encoding="utf-8")
    ran = run("demo", "--folder", str(tmp_path))
    assert ran.code == 1
    assert "demo.folder-not-empty" in ran.err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
