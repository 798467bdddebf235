"""One request at a time over one connection, with pauses: a caller with patience.

Prints ``[[id, begun_ns, answered_ns], …]`` by the monotonic clock, which all processes of a machine share.
"""

import argparse
import json
import random
import sys
import time
from http import HTTPStatus

from benchmarks import bodies
from benchmarks.http_connection import HttpConnection, request_bytes


def main() -> None:
    """Make the requests, then send them."""
    parser = argparse.ArgumentParser()
    for name in ("port", "count", "seed"):
        parser.add_argument(f"--{name}", type=int, default=0)
    parser.add_argument("--pause", type=float, nargs=2)
    parser.add_argument("--key", default="none")
    parser.add_argument("--lanes", type=bodies.lanes_named, default=bodies.lanes_named(""))
    asked = parser.parse_args()
    made = bodies.singles(asked.count, asked.seed, asked.lanes)
    requests = [request_bytes("/v1/notifications", asked.key, body) for body in made]
    connection, dice = HttpConnection(asked.port), random.Random(asked.seed)
    sent = []
    for request in requests:
        time.sleep(dice.uniform(*asked.pause))
        begun = time.monotonic_ns()
        connection.send(request)
        status, body = connection.answer()
        answered = time.monotonic_ns()
        if status != HTTPStatus.ACCEPTED:
            raise SystemExit(f"{status}: {body.decode()}")
        sent.append([json.loads(body)["id"], begun, answered])
    json.dump(sent, sys.stdout)


if __name__ == "__main__":
    main()
