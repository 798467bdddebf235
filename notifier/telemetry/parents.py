"""A child that ends with its parent: a launcher killed with -9 leaves nobody behind."""

import ctypes
import os
import signal
import threading
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1
_LOOK_EVERY = 1.0


def end_with_parent(end: Callable[[], None]) -> None:
    """Have this process told once that its parent is gone.

    On Linux the kernel sends SIGTERM at once (prctl(2), PR_SET_PDEATHSIG), so the process's own handler
    does it; elsewhere a thread watches for a changed parent id and calls `end`.
    """
    parent = os.getppid()
    if not _ask_the_kernel():
        threading.Thread(target=_watch, args=(parent, end), name="parent-watch", daemon=True).start()
    elif os.getppid() != parent:
        # It died before the kernel was asked.
        end()


def _ask_the_kernel() -> bool:
    try:
        return bool(ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0) == 0)
    except (OSError, AttributeError):
        return False


def _watch(parent: int, end: Callable[[], None]) -> None:
    pause = threading.Event()
    while os.getppid() == parent:
        pause.wait(_LOOK_EVERY)
    end()
