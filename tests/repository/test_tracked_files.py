import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

PACKAGE_SOURCE = re.compile(
    r"(?:pypi|npmjs|debian|pythonhosted)[.](?:org|com)|https?://\S*/(?:simple|packages)/|--(?:extra-)?index-url|--find-links",
    re.IGNORECASE,
)
# A folder under the root that only some machine has; a path inside an address (https://...) is none.
MACHINE_PATH = re.compile(r"(?:^|[^A-Za-z0-9_.{}*])/(?:work|root|home|tmp|Users)/[A-Za-z]")


def git(*command: str) -> list[str]:
    done = subprocess.run(["git", "-C", ROOT, *command], capture_output=True, text=True, check=True)
    return [line for line in done.stdout.split("\0") if line]


def tracked_text() -> dict[str, bytes]:
    """Files that git will hold and that .gitattributes does not declare binary."""
    attributes = git("ls-files", "--eol", "-z")
    text = [name for kinds, name in (line.split("\t", 1) for line in attributes) if "attr/-text" not in kinds]
    return {name: (ROOT / name).read_bytes() for name in text if (ROOT / name).is_file()}


@pytest.fixture(scope="module", name="files")
def _files() -> dict[str, bytes]:
    found = tracked_text()
    assert "pyproject.toml" in found
    return found


def test_text_is_utf8_with_lf_and_ends_in_a_newline(files):
    wrong = []
    for name, content in files.items():
        try:
            content.decode("utf-8")
        except UnicodeDecodeError as error:
            wrong.append(f"{name}: not UTF-8 at byte {error.start}")
        if b"\r" in content:
            wrong.append(f"{name}: has a carriage return")
        if content.startswith(b"\xef\xbb\xbf"):
            wrong.append(f"{name}: starts with a byte order mark")
        if content and not content.endswith(b"\n"):
            wrong.append(f"{name}: does not end in a newline")
    assert not wrong, "declare it binary in .gitattributes if it has to be so: " + "; ".join(wrong)


@pytest.mark.parametrize("pattern", [PACKAGE_SOURCE, MACHINE_PATH], ids=["package source", "machine path"])
def test_nothing_names_a_package_source_or_a_path_of_one_machine(files, pattern):
    found = [
        f"{name}:{number}: {line.strip()[:100]}"
        for name, content in files.items()
        if name != "tests/repository/test_tracked_files.py"  # it holds the patterns and what they must find
        for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), start=1)
        if pattern.search(line)
    ]
    assert not found


def test_the_patterns_find_what_they_are_for():
    assert PACKAGE_SOURCE.search("--index-url https://mirror.example/simple/")
    assert PACKAGE_SOURCE.search("resolved: https://mirror.example/packages/ab/x.whl")
    assert MACHINE_PATH.search('open("/home/anna/x.csv")')
    assert not MACHINE_PATH.search("https://open.example/work/list")
    assert not PACKAGE_SOURCE.search("see https://docs.example/guide")


def test_what_is_run_as_a_command_is_executable():
    for name in (".ci/run", "scripts/browser-test"):
        assert os.access(ROOT / name, os.X_OK), name
