"""`dramatiq benchmarks.plain_lanes`: the scheduler in an application that has nothing else, on the stock broker.

`python -m benchmarks.plain_lanes COUNT` puts messages there.
"""

import os
import sys
import time

import dramatiq
from dramatiq.brokers.rabbitmq import RabbitmqBroker

from benchmarks import calls
from benchmarks.calls import CallWriter
from notifier.scheduling.middleware import LaneScheduling

QUEUE = "bench_busy"
_calls = CallWriter()

broker = RabbitmqBroker(url=os.environ["BENCHMARK_BROKER_URL"])
broker.add_middleware(LaneScheduling())
dramatiq.set_broker(broker)


@dramatiq.actor(queue_name=QUEUE, rank="low")
def busy(number: int) -> None:
    """Tell of it, and take its time."""
    _calls.called(str(number))
    time.sleep(calls.seconds("busy"))


if __name__ == "__main__":
    for each in range(int(sys.argv[1])):
        busy.send(each)
