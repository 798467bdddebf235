"""What the kernel says of processes that are nobody's children here, or have been left behind (proc(5))."""

import os
import signal
from pathlib import Path

#: Positions in /proc/PID/stat after the command's name.
_STATE, _GROUP, _EXIT_CODE = 0, 2, 49


def group(leader: int) -> set[int]:
    """The living processes of a process group; a zombie does not live."""
    found = set()
    for pid in (int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()):
        fields = _stat(pid)
        if fields and int(fields[_GROUP]) == leader and fields[_STATE] not in "ZX":
            found.add(pid)
    return found


def lives(pid: int) -> bool:
    """Whether it runs (or is stopped), and is not a zombie."""
    fields = _stat(pid)
    return bool(fields) and fields[_STATE] not in "ZX"


def ended_by(pid: int) -> signal.Signals | None:
    """The signal that ended a process nobody has waited for yet; None if it lives, or left otherwise."""
    fields = _stat(pid)
    if not fields or fields[_STATE] != "Z":
        return None
    status = int(fields[_EXIT_CODE])
    return signal.Signals(os.WTERMSIG(status)) if os.WIFSIGNALED(status) else None


def _stat(pid: int) -> list[str]:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return []
    return text.rpartition(")")[2].split()
