"""L10: what somebody who only looks at the console's lanes costs the HTTP process."""

import contextlib
import http.client
import threading
import time
from collections.abc import Iterator
from http import HTTPStatus

from benchmarks import processor
from benchmarks.figures import Finding, Pairs
from benchmarks.service import Service
from benchmarks.sizes import Sizes
from benchmarks.stage import Stage
from benchmarks.targets import TARGETS

IDS = ("L10",)
_BOUND, _THREADS = 1.0, 8
#: Seconds until a process that has just begun, or lost its viewer, is at rest.
_REST = 3.0
#: What is told where the difference of two samples is none: a sample is a positive number.
_LEAST = 0.01


def run(stage: Stage, sizes: Sizes, _: frozenset[str]) -> list[Finding]:
    """In each round the door alone, then with one viewer; a worker beats beside it, so that there is something to see."""
    service, shares = Service(stage, "viewers"), []
    with service.door() as (port, door), service.working(_THREADS, stage.folder / "viewers.calls"):
        for number in range(sizes.rounds):
            stage.say(f"console: round {number + 1} of {sizes.rounds}")
            alone = _share(door.pid, sizes.watch)
            with _viewer(port, service.key, sizes.watch):
                watched = _share(door.pid, sizes.watch)
            shares.append((watched, alone))
    cost = tuple(max(_LEAST, watched - alone) for watched, alone in shares)
    extra = {"percent_watched_and_alone": shares}
    return [Finding(target=TARGETS["L10"], pairs=Pairs(cost, (_BOUND,) * sizes.rounds), extra=extra)]


def _share(pid: int, seconds: float) -> float:
    """Percent of a core that the process and its children take."""
    time.sleep(_REST)
    began, before = time.monotonic(), processor.seconds(pid)
    time.sleep(seconds)
    return 100 * (processor.seconds(pid) - before) / (time.monotonic() - began)


@contextlib.contextmanager
def _viewer(port: int, key: str, seconds: float) -> Iterator[None]:
    """Follows the lanes as the console does, in the block; raises `RuntimeError` if it was not told each second."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/v1/lanes/events", headers={"Authorization": f"Bearer {key}"})
    answer = connection.getresponse()
    if answer.status != HTTPStatus.OK:
        raise RuntimeError(f"the lanes' events answered {answer.status}")
    seen, done = [0], threading.Event()

    def follow() -> None:
        for line in answer:
            seen[0] += line.startswith(b"event: lanes")
            if done.is_set():
                return

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join(5)
        connection.close()
    if seen[0] < seconds:
        raise RuntimeError(f"{seen[0]} looks in more than {seconds:g} s")
