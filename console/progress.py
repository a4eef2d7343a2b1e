"""Shows on a terminal that work goes on, and for how long; anywhere else it is silent."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from console.screen import spoken
from mappings.problems import Text
from sync.clock import Clock, SystemClock

EVERY_S = 0.5
_MARKS = "|/-\\"


@contextmanager
def working(what: Text, clock: Clock | None = None) -> Iterator[None]:
    """Inside, one line on stderr says what is done and for how many seconds; it is gone afterwards.

    How much there is to do is not known before it is done: sources do not say how many records have changed.
    """
    if not sys.stderr.isatty():
        yield
        return
    over = threading.Event()
    line = threading.Thread(target=_turn, args=(spoken(what, sys.stderr), over, clock or SystemClock()), daemon=True)
    line.start()
    try:
        yield
    finally:
        over.set()
        line.join()


def _turn(what: str, over: threading.Event, clock: Clock) -> None:
    begun = clock.monotonic()
    turns = 0
    while not over.wait(EVERY_S):
        turns += 1
        seconds = int(clock.monotonic() - begun)
        print(f"\r\x1b[2K{_MARKS[turns % 4]} {what}  {seconds} s", end="", file=sys.stderr, flush=True)
    if turns:
        print("\r\x1b[2K", end="", file=sys.stderr, flush=True)
