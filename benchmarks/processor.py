"""CPU time of a process with its children, from Linux' ``/proc`` (proc(5))."""

import os
from pathlib import Path

_TICK = 1 / os.sysconf("SC_CLK_TCK")


def seconds(pid: int) -> float:
    """User and system time so far, of `pid` and of all that it has started and that still runs or was waited for."""
    own = fields(Path(f"/proc/{pid}/stat").read_text())
    children = [int(one) for task in Path(f"/proc/{pid}/task").iterdir() for one in _started(task)]
    return sum(own) * _TICK + sum(seconds(child) for child in children)


def _started(task: Path) -> list[str]:
    return (task / "children").read_text().split()


def fields(stat: str) -> list[int]:
    """utime, stime, cutime, cstime: the name in brackets before them may hold anything."""
    return [int(one) for one in stat.rpartition(") ")[2].split()[11:15]]
