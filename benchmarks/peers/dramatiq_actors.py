"""Stock Dramatiq, as its manual sets it up: default middleware, one queue, an actor that does nothing.

`dramatiq benchmarks.peers.dramatiq_actors` consumes; `python -m … {send,pace} --count N` puts messages there
and prints what it measured.
"""

import argparse
import json
import os
import random
import sys
import time

import dramatiq
from dramatiq.brokers.rabbitmq import RabbitmqBroker

from benchmarks.calls import CallWriter

QUEUE = "bench"
_calls = CallWriter()

broker = RabbitmqBroker(
    url=os.environ["BENCHMARK_BROKER_URL"], confirm_delivery=os.environ.get("BENCHMARK_CONFIRMS") == "1"
)
dramatiq.set_broker(broker)


@dramatiq.actor(queue_name=QUEUE)
def nothing(number: int) -> None:
    """Only tell of it."""
    _calls.called(str(number))


def _send(count: int) -> dict[str, float]:
    """``{"seconds", "sent"}``; the first one connects and declares, and is not timed."""
    nothing.send(0)
    began = time.perf_counter()
    for number in range(1, count):
        nothing.send(number)
    return {"seconds": time.perf_counter() - began, "sent": count}


def _pace(count: int, seed: int, pause: list[float]) -> list[tuple[int, int]]:
    """``[[number, begun_ns], …]`` by the monotonic clock; the first one connects and is not told."""
    dice, begun = random.Random(seed), []
    nothing.send(0)
    for number in range(1, count):
        time.sleep(dice.uniform(*pause))
        begun.append((number, time.monotonic_ns()))
        nothing.send(number)
    return begun


def main() -> None:
    """Send, and print what was measured as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("how", choices=["send", "pace"])
    parser.add_argument("--count", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--pause", type=float, nargs=2)
    asked = parser.parse_args()
    found = _send(asked.count) if asked.how == "send" else _pace(asked.count, asked.seed, asked.pause)
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
