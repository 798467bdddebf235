"""Stock Dramatiq from outside: its sends, its drains, its wait on an idle system."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from benchmarks import calls
from benchmarks.bodies import SEED
from benchmarks.checks import same
from benchmarks.stage import Stage
from benchmarks.virtual_host import VirtualHost
from tests.nodes.waiting import wait_until

_PROGRAM = "benchmarks.peers.dramatiq_actors"
_QUEUE = "bench"
_DRAIN_SECONDS = 300.0


class DramatiqStock:
    """Its queue stands in a virtual host of its own."""

    def __init__(self, stage: Stage, name: str) -> None:
        self._stage = stage
        self._broker = VirtualHost(stage, name)
        self._environment = {"BENCHMARK_BROKER_URL": self._broker.url}
        self._ledger = stage.folder / f"{name}.calls"

    def confirmed_sends(self, count: int) -> float:
        """Sends a second of one thread, each waiting for its confirm."""
        self._broker.purge(_QUEUE)
        environment = self._environment | {"BENCHMARK_CONFIRMS": "1"}
        found = self._stage.ask(_PROGRAM, "send", f"--count={count}", **environment)
        same("Dramatiq's messages", self._broker.ready_messages(_QUEUE), count)
        return float((count - 1) / found["seconds"])

    def drain(self, count: int, threads: int) -> float:
        """Messages a second, from the first call to the last, by one process."""
        self._broker.purge(_QUEUE)
        self._stage.run(_PROGRAM, "send", f"--count={count}", **self._environment)
        self._ledger.unlink(missing_ok=True)
        with self.working(threads):
            wait_until(lambda: calls.count(self._ledger) >= count, _DRAIN_SECONDS, "Dramatiq's drain")
        same("messages left to Dramatiq", self._broker.ready_messages(_QUEUE), 0)
        found = calls.read(self._ledger)
        same("Dramatiq's calls", len(found), count)
        return calls.per_second(found)

    def waits(self, count: int, pause: tuple[float, float]) -> list[float]:
        """Milliseconds from each send to its actor's call; a worker must be running."""
        self._ledger.write_bytes(b"")
        pauses = ["--pause", *map(str, pause)]
        begun = self._stage.ask(
            _PROGRAM, "pace", f"--count={count}", f"--seed={SEED}", *pauses, **self._environment
        )
        wait_until(lambda: calls.count(self._ledger) >= count, 30, "Dramatiq's last call")
        found = calls.read(self._ledger)
        same("Dramatiq's calls", len(found), count)
        return [(found[str(number)] - moment) / 1e6 for number, moment in begun]

    @contextlib.contextmanager
    def working(self, threads: int) -> Iterator[Path]:
        """A worker process; gives its ledger of calls."""
        environment = self._environment | {"BENCHMARK_CALLS": str(self._ledger)}
        with self._stage.running("dramatiq", _PROGRAM, "-p", "1", "-t", str(threads), **environment):
            yield self._ledger
