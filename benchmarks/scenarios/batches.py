"""P3: batches over HTTP, beside a bare insert of the very rows that they became."""

import time
from typing import Any

from benchmarks import split
from benchmarks.bodies import SEED
from benchmarks.checks import same
from benchmarks.drain import servers
from benchmarks.figures import Finding, Pairs
from benchmarks.service import Service
from benchmarks.sizes import Sizes
from benchmarks.split import Part
from benchmarks.stage import Stage, plain
from benchmarks.targets import TARGETS

IDS = ("P3",)
_ROWS = "SELECT count(*) FROM notifications"
#: What a row takes with its indexes, whether the table is in one piece or in partitions.
_BYTES = "SELECT sum(pg_total_relation_size(relid)) FROM pg_partition_tree('notifications')"


def run(stage: Stage, sizes: Sizes, wanted: frozenset[str]) -> list[Finding]:
    """In each round ours fills its table, then the peer fills a twin with the same rows."""
    service, twin = Service(stage, "batches"), Service(stage, "batches-peer")
    ours, peer, latencies, cpu, row_bytes = [], [], [], [], 0.0
    with service.door() as (door, process):
        parts = [Part("http", (process.pid,)), *servers(stage)]
        _ours(stage, sizes, service, door, parts, 0)
        for number in range(sizes.rounds):
            stage.say(f"batches: round {number + 1} of {sizes.rounds}")
            rate, latency, taken = _ours(stage, sizes, service, door, parts, number)
            cpu.append(taken)
            ours.append(rate)
            latencies.append(latency)
            row_bytes = service.number(_BYTES) / (sizes.batches * sizes.batch)
            peer.append(_peer(stage, sizes, service, twin))
    pairs = Pairs(tuple(ours), tuple(peer))
    extra = {"answer_ms": latencies, "cpu_us": split.medians(cpu), "row_bytes": row_bytes}
    return [Finding(target=TARGETS["P3"], pairs=pairs, extra=extra)]


def _ours(
    stage: Stage, sizes: Sizes, service: Service, door: int, parts: list[Part], number: int
) -> tuple[float, Any, dict[str, float]]:
    """Rows a second, until the last is published, the wait for an answer, and CPU µs of each part for a row."""
    service.reset()
    before = split.read(parts)
    found = stage.ask(
        "benchmarks.load_client",
        "--path=/v1/notifications/batch",
        f"--port={door}",
        f"--connections={sizes.batch_connections}",
        f"--count={sizes.batches}",
        f"--batch={sizes.batch}",
        f"--seed={SEED + number}",
        f"--key={service.key}",
    )
    ended = time.perf_counter()
    service.wait_published()
    seconds = found["seconds"] + (time.perf_counter() - ended)
    rows = sizes.batches * sizes.batch
    taken = split.microseconds(before, split.read(parts), rows)
    same("refusals", found["refusals"], {})
    same("answers of 202", found["answers"], {"202": sizes.batches})
    same("rows kept", service.number(_ROWS), rows)
    same("messages in the lanes", service.ready_messages(), rows)
    return rows / seconds, {"p50": found["p50_ms"], "p99": found["p99_ms"]}, taken


def _peer(stage: Stage, sizes: Sizes, service: Service, twin: Service) -> float:
    twin.reset()
    found = stage.ask(
        "benchmarks.peers.bare_insert",
        f"--source={plain(service.database_url)}",
        f"--target={plain(twin.database_url)}",
        f"--batch={sizes.batch}",
    )
    same("the bare insert's rows", twin.number(_ROWS), sizes.batches * sizes.batch)
    return float(found["rows"] / found["seconds"])
