"""What was planted in the demo company is what the hub finds, for three seeds; in the clean one it finds nothing."""

import json
from pathlib import Path

import pytest

from connectors.sandbox import company
from connectors.sandbox.demo import project_files
from console.commands.init import start
from quality import set_checks
from quality.checking import run_checks
from quality.set_checks import Asked
from sync.expectations import expectations
from sync.hub import Hub
from sync.run import Runner
from sync.scoring import contracts_of

Item = tuple[str, str, str]
"""Code, connector, key of the record; the key of a record that has none is empty."""

pytestmark = pytest.mark.slow


def live_through(folder: Path, seed: int, *, clean: bool = False) -> None:
    """The first load and all increments, pulled on the folder's own clock."""
    start(folder)
    (folder / "crosswalk.csv").unlink()
    for name, text in project_files().items():
        (folder / name).write_text(text, encoding="utf-8")
    company.write_initial(folder, seed, clean=clean)
    for batch in range(company.INCREMENTS + 1):
        if batch:
            company.write_increment(folder, batch)
        with Hub.open(folder, lookup=lambda _name: None) as hub:
            done = Runner(hub).sync()
        assert done.problems == []


def quarantined(hub: Hub) -> dict[Item, set[str]]:
    """Every open quarantine row with its codes: several may be wrong with one record."""
    found: dict[Item, set[str]] = {}
    with hub.store.reading() as tx:
        rows = tx.exec_driver_sql(
            "SELECT connector, stream, record_key, landing_no, line_no, reasons FROM quarantine WHERE status = 'open'"
        ).all()
    for connector, stream, key, landing_no, line_no, reasons in rows:
        name = f"{landing_no}/{line_no}" if key.startswith("#") else key
        found[connector, stream, name] = {code for code, *_ in json.loads(reasons)}
    return found


def listed(hub: Hub) -> set[Item]:
    """Every record that a set check holds against its connector."""
    asked = Asked(hub.now(), expectations(hub.config))
    found = set()
    with hub.store.reading() as tx:
        for code, check in set_checks.known().items():
            judged = check.ask(asked)
            assert judged is not None
            rows = tx.exec_driver_sql(judged.sql, tuple(judged.parameters))
            found |= {(code, connector, key) for connector, key, bad, _ in rows if bad}
    return found


def unmet(hub: Hub) -> set[Item]:
    """Completeness that misses its target."""
    with hub.store.reading() as tx:
        results = run_checks(tx, hub.now(), contracts_of(hub), expectations(hub.config))
    return {
        (result.code, result.connector, "")
        for result in results
        if result.code.startswith("completeness.") and result.status != "ok" and result.total
    }


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_hub_finds_exactly_what_the_manifest_lists(tmp_path: Path, seed: int) -> None:
    live_through(tmp_path / "hub", seed)
    planted = [{name: str(value) for name, value in row.items()} for row in company.manifest(seed)]
    with Hub.open(tmp_path / "hub", lookup=lambda _name: None) as hub:
        bad, items, incomplete = quarantined(hub), listed(hub), unmet(hub)

    checked = set(set_checks.known()) - {"identity.conflict", "identity.shared-phone"}
    assert {item for item in items if item[0] in checked} == {
        (row["code"], row["connector"], row["key"]) for row in planted if row["code"] in checked
    }
    # Identity is judged for the hub as a whole: its keys are record numbers and masks.
    for code in ("identity.conflict", "identity.shared-phone"):
        assert sum(item[0] == code for item in items) == sum(row["code"] == code for row in planted)
    assert incomplete == {(row["code"], row["connector"], "") for row in planted if row["code"].startswith("complete")}

    rows = [row for row in planted if row["code"] not in set_checks.known() and not row["code"].startswith("complete")]
    keyed = {(row["connector"], row["stream"], row["key"]): row["code"] for row in rows if row["key"]}
    assert {item for item in bad if "/" not in item[2]} == set(keyed)
    assert all(keyed[item] in codes for item, codes in bad.items() if item in keyed)
    without_key = sorted(row["code"] for row in rows if not row["key"])
    assert sorted(code for item, codes in bad.items() if "/" in item[2] for code in codes) == without_key


def test_the_hub_finds_nothing_in_the_clean_company(tmp_path: Path) -> None:
    live_through(tmp_path / "hub", 1, clean=True)
    with Hub.open(tmp_path / "hub", lookup=lambda _name: None) as hub:
        assert quarantined(hub) == {}
        assert listed(hub) == set()
        assert unmet(hub) == set()
