"""A child that ends with its parent: a launcher killed with -9 leaves nobody behind."""

import ctypes
import os
import signal
import threading
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1
_LOOK_EVERY = 1.0


def end_with_parent(end: Callable[[], None]) -> None:
    """Have `end` called, once, as soon as this process's parent is gone; to be called in the main thread.

    On Linux the kernel says so (prctl(2), PR_SET_PDEATHSIG); elsewhere a thread watches the parent's id.
    """
    told = _Once(end, os.getppid())
    if not _ask_the_kernel(told):
        threading.Thread(target=_watch, args=(told,), name="parent-watch", daemon=True).start()
    else:
        # It may have died before the kernel was asked.
        told.look()


def lives(pid: int) -> bool:
    """Whether there is such a process (of whomever)."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


class _Once:
    """The kernel sends its signal for each *thread* of the parent that ends, so twice for one -9.

    Passed on as SIGTERM, the second would end a worker in the middle of its sends.
    """

    def __init__(self, end: Callable[[], None], parent: int) -> None:
        self._end = end
        self._parent = parent
        self.told = False

    def look(self, *_: object) -> None:
        """Call `end` if the parent is gone and it was not called before."""
        if not self.told and os.getppid() != self._parent:
            self.told = True
            self._end()


def _ask_the_kernel(told: _Once) -> bool:
    number = getattr(signal, "SIGRTMIN", None)  # one that nobody else sends
    if number is None:
        return False
    signal.signal(number, told.look)
    try:
        return bool(ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0) == 0)
    except (OSError, AttributeError):
        return False


def _watch(told: _Once) -> None:
    pause = threading.Event()
    while not told.told:
        told.look()
        pause.wait(_LOOK_EVERY)
