"""Our side of the benchmark: one process that syncs a folder once for every line it is sent.

    python -m benchmarks.subject_liuke FOLDER EXTRA

EXTRA is put on the import path: the connector of the benchmark's shop is found there as an installed one. A line
is empty (the machine's clock) or the time it shall be. Each answer is one line of JSON.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path


def main(arguments: Sequence[str]) -> None:
    """Answers line by line until the input ends."""
    folder, extra = arguments
    sys.path.append(extra)
    from sync.clock import FixedClock, SystemClock
    from sync.hub import KEY_FILE, Hub
    from sync.run import Runner

    _make_key(Path(folder) / "keys" / KEY_FILE)
    with Hub.open(Path(folder)) as hub:
        runner = Runner(hub)
        for line in sys.stdin:
            hub.clock = FixedClock(datetime.fromisoformat(line.strip())) if line.strip() else SystemClock()
            cpu, wall = time.process_time(), time.perf_counter()
            done = runner.sync()
            cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
            problems = [str(problem) for problem in done.problems]
            print(json.dumps({"cpu_s": cpu, "wall_s": wall, "problems": problems}), flush=True)


def _make_key(file: Path) -> None:
    """What `liuke init` would have made."""
    if file.exists():
        return
    from mappings.identity.digest import Keys

    file.parent.mkdir()
    file.touch(0o600)
    file.write_bytes(Keys.generate().to_bytes())


if __name__ == "__main__":
    main(sys.argv[1:])
