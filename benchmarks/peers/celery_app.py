"""Stock Celery with late acks and a task that does nothing; results are off.

`celery -A benchmarks.peers.celery_app worker` consumes; `python -m … COUNT` puts messages there.
"""

import os
import sys

from celery import Celery

from benchmarks.calls import CallWriter

QUEUE = "bench_celery"
app = Celery("bench", broker=os.environ["BENCHMARK_BROKER_URL"])
app.conf.update(task_acks_late=True, task_ignore_result=True, task_default_queue=QUEUE)
_calls = CallWriter()


@app.task(name="bench.nothing")  # type: ignore[untyped-decorator]
def nothing(number: int) -> None:
    """Only tell of it."""
    _calls.called(str(number))


if __name__ == "__main__":
    for each in range(int(sys.argv[1])):
        nothing.delay(each)
