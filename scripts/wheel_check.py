"""Builds the wheel and runs it where nothing of the checkout can help it.

A package or data file that the wheel lacks shows here, and so does a dependency that only the development
environment has: the wheel goes into an environment of its own (requirements.lock and nothing else) and runs
from another folder.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
ENVIRONMENT = ROOT / "build" / "wheel-check"


def main() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packages: list[str] = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    with tempfile.TemporaryDirectory() as elsewhere:
        wheel = build(Path(elsewhere))
        complain_of_missing(wheel, packages)
        python = environment()
        run(python, "-m", "pip", "install", "-q", "--no-index", "--no-deps", "--force-reinstall", wheel)
        run(python, "-m", "pip", "check")
        liuke = python.with_name("liuke")
        version = run(liuke, "--version", cwd=elsewhere)
        if project["project"]["version"] not in version:
            sys.exit(f"wheel: liuke --version says {version.strip()!r}")
        connectors = json.loads(run(liuke, "connectors", "--json", cwd=elsewhere))
        if not connectors:
            sys.exit("wheel: liuke connectors --json lists nothing")
    print(f"wheel: {wheel.name} runs on its own, {len(connectors)} connectors")


def build(folder: Path) -> Path:
    """Uses the locked build backend of this environment."""
    run(
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "-q",
        "--no-index",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        folder,
        ROOT,
    )
    (wheel,) = folder.glob("liuke-*.whl")
    return wheel


def complain_of_missing(wheel: Path, packages: list[str]) -> None:
    """Every file that git tracks in our packages must be in the wheel."""
    shipped = set(zipfile.ZipFile(wheel).namelist())
    tracked = run("git", "-C", ROOT, "ls-files", "-z", "--", *packages).split("\0")
    missing = [name for name in tracked if name and name not in shipped and (ROOT / name).exists()]
    if missing:
        sys.exit("wheel: not shipped: " + ", ".join(missing))


def environment() -> Path:
    """The locked requirements and nothing else; made anew when the lock or the interpreter changes."""
    made_for = hashlib.sha256(LOCK.read_bytes() + sys.version.encode()).hexdigest()
    stamp = ENVIRONMENT / "made-for"
    python = ENVIRONMENT / "bin" / "python"
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != made_for:
        shutil.rmtree(ENVIRONMENT, ignore_errors=True)
        run(sys.executable, "-m", "venv", ENVIRONMENT)
        run(python, "-m", "pip", "install", "-q", "--only-binary=:all:", "--require-hashes", "-r", LOCK)
        stamp.write_text(made_for, encoding="utf-8")
    return python


def run(*command: str | Path, cwd: str | Path = ROOT) -> str:
    """What the command printed; stops with its output when it fails."""
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, cwd=cwd, env=clean, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"wheel: {' '.join(map(str, command))} ended with {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    main()
