"""The benchmark runs and measures what it says. Its figures are not looked at: a shared machine has no time."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SMALL = ("--rows", "2000", "--large", "20000", "--repeat", "1", "--rounds", "2", "--without-dlt")


@pytest.mark.slow
def test_every_case_is_measured_and_every_order_arrives(tmp_path):
    output = tmp_path / "results" / "sync.json"
    command = [sys.executable, "-m", "benchmarks.sync", *SMALL, "--folder", str(tmp_path), "--output", str(output)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr  # it counts the orders at the end of every case itself
    results = json.loads(output.read_text(encoding="utf-8"))
    assert [(one["case"], one["subject"], one["rows"]) for one in results] == [
        ("rest", "liuke", 2_000),
        ("rest-unchanged", "liuke", 2_000),
        ("rest-warm", "liuke", 500),
        ("sql", "liuke", 2_250),
        ("sql-unchanged", "liuke", 2_250),
        ("sql-warm", "liuke", 500),
        ("sql-large", "liuke", 22_500),
        ("sql-large-changed", "liuke", 2_000),
    ]
    for one in results:
        assert set(one) == {"case", "subject", "rows", "cpu_s", "wall_s", "rss_mb"}
        assert min(one["cpu_s"], one["wall_s"], one["rss_mb"]) > 0
    assert "rows/cpu s" in done.stdout
    assert "dlt was not measured" in done.stdout
