"""The other half of P8: one busy lane of a plain Dramatiq application with the scheduler in it."""

import itertools

from benchmarks import calls
from benchmarks.stage import Stage
from benchmarks.virtual_host import VirtualHost
from benchmarks.windows import SECOND
from tests.nodes.waiting import wait_until

_PROGRAM = "benchmarks.plain_lanes"
_QUEUE = "bench_busy"
_numbers = itertools.count(1)


def busy_lane(stage: Stage, count: int, threads: int, seconds: float, warm: float, span: float) -> float:
    """Calls a second in the `span` that begins `warm` seconds after the first."""
    broker = VirtualHost(stage, f"busy-{next(_numbers)}")
    environment = {"BENCHMARK_BROKER_URL": broker.url}
    stage.run(_PROGRAM, str(count), **environment)
    ledger = stage.folder / "busy.calls"
    ledger.unlink(missing_ok=True)
    told = {"BENCHMARK_CALLS": str(ledger), "BENCHMARK_SECONDS": f'{{"busy": {seconds}}}'}
    command = ["dramatiq", _PROGRAM, "-p", "1", "-t", str(threads)]
    with stage.killed(*command, **environment, **told):
        wait_until(lambda: calls.count(ledger) > 0, 60, "the first call")
        first = min(calls.read(ledger).values())
        wait_until(lambda: (calls.now() - first) / SECOND > warm + span, 180, "the end of the span")
    begin = first + int(warm * SECOND)
    end = begin + int(span * SECOND)
    broker.purge(_QUEUE)
    return sum(begin <= moment < end for moment in calls.read(ledger).values()) / span
