"""Runs `liuke` in this process, as a person would, and hands back what it printed."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from console.cli import liuke


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Liuke = Callable[..., Ran]


@pytest.fixture(name="run")
def _run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Liuke:
    """`run("status", "--json")` in the folder of the test."""
    monkeypatch.setenv("LIUKE_HOME", str(tmp_path))

    def run(*arguments: str) -> Ran:
        done = CliRunner().invoke(liuke, list(arguments))
        return Ran(done.exit_code, done.stdout, done.stderr)

    return run
