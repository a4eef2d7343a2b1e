"""Scores all customers and says what each target ought to hold now; the checks decide whether that may be done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection

from mappings.scores.reading import load_definitions
from quality.checking import CheckResult, run_checks
from quality.contract import Contracts, Kind, Severity
from quality.contract_reading import load as load_contracts
from quality.status import last_checks
from state import touched
from state.bulk import execute
from sync.expectations import expectations
from sync.hub import Hub
from sync.score import Scored, score
from sync.targets import targets
from sync.writeback.desired import Refreshed, refresh, refresh_all


@dataclass(frozen=True)
class Scoring:
    """What one scoring run did: the scores, and per target how many wanted values it changed."""

    run_id: str
    scored: Scored
    wanted: dict[str, Refreshed] = field(default_factory=dict)


def score_everybody(hub: Hub) -> Scoring:
    """Scores everybody and works out anew what every target ought to hold.

    With a blocking check failed the old scores stand; purchase facts go out all the same.
    """
    return _score(hub, everybody=True)


def score_touched(hub: Hub) -> Scoring | None:
    """The same for customers whose orders or records changed since; None where there are none."""
    with hub.store.reading() as tx:
        if execute(tx, "SELECT 1 FROM touched_record LIMIT 1").first() is None:
            return None
    return _score(hub, everybody=False)


def _score(hub: Hub, *, everybody: bool) -> Scoring:
    definitions = load_definitions(hub.folder / "mappings" / "scores")
    store, now, run_id = hub.store, hub.now(), hub.new_run_id()
    contracts = contracts_of(hub)
    with store.reading() as tx:
        # Judging whole tables takes longer than scoring some customers: for these the last judgement holds.
        blocked = (
            failed_blocking(run_checks(tx, now, contracts, expectations(hub.config)))
            if everybody
            else failed_before(tx, contracts)
        )
    with store.transaction() as tx:
        customers = touched.take(tx, run_id)
    some = None if everybody else customers
    scored = score(store, definitions, now, run_id, industry=hub.config.industry, customers=some, blocked=blocked)
    wanted = {}
    for one in targets(hub.config):
        if everybody or scored.full:
            wanted[one.name] = refresh_all(store, one, definitions, now)
        else:
            with store.transaction() as tx:
                wanted[one.name] = refresh(tx, one, definitions, customers, now)
    if not blocked:
        with store.transaction() as tx:  # only now: a run that died before is made up for by the next
            touched.settle(tx, run_id)
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


def failed_before(tx: Connection, contracts: Contracts) -> list[str]:
    """The same, as the last `liuke check` found it."""
    failed = {code for code, _, status in last_checks(tx) if status == "breach"}
    rules = {code: contracts.rule(code) for code in failed}
    return sorted(
        code
        for code, rule in rules.items()
        if rule is not None and rule.severity is Severity.BLOCKING and rule.kind is not Kind.ROW
    )
