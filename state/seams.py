"""Names the points between two durable steps, so that tests can kill the process exactly there.

`LIUKE_CRASH_AT=name` or `LIUKE_CRASH_AT=name:3` (the third time) kills the process with SIGKILL when it
passes that seam: nothing is flushed, as after a power cut of the process. Without the variable a seam costs
one dictionary look-up.
"""

from __future__ import annotations

import os
import signal
from collections import Counter

SEAMS = (
    "landing.frame-written",
    "landing.files-renamed",
    "landing.before-seal",
    "landing.sealed",
    "register.before-commit",
    "register.committed",
    "load.before-commit",
    "load.committed",
    "resolve.before-commit",
    "resolve.committed",
    "score.before-commit",
    "outbox.before-commit",
    "outbox.marked-sending",
    "outbox.sent",
    "outbox.receipt-committed",
)
"""Every seam there is; the crash tests run through all of them."""

_passed: Counter[str] = Counter()


def seam(name: str) -> None:
    """Passes the point of that name; dies here if the environment says so."""
    wanted = os.environ.get("LIUKE_CRASH_AT")
    if not wanted:
        return
    point, _, times = wanted.partition(":")
    if point != name:
        return
    _passed[name] += 1
    if _passed[name] >= int(times or 1):
        os.kill(os.getpid(), signal.SIGKILL)
