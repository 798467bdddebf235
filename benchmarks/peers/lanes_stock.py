"""Stock Dramatiq and Celery with two priorities, from outside: how long an urgent message waits there."""

import contextlib
from collections.abc import Callable, Sequence

from benchmarks import calls
from benchmarks.bodies import SEED
from benchmarks.checks import same
from benchmarks.stage import Stage
from benchmarks.virtual_host import VirtualHost
from tests.nodes.waiting import wait_until

_QUIET = ["--loglevel", "WARNING", "--without-gossip", "--without-mingle"]
_QUEUE = "bench_low"
#: Seconds for which a peer is waited for.
_PATIENCE = 60.0


class StockLanes:
    """One peer with its own virtual host; `command` starts its worker with so many threads."""

    def __init__(
        self, stage: Stage, name: str, program: str, command: Callable[[str, int], Sequence[str]]
    ) -> None:
        self._stage = stage
        self._program = program
        self._command = command
        self._broker = VirtualHost(stage, name)
        self._environment = {"BENCHMARK_BROKER_URL": self._broker.url}
        self._ledger = stage.folder / f"{name}.calls"
        self.name = name

    def fill(self, count: int) -> None:
        """Put so many low messages into its queue."""
        self._stage.run(self._program, "fill", f"--count={count}", **self._environment)
        with contextlib.suppress(
            AssertionError
        ):  # it sends without confirms: the last ones are still on their way
            wait_until(lambda: self._broker.ready_messages(_QUEUE) >= count, 30, "the low messages")
        same(f"{self.name}'s low messages", self._broker.ready_messages(_QUEUE), count)

    def waits(
        self, count: int, pause: tuple[float, float], *, threads: int, low_seconds: float
    ) -> list[float]:
        """Milliseconds from each urgent send to its call, while low calls take `low_seconds` each.

        What has not been called a minute after the last was sent counts as called then, which flatters the peer.
        """
        self._ledger.write_bytes(b"")
        told = {"BENCHMARK_CALLS": str(self._ledger), "BENCHMARK_SECONDS": f'{{"low": {low_seconds}}}'}
        command = self._command(self._program, threads)
        with self._stage.killed(*command, **self._environment, **told):
            wait_until(lambda: calls.count(self._ledger) >= threads, 60, f"{self.name}'s flood")
            pauses = ["--pause", *map(str, pause)]
            asked = ["pace", f"--count={count}", f"--seed={SEED}", *pauses]
            begun = self._stage.ask(self._program, *asked, **self._environment)
            with contextlib.suppress(AssertionError):
                wait_until(lambda: len(self._urgent()) >= count, _PATIENCE, "the last urgent call")
            found, now = self._urgent(), calls.now()
        return [(found.get(f"high-{number}", now) - moment) / 1e6 for number, moment in begun]

    def _urgent(self) -> dict[str, int]:
        return {name: at for name, at in calls.read(self._ledger).items() if name.startswith("high")}


def dramatiq_lanes(stage: Stage) -> StockLanes:
    """One process of Dramatiq."""
    return StockLanes(
        stage,
        "Dramatiq",
        "benchmarks.peers.lanes_dramatiq",
        lambda program, threads: ["dramatiq", program, "-p", "1", "-t", str(threads)],
    )


def celery_lanes(stage: Stage) -> StockLanes:
    """One process of Celery with a pool of threads."""
    return StockLanes(
        stage,
        "Celery",
        "benchmarks.peers.lanes_celery",
        lambda program, threads: [
            *("celery", "-A", program, "worker", "-Q", "bench_high,bench_low"),
            *("--pool", "threads", "--concurrency", str(threads), *_QUIET),
        ],
    )
