"""As many requests as a server takes over some connections: each sends its next when it has its answer.

A process of its own with one thread and epoll, so that it takes as little as can be of the cores that
the servers need. Prints ``{"seconds", "answers": {status: count}, "refusals": {reason: count}, "p50_ms", "p99_ms"}``.
"""

import argparse
import json
import select
import sys
import time
from collections import Counter
from collections.abc import Iterator
from http import HTTPStatus

from benchmarks import bodies
from benchmarks.figures import percentile
from benchmarks.http_connection import HttpConnection, request_bytes


class Load:
    """One run of `requests` over `connections`."""

    def __init__(self, port: int, requests: list[bytes], connections: int) -> None:
        self._left: Iterator[bytes] = iter(requests)
        self._number = len(requests)
        self._connections = {
            one.socket.fileno(): one for one in (HttpConnection(port) for _ in range(connections))
        }
        self._poll = select.epoll()
        for handle in self._connections:
            self._poll.register(handle, select.EPOLLIN)
        self._began: dict[int, float] = {}
        self.answers: Counter[int] = Counter()
        self.refusals: Counter[str] = Counter()
        self.latencies: list[float] = []

    def run(self) -> float:
        """Send all and wait for all answers; the seconds it took."""
        began = time.perf_counter()
        for handle in self._connections:
            self._next(handle)
        while len(self.latencies) < self._number:
            for handle, _ in self._poll.poll():
                answer = self._connections[handle].receive()
                if answer is not None:
                    self.latencies.append(time.perf_counter() - self._began[handle])
                    self._note(*answer)
                    self._next(handle)
        return time.perf_counter() - began

    def _note(self, status: int, body: bytes) -> None:
        self.answers[status] += 1
        if status >= HTTPStatus.BAD_REQUEST:
            self.refusals[refusal(status, body)] += 1

    def _next(self, handle: int) -> None:
        request = next(self._left, None)
        if request is not None:
            self._began[handle] = time.perf_counter()
            self._connections[handle].send(request)


def refusal(status: int, body: bytes) -> str:
    """What was said, without what makes each answer another one."""
    try:
        return f"{status} {json.loads(body)['code']}"
    except (ValueError, LookupError, TypeError):
        return str(status)


def main() -> None:
    """Make the requests, then send them."""
    parser = argparse.ArgumentParser()
    for name in ("port", "connections", "count", "seed", "batch"):
        parser.add_argument(f"--{name}", type=int, default=0)
    parser.add_argument("--path", default="/v1/notifications")
    parser.add_argument("--key", default="none")
    parser.add_argument("--lanes", type=bodies.lanes_named, default=bodies.lanes_named(""))
    asked = parser.parse_args()
    if asked.batch:
        made = bodies.batches(asked.count, asked.batch, asked.seed, asked.lanes)
    else:
        made = bodies.singles(asked.count, asked.seed, asked.lanes)
    load = Load(asked.port, [request_bytes(asked.path, asked.key, body) for body in made], asked.connections)
    seconds = load.run()
    answer = {
        "seconds": seconds,
        "answers": load.answers,
        "refusals": load.refusals,
        "p50_ms": percentile(load.latencies, 0.5) * 1000,
        "p99_ms": percentile(load.latencies, 0.99) * 1000,
    }
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
