"""The conformance kit: what every connector must be able to show, checked the same way for all of them.

The registry says which connectors there are; a test hands in a Handle for each: a real database, a folder, or
a simulated vendor that it can fill, change and break. A check that a connector cannot pass needs a Waiver with
its reason and the line of the contract; a waiver that is no longer needed fails.

    for case in cases({"sql": SqlHandle}, waivers=[...]):
        case.run()
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from connectors import registry
from connectors.registry import Connector
from connectors.testing_checks import CHECKS
from connectors.testing_handle import Fault, Handle, NotOffered

__all__ = ["Case", "Fault", "Handle", "NotOffered", "Waiver", "cases", "cases_of"]


@dataclass(frozen=True)
class Waiver:
    """A check that a connector does not pass, why, and where the vendor's contract says so."""

    connector: str
    check: str
    reason: str
    contract: str


@dataclass(frozen=True)
class Case:
    """One check of one connector with one handle."""

    name: str
    check: str
    make_connector: Callable[[], Connector]
    make_handle: Callable[[], Handle] | None
    waiver: Waiver | None = None

    def __str__(self) -> str:
        return f"{self.name}-{self.check}"

    def run(self) -> None:
        """AssertionError if the connector fails; NotOffered if the check does not apply."""
        if self.make_handle is None:
            raise AssertionError(f"connector {self.name} has no handle: the kit cannot check it")
        handle = self.make_handle()
        try:
            CHECKS[self.check](self.make_connector(), handle)
        except AssertionError:
            if self.waiver is None:
                raise
        else:
            if self.waiver is not None:
                raise AssertionError(f"the waiver is no longer needed: {self.waiver}")
        finally:
            handle.close()


Handles = Mapping[str, Callable[[], Handle] | Mapping[str, Callable[[], Handle]]]
"""For each connector a way to make a handle, or several, by name (two databases, two kinds of file)."""


def cases(handles: Handles, waivers: Sequence[Waiver] = ()) -> list[Case]:
    """Every check for every connector of the registry; one without a handle is a case that fails."""
    made: list[Case] = []
    for name in registry.names():
        given = handles.get(name)
        variants = given if isinstance(given, Mapping) else {"": given}
        for variant, make_handle in variants.items():
            shown = f"{name}-{variant}" if variant else name
            made.extend(cases_of(shown, partial(registry.connector, name), make_handle, waivers))
    return made


def cases_of(
    name: str,
    make_connector: Callable[[], Connector],
    make_handle: Callable[[], Handle] | None,
    waivers: Sequence[Waiver] = (),
) -> list[Case]:
    """Every check for one connector: for those that are not in our registry."""
    for waiver in waivers:
        if waiver.check not in CHECKS or not waiver.reason or not waiver.contract:
            raise ValueError(f"a waiver needs a check there is, a reason and a contract line: {waiver}")
    by_check = {waiver.check: waiver for waiver in waivers if waiver.connector == name}
    return [Case(name, check, make_connector, make_handle, by_check.get(check)) for check in CHECKS]
