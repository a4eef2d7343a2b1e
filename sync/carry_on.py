"""What a run does after customers are resolved: new scores and facts go to every target that may be written to.

This is the second half of the promise "in the CRM within five minutes": a changed order is pulled, loaded, scored,
written and read back in one run.
"""

from __future__ import annotations

from state import outbox
from sync.hub import Hub
from sync.scoring import score_touched
from sync.targets import targets, writing
from sync.writeback.apply import Drained, drain


def carry_on(hub: Hub) -> list[Drained]:
    """Scores whom the run touched and writes what is due to the targets that an approved plan has opened.

    While no target is open nothing is done: `liuke score` and a plan come first.
    """
    with hub.store.reading() as tx:
        open_targets = [one for one in targets(hub.config) if outbox.is_on(tx, one.name)]
    if not open_targets:
        return []
    score_touched(hub)
    done = []
    for target in open_targets:
        with writing(hub, target) as writer:
            done.append(drain(hub.store, target, writer, hub.clock, owner=hub.owner, run_id=hub.new_run_id()))
    return done
