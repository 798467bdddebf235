"""A wall clock that is wrong by so many seconds, and may jump, for processes that are started with it.

By libfaketime, which stands between a process and the C library. Clocks that measure (monotonic) and
waits are left alone, as they are on a host whose clock is set.
"""

import atexit
import os
import re
from contextlib import suppress
from pathlib import Path

from tests.nodes import binaries

# libfaketime 0.9.10 takes the end of a sleep by the monotonic clock, which is how Python sleeps since
# 3.11, for one by the wall clock and refuses it as invalid. Python's other waits go other ways.
_SITE = '''"""Sleeps in a way that libfaketime leaves alone."""

import select
import time


def sleep(seconds):
    select.select([], [], [], seconds)


time.sleep = sleep
'''
_SHARED = Path("/dev/shm")


class SkewedClock:
    """One wrong clock; every process started with `environment()`, and its children, goes by it.

    `folder` is made if it is not there; it holds how wrong the clock is, which is at first not at all.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self._file = self._folder / "skew"
        self._library = binaries.find(binaries.FAKETIME)
        (self._folder / "site").mkdir(parents=True, exist_ok=True)
        (self._folder / "site" / "sitecustomize.py").write_text(_SITE)
        self.skew(0)
        _sweep()
        atexit.register(_sweep)

    def skew(self, seconds: float) -> None:
        """Have the clock be ahead of the truth by so much (behind, if negative); it is seen within a second."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{seconds:+.3f}\n")
        new.replace(self._file)

    def environment(self) -> dict[str, str]:
        """What to add to a process's environment."""
        paths = [str(self._folder / "site"), *filter(None, [os.environ.get("PYTHONPATH")])]
        return {
            "LD_PRELOAD": self._library,
            "PYTHONPATH": os.pathsep.join(paths),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "1",  # seconds until the file is looked at again
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_DONT_RESET": "1",  # a child's clock is as wrong as its parent's
            "NO_FAKE_STAT": "1",  # files keep the times that they have for everybody
        }


def _sweep() -> None:
    """Remove what killed processes left in shared memory: libfaketime names it by their ids.

    Their children do not need it: they have it open, and make their own for what they start.
    """
    for path in _SHARED.glob("*faketime_*"):
        found = re.fullmatch(r"(?:sem\.)?faketime_(?:sem|shm)_(\d+)", path.name)
        if found and not Path(f"/proc/{found[1]}").exists():
            with suppress(OSError):  # another user's, or gone meanwhile
                path.unlink()
