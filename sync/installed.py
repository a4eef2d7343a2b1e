"""Checks that our folders are ours: their names are generic, and another package may have overwritten one."""

from __future__ import annotations

from importlib.metadata import Distribution, distributions

from mappings.problems import Problem, Text

FOLDERS = ("connectors", "mappings", "state", "quality", "sync", "console")
OURS = "liuke"


def name_clashes() -> list[Problem]:
    """A Problem for each installed distribution that owns one of our folder names."""
    # Installing another `connectors` writes its files over ours without a word; only the lists of installed
    # files know of it.
    clashes = {
        distribution.name: folders
        for distribution in distributions()
        if distribution.name != OURS and (folders := _folders_of(distribution))
    }
    return [_problem(name, folders) for name, folders in sorted(clashes.items())]


def _folders_of(distribution: Distribution) -> list[str]:
    listed = "\n" + (distribution.read_text("RECORD") or distribution.read_text("top_level.txt") or "")
    return [one for one in FOLDERS if f"\n{one}/" in listed or f"\n{one}\n" in listed]


def _problem(name: str, folders: list[str]) -> Problem:
    shown = ", ".join(folders)
    return Problem(
        "install.name-clash",
        Text(
            f"软件包 {name} 占用了留客的目录名 {shown}, 可能已经覆盖了留客的文件",
            f"the package {name} owns our folder {shown} and may have overwritten our files",
        ),
        shown,
        Text(
            f"把留客装进自己的环境; 或卸载 {name} 后重装留客: pip uninstall {name}",
            f"install Liuke into an environment of its own; or uninstall {name}, then install Liuke again",
        ),
    )
