"""What a fault of the broker does to doors and lanes: how long they were still, and what still waits."""

import contextlib
import itertools
import json
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator

from notifier.domain.lanes import Channel, Lane
from notifier.queueing.rabbitmq_topology import dead_name
from tests.nodes.waiting import wait_until
from tests.storms.kit.case import Case
from tests.storms.kit.form import patience
from tests.storms.kit.installation import PREFIX, Installation

#: The queues of the load's lanes, and all queues of an installation.
BUSY = [lane.queue(PREFIX) for lane in Lane.all() if lane.channel is Channel.EMAIL]
QUEUES = [name for lane in Lane.all() for name in (lane.queue(PREFIX), dead_name(lane.queue(PREFIX)))]


def waiting(storm: Case) -> set[str]:
    """The accepted notifications that no provider has taken yet."""
    return set(storm.load.accepted.values()) - set(storm.installation.sunk.refresh().counts)


def longest_pause(moments: Iterable[float], since: float, until: float) -> float:
    """Seconds of the longest time between two moments, the two ends among them."""
    inside = sorted(at for at in moments if since < at < until)
    return max(later - earlier for earlier, later in itertools.pairwise([since, *inside, until]))


def longest_gap(storm: Case, since: float, until: float) -> float:
    """Seconds of the longest time that one of the load's lanes had no hand-over; ends are unix times.

    For the load of `email`, whose lanes take turns.
    """
    lane_of = {one: number % 3 for number, one in dict(storm.load.accepted).items()}
    taken: dict[int, list[float]] = {lane: [] for lane in range(3)}
    for at, one in list(storm.installation.sunk.refresh().moments):
        if one in lane_of:
            taken[lane_of[one]].append(at)
    return max(longest_pause(moments, since, until) for moments in taken.values())


@contextlib.contextmanager
def watched(
    storm: Case, *, gap: float | None = None, silence: float | None = None
) -> Iterator[Callable[[], float]]:
    """Inside, no lane may pause longer than `gap` and the doors no longer than `silence` (seconds).

    Afterwards what it gives tells how long the longest pause of a lane was.
    """
    since, since_unix, still = time.monotonic(), time.time(), 0.0
    yield lambda: still
    storm.remark("silence_s", quiet := storm.load.longest_silence(since, time.monotonic()))
    storm.remark("gap_s", still := longest_gap(storm, since_unix, time.time()))
    assert silence is None or quiet <= patience(silence), f"no 202 for {quiet:.1f} s"
    assert gap is None or still <= patience(gap), f"a lane stood still for {still:.1f} s"


def degraded(port: int) -> list[str]:
    """What a door that is ready says it does without."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
        found: list[str] = json.loads(answer.read())["degraded"]
        return found


def wait_degraded(installation: Installation, without: list[str], within: float = 10) -> None:
    """Until every door is ready and says exactly this."""
    wait_until(
        lambda: all(degraded(port) == without for port in installation.ports),
        patience(within),
        f"the doors to do without {without}",
    )


def wait_drained(storm: Case, within: float) -> None:
    """Until all that is accepted by now was handed over; remembers how long that took."""
    begun, owed = time.monotonic(), waiting(storm)

    def drained() -> bool:
        owed.difference_update(storm.installation.sunk.refresh().counts)
        return not owed

    try:
        wait_until(drained, patience(within), "what was accepted meanwhile")
    except AssertionError as late:
        raise AssertionError(f"{late}: {len(owed)} of it") from None
    storm.remark("drained_s", time.monotonic() - begun)


@contextlib.contextmanager
def provider(installation: Installation, least: float, most: float) -> Iterator[None]:
    """The provider takes so many seconds for each message."""
    installation.faults.set(delay=[least, most])
    try:
        yield
    finally:
        installation.faults.set(delay=[0.005, 0.05])
