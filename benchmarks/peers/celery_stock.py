"""Stock Celery from outside: its drains by threads and by processes."""

from collections.abc import Sequence

from benchmarks import calls
from benchmarks.checks import same
from benchmarks.stage import Stage
from benchmarks.virtual_host import VirtualHost
from tests.nodes.waiting import wait_until

_PROGRAM = "benchmarks.peers.celery_app"
_QUEUE = "bench_celery"
_DRAIN_SECONDS = 300.0
_PREFORK = 2


class CeleryStock:
    """Its queue stands in a virtual host of its own."""

    def __init__(self, stage: Stage, name: str) -> None:
        self._stage = stage
        self._broker = VirtualHost(stage, name)
        self._environment = {"BENCHMARK_BROKER_URL": self._broker.url}
        self._ledger = stage.folder / f"{name}.calls"

    def drains(self, count: int, threads: Sequence[int]) -> dict[str, float]:
        """The rate with each number of threads, and with processes."""
        found = {f"threads {number}": self.drain(count, "threads", number) for number in threads}
        return found | {"prefork": self.drain(count, "prefork", _PREFORK)}

    def drain(self, count: int, pool: str, concurrency: int) -> float:
        """Messages a second, from the first call to the last; `pool` is ``threads`` or ``prefork``."""
        self._broker.purge(_QUEUE)
        self._stage.run(_PROGRAM, str(count), **self._environment)
        self._ledger.unlink(missing_ok=True)
        arguments = ["-A", _PROGRAM, "worker", "--pool", pool, "--concurrency", str(concurrency)]
        quiet = ["--loglevel", "WARNING", "--without-gossip", "--without-mingle"]
        environment = self._environment | {"BENCHMARK_CALLS": str(self._ledger)}
        with self._stage.running("celery", *arguments, *quiet, **environment):
            wait_until(lambda: calls.count(self._ledger) >= count, _DRAIN_SECONDS, "Celery's drain")
        same("messages left to Celery", self._broker.ready_messages(_QUEUE), 0)
        found = calls.read(self._ledger)
        same("Celery's calls", len(found), count)
        return calls.per_second(found)
