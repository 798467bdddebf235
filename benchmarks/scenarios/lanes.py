"""P8 and L1 to L4: how worker threads move between lanes, seen by the provider's calls.

Calls take as long as they would at a provider, so that threads are what is short and not this machine.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks import calls, windows
from benchmarks.checks import same
from benchmarks.figures import Finding, Pairs
from benchmarks.scenarios.busy_lane import busy_lane
from benchmarks.service import BATCH, Service
from benchmarks.sizes import Sizes
from benchmarks.stage import Stage
from benchmarks.targets import TARGETS
from benchmarks.windows import SECOND, Timeline
from notifier.domain.lanes import STANDING, Channel, Lane, Priority
from tests.nodes.waiting import wait_until

IDS = ("P8", "L1", "L2", "L3", "L4")

Lanes = tuple[Lane, ...]
_ALL = Lane.all()
_WEIGHTS = {Priority.HIGH: 4.0, Priority.MEDIUM: 2.0, Priority.LOW: 1.0}
#: Seconds after the first call until a worker is under way, and until reserves and room are released but for one thread: with
#: calls of 200 ms on 32 threads high would wait longer than its goal without it, so it keeps one while it was lately active.
_WARM, _RELEASED = 2.0, 36.0
_KEPT_NOW = """
    SELECT (report->'scheduler'->'reserves'->>'high')::int + (report->'scheduler'->'reserves'->>'medium')::int
      + (report->'scheduler'->>'threads')::int - (report->'scheduler'->'lanes'->%s->>'bulkhead')::int
    FROM workers WHERE role = 'worker' ORDER BY beat_at DESC LIMIT 1
"""
#: L4: what may be set aside of 32 threads, and the time for two ticks and for the last calls to end.
_KEPT, _SOON = 14, 0.7


@dataclass(frozen=True, slots=True)
class _Side:
    """An installation and its open door."""

    stage: Stage
    sizes: Sizes
    service: Service
    door: int

    def timeline(
        self,
        filled: Mapping[Lanes, int],
        seconds: float | Mapping[str, float],
        *,
        threads: int,
        until: Callable[[float], bool],
        program: str = "benchmarks.worker",
        look: Callable[[], None] = lambda: None,
    ) -> Timeline:
        """The provider's calls of one worker from its first on, until `until(seconds since then)`, and a last look."""
        self.service.reset()
        for lanes, count in filled.items():
            self.service.fill(self.door, _whole(count), lanes)
        ledger = self.stage.folder / "lanes.calls"
        ledger.unlink(missing_ok=True)
        each = seconds if isinstance(seconds, Mapping) else dict.fromkeys(map(str, Channel), seconds)
        with self.service.working(threads, ledger, seconds=each, program=program, at_once=True):
            wait_until(lambda: calls.count(ledger) > 0, 60, "the first call")
            first = min(calls.read(ledger).values())
            wait_until(lambda: until((calls.now() - first) / SECOND), 180, "the end of the span")
            look()
            found = calls.read(ledger)
        return windows.timeline(found, self.service.lanes_of(found))


def run(stage: Stage, sizes: Sizes, wanted: frozenset[str]) -> list[Finding]:
    """Each figure by itself, ours and what it is held against in turn."""
    measures = {"P8": _busy, "L1": _hung, "L2": _shares, "L3": _all_high, "L4": _idle}
    service, findings = Service(stage, "lanes"), []
    with service.serving() as door:
        side = _Side(stage, sizes, service, door)
        for name in sorted(wanted):
            stage.say(f"lanes: {name}")
            findings += measures[name](side)
    return findings


def _busy(side: _Side) -> list[Finding]:
    """One lane, and no other was ever active."""
    threads, seconds, span = 32, 0.02, side.sizes.span
    possible, whole, plain = threads / seconds, [], []
    only: Lanes = (Lane(Channel.SMS, Priority.LOW),)
    for _ in range(side.sizes.rounds):
        filled = {only: int(possible * (span + _WARM) * 1.1)}
        found = side.timeline(filled, seconds, threads=threads, until=lambda past: past > _WARM + span)
        whole.append(windows.rate(found, _after(found, _WARM), span))
        plain.append(
            busy_lane(side.stage, int(possible * (span + _WARM) * 1.2), threads, seconds, _WARM, span)
        )
    return [
        _finding("P8 whole", whole, [possible] * len(whole)),
        _finding("P8 lanes", plain, [possible] * len(plain)),
    ]


def _hung(side: _Side) -> list[Finding]:
    """SMS and push from the onset on."""
    others = [lane.name for lane in _ALL if lane.channel is not Channel.EMAIL]
    rates: dict[float, list[float]] = {0.05: [], 30.0: []}
    span, threads = side.sizes.span, 8
    for _ in range(side.sizes.rounds):
        for email, found_rates in rates.items():
            seconds = {"email": email, "sms": 0.05, "push": 0.05}
            filled = {_ALL: int(span * threads / 0.05 * 2)}
            found = side.timeline(filled, seconds, threads=threads, until=lambda past: past > span)
            found_rates.append(windows.rate(found, found[0][0], span, others))
    return [_finding("L1", rates[30.0], rates[0.05])]


def _shares(side: _Side) -> list[Finding]:
    """Calls take equally long, so their number tells the thread-seconds."""
    threads, seconds, span = 32, 0.2, side.sizes.span
    weights = {lane.name: _WEIGHTS[lane.priority] for lane in _ALL}
    most = max(weights.values()) / sum(weights.values()) * len(_ALL)
    off = []
    for _ in range(side.sizes.rounds):
        filled = {_ALL: int(threads / seconds * (span + _WARM) * most * 1.3)}
        found = side.timeline(filled, seconds, threads=threads, until=lambda past: past > _WARM + span)
        off.append(windows.farthest(found, _after(found, _WARM), span, weights))
    return [_finding("L2", off, [1.0] * len(off))]


def _all_high(side: _Side) -> list[Finding]:
    """Three lanes on ours, one lane on the heap; as many messages."""
    threads, seconds, span = 8, 0.05, side.sizes.span
    count = int(threads / seconds * (span + _WARM) * 1.5)
    ours: list[float] = []
    heap: list[float] = []
    high: Lanes = tuple(Lane(channel, Priority.HIGH) for channel in STANDING)
    for _ in range(side.sizes.rounds):
        for lanes, program, rates in (
            (high, "benchmarks.worker", ours),
            (high[:1], "benchmarks.heap_worker", heap),
        ):
            found = side.timeline(
                {lanes: count},
                seconds,
                threads=threads,
                until=lambda past: past > _WARM + span,
                program=program,
            )
            rates.append(windows.rate(found, _after(found, _WARM), span))
    return [_finding("L3", ours, heap)]


def _idle(side: _Side) -> list[Finding]:
    """Eight lanes have a little, the ninth has a lot."""
    threads, seconds = 32, 0.2
    ninth = Lane(Channel.SMS, Priority.LOW)

    def released() -> None:
        same("threads kept for others", side.service.number(_KEPT_NOW % f"'{ninth.name}'"), 1)

    eight = tuple(lane for lane in _ALL if lane != ninth)
    names = [lane.name for lane in eight]
    possible = threads / seconds
    soon: list[float] = []
    later: list[float] = []
    heap: list[float] = []
    few = BATCH
    # The last of the eight is called when its share allows it: a lane of weight 1 has an eighth of `few`.
    enough = 2 * few / possible + _RELEASED + 12
    for _ in range(side.sizes.rounds):
        filled = {eight: few, (ninth,): int(possible * enough * 1.1)}
        found = side.timeline(
            filled, seconds, threads=threads, until=lambda past: past > enough, look=released
        )
        idle = windows.last_of(found, names)
        soon.append(windows.rate(found, idle + int(_SOON * SECOND), 2.0))
        later.append(windows.rate(found, idle + int(_RELEASED * SECOND), 5.0))
        alone = side.timeline(
            {(ninth,): int(possible * (_WARM + 6) * 1.1)},
            seconds,
            threads=threads,
            until=lambda past: past > _WARM + 5,
            program="benchmarks.heap_worker",
        )
        heap.append(windows.rate(alone, _after(alone, _WARM), 5.0))
    return [
        _finding("L4 soon", soon, [(threads - _KEPT) / seconds] * len(soon)),
        _finding("L4 later", later, heap),
    ]


def _after(found: Timeline, seconds: float) -> int:
    return found[0][0] + int(seconds * SECOND)


def _whole(count: int) -> int:
    """Batches are whole."""
    return -(-count // BATCH) * BATCH


def _finding(name: str, ours: Sequence[float], peer: Sequence[float]) -> Finding:
    return Finding(target=TARGETS[name], pairs=Pairs(tuple(ours), tuple(peer)))
