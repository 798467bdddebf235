"""P1 and P2: single durable accepts, beside a server that keeps nothing and a queue's confirmed send."""

import time
from dataclasses import dataclass
from typing import Any

from benchmarks import split
from benchmarks.bodies import SEED
from benchmarks.checks import same
from benchmarks.drain import servers
from benchmarks.figures import Finding, Pairs
from benchmarks.peers.dramatiq_stock import DramatiqStock
from benchmarks.service import Service
from benchmarks.sizes import Sizes
from benchmarks.split import Part
from benchmarks.stage import Stage
from benchmarks.targets import TARGETS
from tests.nodes.ports import free_port, is_free

IDS = ("P1", "P2")


@dataclass(frozen=True, slots=True)
class _Side:
    """Everything that runs for the length of the scenario."""

    stage: Stage
    sizes: Sizes
    service: Service
    door: int
    parts: list[Part]
    bare: int
    dramatiq: DramatiqStock


def run(stage: Stage, sizes: Sizes, wanted: frozenset[str]) -> list[Finding]:
    """In each round ours, then the peers that are wanted."""
    service, dramatiq, bare = Service(stage, "accepts"), DramatiqStock(stage, "accepts-peer"), free_port()
    with service.door() as (door, process), stage.running("benchmarks.peers.bare_http", str(bare)) as server:
        server.wait_ready(lambda: not is_free(bare), 30)
        parts = [Part("http", (process.pid,)), *servers(stage)]
        side = _Side(stage, sizes, service, door, parts, bare, dramatiq)
        return _rounds(side, wanted)


def _rounds(side: _Side, wanted: frozenset[str]) -> list[Finding]:
    _ours(side, SEED - 1, side.sizes.accepts // 5)
    samples: dict[str, list[float]] = {"ours": [], "P1": [], "P2": []}
    latencies, cpu = [], []
    for number in range(side.sizes.rounds):
        side.stage.say(f"accepts: round {number + 1} of {side.sizes.rounds}")
        rate, latency, taken = _ours(side, SEED + number, side.sizes.accepts)
        cpu.append(taken)
        samples["ours"].append(rate)
        latencies.append(latency)
        if "P1" in wanted:
            samples["P1"].append(_bare(side, SEED + number))
        if "P2" in wanted:
            samples["P2"].append(side.dramatiq.confirmed_sends(side.sizes.sends))
    ours, extra = tuple(samples["ours"]), {"answer_ms": latencies, "cpu_us": split.medians(cpu)}
    return [
        Finding(target=TARGETS[name], pairs=Pairs(ours, tuple(samples[name])), extra=extra)
        for name in IDS
        if name in wanted
    ]


def _ours(side: _Side, seed: int, count: int) -> tuple[float, dict[str, float], dict[str, float]]:
    """Accepts a second, until the last is published, the wait for an answer, and CPU µs of each part for one."""
    side.service.reset()
    before = split.read(side.parts)
    found = _load(side, side.door, side.service.key, seed, count)
    ended = time.perf_counter()
    side.service.wait_published()
    seconds = found["seconds"] + (time.perf_counter() - ended)
    taken = split.microseconds(before, split.read(side.parts), count)
    same("refusals", found["refusals"], {})
    same("answers of 202", found["answers"], {"202": count})
    same("rows kept", side.service.number("SELECT count(*) FROM notifications"), count)
    same("messages in the lanes", side.service.ready_messages(), count)
    return count / seconds, {"p50": found["p50_ms"], "p99": found["p99_ms"]}, taken


def _bare(side: _Side, seed: int) -> float:
    count = side.sizes.bare_accepts
    found = _load(side, side.bare, "none", seed, count)
    same("the bare peer's answers", found["answers"], {"202": count})
    return float(count / found["seconds"])


def _load(side: _Side, port: int, key: str, seed: int, count: int) -> Any:
    return side.stage.ask(
        "benchmarks.load_client",
        f"--port={port}",
        f"--connections={side.sizes.connections}",
        f"--count={count}",
        f"--seed={seed}",
        f"--key={key}",
    )
