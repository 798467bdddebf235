"""The ledger of calls: a provider or an actor writes a line for each, the same way for ours and for peers.

One `write` to a file opened for appending is whole and in order, from any thread or process, and costs some
microseconds. All lines are equally long, so the file's size tells how many there are.
"""

import json
import os
import time
from pathlib import Path

_LINE = b"%-40s %020d\n"
LENGTH = len(_LINE % (b"", 0))


class CallWriter:
    """Appends to the file that BENCHMARK_CALLS names; without it nothing is written."""

    def __init__(self) -> None:
        name = os.environ.get("BENCHMARK_CALLS", os.devnull)
        self._file = os.open(name, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def called(self, name: str) -> None:
        """A call for `name` (at most 40 ASCII characters) has just arrived."""
        os.write(self._file, line(name, now()))

    def close(self) -> None:
        """Let go of the file; may be called again."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def seconds(name: str) -> float:
    """How long a call of this name (a channel, an actor) takes, by BENCHMARK_SECONDS (``{"email": 0.2}``)."""
    return float(json.loads(os.environ.get("BENCHMARK_SECONDS", "{}")).get(name, 0))


def now() -> int:
    """The clock of all moments: monotonic nanoseconds, the same in all processes of a machine."""
    return time.monotonic_ns()


def line(name: str, moment: int) -> bytes:
    """One line: who was called, and when in monotonic nanoseconds."""
    return _LINE % (name.encode(), moment)


def count(path: Path) -> int:
    """How many calls are written down."""
    return path.stat().st_size // LENGTH if path.exists() else 0


def read(path: Path) -> dict[str, int]:
    """The moment of each name's call; raises `ValueError` where one was called twice."""
    found: dict[str, int] = {}
    for row in path.read_text().splitlines():
        name, moment = row.split()
        if name in found:
            raise ValueError(f"{name} was called twice")
        found[name] = int(moment)
    return found


def per_second(found: dict[str, int]) -> float:
    """The rate from the first call to the last."""
    moments = sorted(found.values())
    return (len(moments) - 1) / ((moments[-1] - moments[0]) / 1e9)
