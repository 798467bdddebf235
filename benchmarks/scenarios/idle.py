"""P10: how long one message takes on an idle system, beside Dramatiq's."""

from pathlib import Path

from benchmarks import calls
from benchmarks.bodies import SEED
from benchmarks.checks import same
from benchmarks.figures import Finding, Pairs, percentile
from benchmarks.peers.dramatiq_stock import DramatiqStock
from benchmarks.service import Service
from benchmarks.sizes import Sizes
from benchmarks.stage import Stage
from benchmarks.targets import TARGETS
from tests.nodes.waiting import wait_until

IDS = ("P10",)
_PARTS = {"p50": 0.5, "p99": 0.99}


def run(stage: Stage, sizes: Sizes, wanted: frozenset[str]) -> list[Finding]:
    """Both systems stand by all the time; in each round first ours is called, then the peer."""
    service, dramatiq = Service(stage, "idle"), DramatiqStock(stage, "idle-peer")
    ledger = stage.folder / "idle.calls"
    ours: list[list[float]] = []
    peer: list[list[float]] = []
    accepted: list[list[float]] = []
    with (
        service.serving() as door,
        service.working(sizes.idle_threads, ledger),
        dramatiq.working(sizes.idle_threads),
    ):
        _waits(stage, sizes, service, door, ledger)
        dramatiq.waits(sizes.idle // 4, sizes.idle_pause)
        for number in range(sizes.rounds):
            stage.say(f"idle: round {number + 1} of {sizes.rounds}")
            begun, answered = _waits(stage, sizes, service, door, ledger)
            ours.append(begun)
            accepted.append(answered)
            peer.append(dramatiq.waits(sizes.idle, sizes.idle_pause))
    return [_finding(part, ours, peer, accepted) for part in _PARTS]


def _finding(
    part: str, ours: list[list[float]], peer: list[list[float]], accepted: list[list[float]]
) -> Finding:
    share = _PARTS[part]
    pairs = Pairs(
        tuple(percentile(waits, share) for waits in ours), tuple(percentile(waits, share) for waits in peer)
    )
    after = [percentile(waits, share) for waits in accepted]
    return Finding(target=TARGETS[f"P10 {part}"], pairs=pairs, extra={"ours_after_the_202_ms": after})


def _waits(
    stage: Stage, sizes: Sizes, service: Service, door: int, ledger: Path
) -> tuple[list[float], list[float]]:
    """Milliseconds until the provider's call: from the request's first byte, and from its answer."""
    ledger.write_bytes(b"")
    sent = stage.ask(
        "benchmarks.paced_client",
        f"--port={door}",
        f"--count={sizes.idle}",
        f"--seed={SEED}",
        f"--key={service.key}",
        "--pause",
        *map(str, sizes.idle_pause),
    )
    wait_until(lambda: calls.count(ledger) >= sizes.idle, 60, "the last provider call")
    found = calls.read(ledger)
    same("provider calls", len(found), sizes.idle)
    return (
        [(found[name] - begun) / 1e6 for name, begun, _ in sent],
        [(found[name] - answered) / 1e6 for name, _, answered in sent],
    )
