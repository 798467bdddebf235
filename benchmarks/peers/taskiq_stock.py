"""Stock taskiq from outside: its drains by one process and by two, each an event loop."""

from benchmarks import calls
from benchmarks.checks import same
from benchmarks.stage import Stage
from benchmarks.virtual_host import VirtualHost
from tests.nodes.waiting import wait_until

_PROGRAM = "benchmarks.peers.taskiq_app"
_QUEUE = "taskiq"
_DRAIN_SECONDS = 300.0
_PROCESSES = (1, 2)


class TaskiqStock:
    """Its queue stands in a virtual host of its own."""

    def __init__(self, stage: Stage, name: str) -> None:
        self._stage = stage
        self._broker = VirtualHost(stage, name)
        self._environment = {"BENCHMARK_BROKER_URL": self._broker.url}
        self._ledger = stage.folder / f"{name}.calls"

    def drains(self, count: int) -> dict[str, float]:
        """The rate with each number of processes."""
        return {f"processes {number}": self.drain(count, number) for number in _PROCESSES}

    def drain(self, count: int, processes: int) -> float:
        """Messages a second, from the first call to the last."""
        self._broker.purge(_QUEUE)
        self._stage.run(_PROGRAM, str(count), **self._environment)
        self._ledger.unlink(missing_ok=True)
        arguments = ["worker", f"{_PROGRAM}:broker", "--workers", str(processes), "--log-level", "WARNING"]
        environment = self._environment | {"BENCHMARK_CALLS": str(self._ledger)}
        with self._stage.running("taskiq", *arguments, **environment):
            wait_until(lambda: calls.count(self._ledger) >= count, _DRAIN_SECONDS, "taskiq's drain")
        same("messages left to taskiq", self._broker.ready_messages(_QUEUE), 0)
        found = calls.read(self._ledger)
        same("taskiq's calls", len(found), count)
        return calls.per_second(found)
