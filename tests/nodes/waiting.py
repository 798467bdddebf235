"""Waiting for a condition with a deadline, never for a length of time."""

import threading
import time
from collections.abc import Callable


def wait_until(condition: Callable[[], object], timeout: float = 60, what: str = "the condition") -> None:
    """Return as soon as `condition()` is true; `AssertionError` after `timeout` seconds.

    `what` names what was awaited, so that the failure can be read without the code.
    """
    deadline = time.monotonic() + timeout
    pause = threading.Event()
    while not condition():
        if time.monotonic() >= deadline:
            raise AssertionError(f"waited {timeout:g} s in vain for {what}")
        pause.wait(0.01)
