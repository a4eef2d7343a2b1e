import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOT_SHIPPED = {"benchmarks", "docs", "scripts", "tests"}

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
PAGES = {name: (ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "CONTRIBUTING.md")}


def folders() -> set[str]:
    return {found.parent.name for found in ROOT.glob("[a-z]*/__init__.py")} - NOT_SHIPPED


def pins(lock: str) -> dict[str, str]:
    text = (ROOT / lock).read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", text, re.MULTILINE))


def named(pattern: str) -> list[tuple[str, str]]:
    """What a page names, with the page."""
    return sorted({(word, page) for page, text in PAGES.items() for word in re.findall(pattern, text)})


def command_names() -> list[str]:
    texts = [MAKEFILE, *PAGES.values()]
    return sorted({word for text in texts for word in re.findall(r"(?:`|\)/)liuke ([a-z][a-z-]*)", text)})


# ---- Every folder is shipped, typed and under contract -------------------------------------------


def test_the_wheel_holds_every_folder():
    assert set(PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]) == folders()


def test_import_contracts_cover_every_folder():
    settings = PROJECT["tool"]["importlinter"]
    assert set(settings["root_packages"]) == folders()
    allowed = {
        "connectors": set(),
        "mappings": set(),
        "state": {"mappings"},
        "quality": {"state", "mappings"},
        "sync": {"connectors", "mappings", "state", "quality"},
    }
    forbidden = {
        contract["source_modules"][0]: set(contract["forbidden_modules"])
        for contract in settings["contracts"]
        if set(contract["forbidden_modules"]) <= folders() and contract.get("as_packages", True)
    }
    assert forbidden == {folder: folders() - {folder} - may for folder, may in allowed.items()}


def test_types_are_checked_in_every_folder():
    (checked,) = re.findall(r"^CHECKED := (.*)$", MAKEFILE, re.MULTILINE)
    assert folders() <= set(checked.split())
    assert PROJECT["tool"]["mypy"]["strict"] is True


# ---- Locks ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_every_locked_requirement_is_a_name_a_version_and_hashes(lock):
    text = (ROOT / lock).read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert lines
    for line in lines:
        assert re.fullmatch(r"[a-z0-9-]+==[\w.]+ (?:; [^:@/]+?)?\s*(?:--hash=sha256:[0-9a-f]{64}\s*)+", line), line


def test_what_checks_has_the_versions_that_run():
    assert pins("requirements.lock").items() <= pins("requirements-dev.lock").items()


def test_the_locks_hold_what_pyproject_asks_for():
    def names(requirements: list[str]) -> set[str]:
        return {re.split(r"[^A-Za-z0-9-]", line)[0].lower() for line in requirements}

    extras = PROJECT["project"]["optional-dependencies"]
    runtime = names(PROJECT["project"]["dependencies"])
    for extra in ("postgres", "excel", "serve"):
        runtime |= names(extras[extra])
    assert runtime <= pins("requirements.lock").keys()
    assert runtime | names(PROJECT["dependency-groups"]["dev"]) <= pins("requirements-dev.lock").keys()
    assert "pyspark" not in pins("requirements-dev.lock")


# ---- What the pages say is there -----------------------------------------------------------------


def test_the_readme_starts_with_one_install_and_two_commands():
    (first, *_) = re.findall(r"```sh\n(.*?)```", PAGES["README.md"], re.DOTALL)
    commands = [line.split("#")[0].strip() for line in first.splitlines()]
    assert commands == ["apt-get install -y git make python3-venv", "make demo", "make test"]


@pytest.mark.parametrize(("target", "page"), named(r"`?\bmake ([a-z][a-z-]*)`?(?=[`\s#])"))
def test_every_make_target_named_exists(target, page):
    assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE), f"{page} names make {target}"


@pytest.mark.parametrize("command", command_names())
def test_every_liuke_command_named_exists(command):
    program = "from console.cli import main; main()"
    arguments = [sys.executable, "-c", program, command, "--help"]
    done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("extra", "page"), named(r"liuke\[([a-z]+)\]"))
def test_every_extra_named_exists(extra, page):
    assert extra in PROJECT["project"]["optional-dependencies"], page


@pytest.mark.parametrize(("link", "page"), named(r"\]\((?!https?:|#)([^)#]+)"))
def test_every_link_leads_somewhere(link, page):
    assert (ROOT / link).exists(), page


def test_the_changelog_has_an_unreleased_section():
    assert re.search(r"^## Unreleased$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
