"""A disk that is really full, for the landing files and for the database."""

import os
import random
import subprocess

import pytest

AT = "2026-11-21 16:59:30"


@pytest.fixture
def small_disk(installation):
    """Mounts a small file system in the installation's folder; gives a function that makes it larger."""
    if os.geteuid() != 0:
        pytest.skip("mounting a file system of its own needs root")
    mounted = []

    def mount(name, size):
        folder = installation.folder / name
        folder.mkdir(exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=True)
        mounted.append(folder)

    def enlarge(name):
        subprocess.run(["mount", "-o", "remount,size=200m", str(installation.folder / name)], check=True)

    yield mount, enlarge
    for folder in mounted:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def many_orders(installation):
    """Orders that do not compress well."""
    chance = random.Random(1)
    rows = [(f"O{n:05d}", f"{chance.getrandbits(400):x}", f"{n}.25", AT) for n in range(8_000)]
    installation.company.orders(rows)


def test_a_full_disk_under_the_landing_files_loses_nothing(installation, small_disk):
    mount, enlarge = small_disk
    many_orders(installation)
    mount("landing", "100k")
    done = installation.sync()
    assert [problem.code for problem in done.problems] == ["landing.disk-full"]
    assert done.connectors[0].outcome == "failed"
    assert installation.landing_files() == []
    assert installation.ask("SELECT count(*) FROM bookmark") == [(0,)]
    enlarge("landing")
    installation.clock.turn(60)
    installation.sync()
    assert installation.ask('SELECT count(*), sum(paid_amount) FROM "order"') == [
        (8_000, sum(n * 10_000 + 2_500 for n in range(8_000)))
    ]


def test_a_full_disk_under_the_database_is_told_and_made_up_for(installation, small_disk):
    mount, enlarge = small_disk
    many_orders(installation)
    mount("data", "700k")
    path = installation.folder / "liuke.yaml"
    text = path.read_text(encoding="utf-8").replace("connectors:", "store: sqlite:///data/liuke.db\nconnectors:", 1)
    path.write_text(text, encoding="utf-8")
    done = installation.sync()
    assert "store.disk-full" in {problem.code for problem in done.problems}
    assert len(installation.landing_files()) == 1  # what was pulled is on the other disk
    enlarge("data")
    installation.clock.turn(180)
    again = installation.sync()
    assert again.connectors[0].extracted.read == 0  # nothing is asked for twice
    assert installation.ask('SELECT count(*) FROM "order"') == [(8_000,)]


def test_a_database_that_became_read_only_is_told_and_made_up_for(installation, small_disk):
    mount, _ = small_disk
    mount("data", "50m")
    path = installation.folder / "liuke.yaml"
    text = path.read_text(encoding="utf-8").replace("connectors:", "store: sqlite:///data/liuke.db\nconnectors:", 1)
    path.write_text(text, encoding="utf-8")
    installation.company.order("O1", "C1", "1", AT)
    installation.sync()
    subprocess.run(["mount", "-o", "remount,ro", str(installation.folder / "data")], check=True)
    installation.company.order("O2", "C1", "2", "2026-11-21 17:00:20")
    installation.clock.turn(60)
    done = installation.sync()
    assert done.waiting
    assert done.connectors[0].extracted.unregistered == 1
    subprocess.run(["mount", "-o", "remount,rw", str(installation.folder / "data")], check=True)
    installation.clock.turn(60)
    installation.sync()
    assert installation.ask('SELECT source_id FROM "order" ORDER BY source_id') == [("O1",), ("O2",)]
    # O1 comes along again: without its database the bookmark is that of the newest sealed file.
    assert len(installation.landing_files()) == 2
