"""Stock Celery with two priorities, as its manual says: a queue for each, late acks, one message ahead a thread.

`celery -A benchmarks.peers.lanes_celery worker -Q bench_high,bench_low` consumes.
"""

import os
import time

from celery import Celery

from benchmarks import calls
from benchmarks.calls import CallWriter
from benchmarks.peers import lanes_client

app = Celery("bench", broker=os.environ["BENCHMARK_BROKER_URL"])
app.conf.update(
    task_acks_late=True,
    task_ignore_result=True,
    worker_prefetch_multiplier=1,
    task_routes={"bench.high": {"queue": "bench_high"}, "bench.low": {"queue": "bench_low"}},
)
_calls = CallWriter()


@app.task(name="bench.high")  # type: ignore[untyped-decorator]
def high(number: int) -> None:
    """Only tell of it."""
    _calls.called(f"high-{number}")


@app.task(name="bench.low")  # type: ignore[untyped-decorator]
def low(number: int) -> None:
    """Tell of it, and take its time."""
    _calls.called(f"low-{number}")
    time.sleep(calls.seconds("low"))


if __name__ == "__main__":
    lanes_client.main(low.delay, high.delay)
