"""Stock Dramatiq with two priorities, as its manual says: a queue for each, the urgent actor's number is lower.

`dramatiq benchmarks.peers.lanes_dramatiq` consumes; `python -m … {fill,pace} --count N` puts messages there.
"""

import os
import time

import dramatiq
from dramatiq.brokers.rabbitmq import RabbitmqBroker

from benchmarks import calls
from benchmarks.calls import CallWriter
from benchmarks.peers import lanes_client

_calls = CallWriter()

broker = RabbitmqBroker(url=os.environ["BENCHMARK_BROKER_URL"])
dramatiq.set_broker(broker)


@dramatiq.actor(queue_name="bench_high", priority=0)
def high(number: int) -> None:
    """Only tell of it."""
    _calls.called(f"high-{number}")


@dramatiq.actor(queue_name="bench_low", priority=100)
def low(number: int) -> None:
    """Tell of it, and take its time."""
    _calls.called(f"low-{number}")
    time.sleep(calls.seconds("low"))


if __name__ == "__main__":
    lanes_client.main(low.send, high.send)
