"""A process that leases a limit as fast as it can, and tells the moments it was given: see `test_storage_limits`."""

import json
import sys
from pathlib import Path

from notifier.domain.limits import Ask, Limit
from notifier.storage import rate_limits
from notifier.storage.engine import Use, make_engine
from tests.nodes.waiting import wait_until

TIMES = 100


def main(url: str, go: Path) -> None:
    """Begins when there is a file `go`, so that all begin at once."""
    engine = make_engine(url, Use(name="test", pool_size=1))
    limit, given = Limit("email/ses", 0.005, burst=20), []
    engine.connect().close()
    print("ready", flush=True)
    wait_until(go.exists, what="the sign to begin")
    for _ in range(TIMES):
        told = rate_limits.lease(engine, limit, Ask(wanted=7))
        now = told.end - (told.first + told.granted * told.interval)
        given += [now + told.first + number * told.interval for number in range(told.granted)]
    print(json.dumps(given))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
