import importlib.metadata
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import connectors
from connectors import registry
from connectors.ports_memory import KeptPages
from connectors.problems import ConnectorError
from connectors.settings import Settings


def test_every_package_of_the_folder_but_the_sandbox_is_a_connector():
    folders = {path.parent.name for path in Path(connectors.__file__).parent.glob("*/__init__.py")}
    assert set(registry.names()) == folders - {"sandbox"}
    found = registry.connectors()
    assert sorted(found.connectors) == registry.names()
    assert found.problems == ()


def test_listing_and_describing_connectors_imports_neither_the_sdk_nor_a_database():
    program = """
        import sys
        from connectors import registry
        assert "connectors.sql" not in sys.modules
        names = registry.names()
        assert "connectors.sql" not in sys.modules, "names are found without importing"
        for made in registry.connectors().connectors.values():
            made.streams()
        heavy = {"singer_sdk", "sqlalchemy", "requests", "polars", "pandas"} & set(sys.modules)
        assert not heavy, heavy
        print(names)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(connectors.__file__).parent.parent,
    )
    assert done.returncode == 0, done.stderr
    assert "sql" in done.stdout


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Puts modules where Python finds them, and entry points that name them."""

    def install(**modules):
        points = []
        for name, text in modules.items():
            (tmp_path / f"{name}.py").write_text(textwrap.dedent(text), encoding="utf-8")
            points.append(importlib.metadata.EntryPoint(name.removeprefix("lk_"), name, registry.GROUP))
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.setattr(registry, "entry_points", lambda group: tuple(points))

    return install


GOOD = """
    from connectors.problems import Text
    from connectors.registry import Connector
    CONNECTOR = Connector("good", Text("好", "good"), __name__, (), lambda settings: ())
"""


def test_installed_connectors_are_found_and_a_broken_one_stops_no_other(installed):
    installed(lk_good=GOOD, lk_broken="import no_such_module_here", lk_empty="", lk_sql=GOOD)
    found = registry.connectors()
    assert found.connectors["good"].title.zh == "好"
    assert found.connectors["sql"].package == "connectors.sql", "ours win over installed ones"
    assert [(one.code, "broken" in one.what.en or "empty" in one.what.en) for one in found.problems] == [
        ("connector.broken", True),
        ("connector.broken", True),
    ]
    with pytest.raises(ConnectorError, match="no_such_module_here"):
        registry.connector("broken")


def test_a_name_that_is_not_there_lists_those_that_are():
    with pytest.raises(ConnectorError) as raised:
        registry.connector("slq")
    assert "sql" in raised.value.problem.do.zh


def test_what_a_connector_cannot_do_is_said(installed, ports):
    installed(lk_good=GOOD)
    good = registry.connector("good")
    assert (good.pull, good.push, good.write_back) == (False, False, False)
    with pytest.raises(ConnectorError, match=r"connector\.cannot-pull"):
        good.tap(Settings({}), {}, ports, KeptPages())
    with pytest.raises(ConnectorError, match=r"connector\.cannot-write-back"):
        good.writer(Settings({}), ports)


def test_shipped_maps_are_found_beside_the_code():
    shipped = registry.connector("files").map_file()
    assert shipped is not None
    assert shipped.read_text(encoding="utf-8").startswith("# Field maps")
    assert registry.connector("sql").map_file() is None
