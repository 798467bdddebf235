"""Which process the CPU time went to: HTTP, worker, relay, RabbitMQ, PostgreSQL, the rest, and what stayed idle.

From Linux' ``/proc`` (proc(5)).
"""

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks import processor

_TICK = 1 / os.sysconf("SC_CLK_TCK")
#: A child may end between being listed and being read: then all is read again.
_TRIES = 5


@dataclass(frozen=True, slots=True)
class Part:
    """Processes with all that they started; `alone`: without what they started."""

    name: str
    pids: tuple[int, ...]
    alone: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """CPU seconds so far of each part, and idle ones of the whole machine, at a moment (seconds)."""

    at: float
    parts: Mapping[str, float]
    idle: float


def read(parts: Sequence[Part]) -> Reading:
    """As it stands now; `FileNotFoundError` or `ProcessLookupError` when a process of a part is gone."""
    for turn in range(_TRIES):
        try:
            found = {part.name: sum(_seconds(pid, part.alone) for pid in part.pids) for part in parts}
        except (FileNotFoundError, ProcessLookupError):
            if turn + 1 == _TRIES:
                raise
        else:
            break
    return Reading(time.monotonic(), found, idle_seconds(Path("/proc/stat").read_text()))


def _seconds(pid: int, alone: bool) -> float:
    return (
        sum(processor.fields(Path(f"/proc/{pid}/stat").read_text())[:2]) * _TICK
        if alone
        else processor.seconds(pid)
    )


def _fields(pid: int) -> list[int]:
    """The numbers after the state, ``ppid`` at 1; the name in brackets before them may hold anything."""
    rest = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return [0, *map(int, rest[1:])]


def idle_seconds(stat: str) -> float:
    """The ``idle`` and ``iowait`` of all CPUs together: fourth and fifth number of the first line of ``/proc/stat``."""
    return sum(int(one) for one in stat.partition("\n")[0].split()[4:6]) * _TICK


def launched(launcher: int, workers: int) -> list[Part]:
    """The parts of a `dramatiq` launch, which starts its workers first and its fork (the relay) after them."""
    listed = Path(f"/proc/{launcher}/task/{launcher}/children").read_text().split()
    children = sorted(map(int, listed), key=lambda pid: (_fields(pid)[19], pid))
    return [
        Part("worker", tuple(children[:workers])),
        Part("relay", tuple(children[workers:])),
        Part("launcher", (launcher,), alone=True),
    ]


def microseconds(before: Reading, after: Reading, number: int) -> dict[str, float]:
    """CPU time, in millionths of a second, that each part took for each of `number` notifications."""
    return {name: (after.parts[name] - before.parts[name]) / number * 1e6 for name in before.parts}


def cores(before: Reading, after: Reading, cpus: int) -> dict[str, float]:
    """How many cores each part kept busy; ``other`` is all else on the machine, ``idle`` what nobody used."""
    seconds = after.at - before.at
    found = {name: (after.parts[name] - before.parts[name]) / seconds for name in before.parts}
    idle = (after.idle - before.idle) / seconds
    return {**found, "other": max(0.0, cpus - idle - sum(found.values())), "idle": idle}


def medians(rounds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Of each part over all rounds."""
    return {name: median(one[name] for one in rounds) for name in rounds[0]}
