"""Scores all customers and says what each target ought to hold now; the checks decide whether that may be done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from mappings.scores.reading import load_definitions
from quality.checking import CheckResult, run_checks
from quality.contract import Contracts, Kind, Severity
from quality.contract_reading import load as load_contracts
from sync.expectations import expectations
from sync.hub import Hub
from sync.score import Scored, score
from sync.targets import targets
from sync.writeback.desired import Refreshed, refresh_all


@dataclass(frozen=True)
class Scoring:
    """What one scoring run did: the scores, and per target how many wanted values it changed."""

    run_id: str
    scored: Scored
    wanted: dict[str, Refreshed] = field(default_factory=dict)


def score_everybody(hub: Hub) -> Scoring:
    """Scores everybody and refreshes what is to be written back; with a blocking check failed, nothing is done."""
    definitions = load_definitions(hub.folder / "mappings" / "scores")
    store, now, run_id = hub.store, hub.now(), hub.new_run_id()
    with store.reading() as tx:
        results = run_checks(tx, now, contracts_of(hub), expectations(hub.config))
    scored = score(store, definitions, now, run_id, industry=hub.config.industry, blocked=failed_blocking(results))
    if scored.blocked:
        return Scoring(run_id, scored)
    wanted = {one.name: refresh_all(store, one, definitions, now) for one in targets(hub.config)}
    return Scoring(run_id, scored, wanted)


def contracts_of(hub: Hub) -> Contracts:
    """The shipped contracts under the user's own."""
    return load_contracts(hub.folder / "contracts", hub.config.instances)


def failed_blocking(results: Sequence[CheckResult]) -> list[str]:
    """Codes of blocking checks over whole tables that failed.

    Row rules are not among them: the rows that fail one are in quarantine, not in the tables that are scored.
    """
    return sorted(
        {
            one.code
            for one in results
            if one.severity is Severity.BLOCKING and one.kind is not Kind.ROW and one.status == "breach"
        }
    )
