"""Whether the processes of a launch live and are ready, by what each last said in the launch's directory.

Nobody is asked: a probe must not wait for a process that hangs, nor fail for a database that is away. Moments
are of the machine's monotonic clock, which all its processes share.
"""

import os
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec

from notifier.telemetry.parents import lives

#: Seconds after which a process that says nothing counts as hanging; it speaks once a second.
SILENT = 15.0
#: Seconds that a launch may take until its first worker speaks.
STARTING = 60.0
_NAME = "state_{}.json"


class State(msgspec.Struct, frozen=True, kw_only=True):
    """What one process said; `at` is when. `stage` is ``starting``, ``running`` or ``stopping``.

    `stalled` is for how many seconds nothing has started or ended though there is work, `patience` how many
    are too many.
    """

    role: str
    pid: int
    at: float
    stage: str = "running"
    threads: int = 0
    threads_alive: int = 0
    consumers: int = 0
    consumers_alive: int = 0
    parts_ended: tuple[str, ...] = ()
    stalled: float = 0.0
    patience: float = 3600.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """`good`, or what is wrong, each in a few words."""

    wrong: tuple[str, ...] = ()

    @property
    def good(self) -> bool:
        """Whether nothing is wrong."""
        return not self.wrong


def say(folder: Path, state: State) -> None:
    """Write what this process says, in one move."""
    path = folder / _NAME.format(state.pid)
    beside = path.with_suffix(".new")
    beside.write_bytes(msgspec.json.encode(state))
    beside.replace(path)


def said(folder: Path) -> list[State]:
    """What the living processes last said; the words of dead ones are removed."""
    found = []
    for path in sorted(folder.glob(_NAME.format("*"))):
        try:
            state = msgspec.json.decode(path.read_bytes(), type=State)
        except (OSError, msgspec.DecodeError):
            continue
        if lives(state.pid):
            found.append(state)
        else:
            path.unlink(missing_ok=True)
    return found


def alive(states: list[State], now: float, began: float) -> Verdict:
    """Whether the workers live: each speaks, has its threads, and gets on with its work.

    `began` is when the launch did.
    """
    workers = [one for one in states if one.role == "worker"]
    wrong = [] if workers or now - began < STARTING else ["no worker"]
    for one in workers:
        wrong += [f"worker {one.pid}: {word}" for word in _faults(one, now)]
    return Verdict(tuple(wrong))


def _faults(one: State, now: float) -> list[str]:
    if now - one.at > SILENT:
        return ["silent"]
    # While it starts or stops threads are missing on purpose.
    running = one.stage == "running"
    found = [f"{part} ended" for part in one.parts_ended]
    if running and one.threads_alive < one.threads:
        found.append(f"{one.threads_alive} of {one.threads} threads")
    if running and one.consumers_alive < one.consumers:
        found.append(f"{one.consumers_alive} of {one.consumers} consumers")
    if one.stalled > one.patience:
        found.append("no progress")
    return found


def ready(states: list[State], now: float, began: float) -> Verdict:
    """Whether every worker takes messages."""
    workers = [one for one in states if one.role == "worker"]
    wrong = [f"worker {one.pid}: {one.stage}" for one in workers if one.stage != "running"]
    if not workers:
        wrong.append("no worker")
    return Verdict((*alive(states, now, began).wrong, *wrong))


def own_state(role: str) -> State:
    """This process's, of now."""
    return State(role=role, pid=os.getpid(), at=time.monotonic())
