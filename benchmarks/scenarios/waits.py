"""P6 and P7: how long an urgent SMS waits beside a flood of low e-mails, slow ones and hung ones.

Ours runs in turn with nothing else to do, with the flood and with the flood's provider hung; the peers
have two priorities as their manuals say. All waits of a kind are pooled: a tail needs many of them.
"""

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks import calls
from benchmarks.bodies import SEED
from benchmarks.checks import same
from benchmarks.figures import Finding, Pairs, percentile
from benchmarks.peers.lanes_stock import StockLanes, celery_lanes, dramatiq_lanes
from benchmarks.service import Service
from benchmarks.sizes import Sizes
from benchmarks.stage import Stage
from benchmarks.targets import TARGETS
from notifier.domain.lanes import Lane
from tests.nodes.waiting import wait_until

IDS = ("P6", "P7")
#: Seconds of a low call.
_SLOW, _HUNG = 0.2, 30.0
_KINDS = {"P6": _SLOW, "P7": _HUNG}
_LOW, _HIGH = Lane.parse("email.low"), Lane.parse("sms.high")

Waits = list[list[float]]


@dataclass(frozen=True, slots=True)
class _Ours:
    """An installation and its open door."""

    stage: Stage
    sizes: Sizes
    service: Service
    door: int

    def waits(self, *, low_seconds: float | None) -> list[float]:
        """Milliseconds from each 202 to its provider's call; None: no flood."""
        ledger = self.stage.folder / "waits.calls"
        ledger.write_bytes(b"")
        seconds = {"email": low_seconds or 0.0}
        with self.service.working(self.sizes.idle_threads, ledger, seconds=seconds, at_once=True):
            # Until the worker is under way: with its flood, or with some urgent ones to begin with.
            some = self.sizes.idle_threads // 2
            if not low_seconds:
                self._paced(some)
            wait_until(lambda: calls.count(ledger) >= some, 60, "the worker's first calls")
            sent = self._paced(self.sizes.urgent)
            names = {name for name, _, _ in sent}
            wait_until(lambda: names <= set(calls.read(ledger)), 120, "the last urgent call")
        found = calls.read(ledger)
        return [max(found[name] - answered, 1) / 1e6 for name, _, answered in sent]

    def _paced(self, count: int) -> list[tuple[str, int, int]]:
        found: list[tuple[str, int, int]] = self.stage.ask(
            "benchmarks.paced_client",
            f"--port={self.door}",
            f"--count={count}",
            f"--seed={SEED}",
            f"--key={self.service.key}",
            f"--lanes={_HIGH.name}",
            "--pause",
            *map(str, self.sizes.urgent_pause),
        )
        same("urgent requests", len(found), count)
        return found


def run(stage: Stage, sizes: Sizes, wanted: frozenset[str]) -> list[Finding]:
    """In each round ours in each state; the peers run in the first rounds."""
    calm, flooded = Service(stage, "calm"), Service(stage, "flooded")
    peers = {"dramatiq": dramatiq_lanes(stage), "celery": celery_lanes(stage)}
    with calm.serving() as calm_door, flooded.serving() as door:
        stage.say("waits: filling the low lanes")
        flooded.fill(door, sizes.flood, [_LOW])
        for peer in peers.values():
            peer.fill(sizes.flood)
        quiet = _Ours(stage, sizes, calm, calm_door)
        loud = _Ours(stage, sizes, flooded, door)
        found: dict[str, Waits] = {}
        for number in range(sizes.rounds):
            stage.say(f"waits: round {number + 1} of {sizes.rounds}")
            for name, take in _turns(quiet, loud, peers if number < sizes.peer_floods else {}, wanted):
                found.setdefault(name, []).append(take())
    return _findings(found, wanted)


def _turns(
    quiet: _Ours, loud: _Ours, peers: dict[str, StockLanes], wanted: frozenset[str]
) -> list[tuple[str, Callable[[], list[float]]]]:
    """What a round measures, in its order."""
    turns: list[tuple[str, Callable[[], list[float]]]] = [("calm", lambda: quiet.waits(low_seconds=None))]
    for kind in sorted(wanted):
        seconds = _KINDS[kind]
        turns.append((kind, lambda seconds=seconds: loud.waits(low_seconds=seconds)))  # type: ignore[misc]
        turns += [
            (f"{kind} {name}", lambda peer=peer, seconds=seconds: _peer(peer, loud.sizes, seconds))  # type: ignore[misc]
            for name, peer in peers.items()
        ]
    return turns


def _peer(peer: StockLanes, sizes: Sizes, seconds: float) -> list[float]:
    return peer.waits(sizes.urgent, sizes.urgent_pause, threads=sizes.idle_threads, low_seconds=seconds)


def _findings(found: dict[str, Waits], wanted: frozenset[str]) -> list[Finding]:
    findings = []
    for kind in sorted(wanted):
        others = {"P6": ("calm", "dramatiq", "celery"), "P7": ("dramatiq", "celery")}[kind]
        for other in others:
            peer = found["calm"] if other == "calm" else found[f"{kind} {other}"]
            pairs = Pairs((_pooled(found[kind]),), (_pooled(peer),))
            extra = {"ours_ms": _parts(found[kind]), "peer_ms": _parts(peer)}
            findings.append(Finding(target=TARGETS[f"{kind} {other}"], pairs=pairs, extra=extra))
    return findings


def _pooled(waits: Waits) -> float:
    return percentile([one for some in waits for one in some], 0.99)


def _parts(waits: Waits) -> list[dict[str, float]]:
    """Of each round, so that one bad one is seen."""
    return [
        {"p50": percentile(some, 0.5), "p99": percentile(some, 0.99), "max": max(some), "waits": len(some)}
        for some in waits
    ]
