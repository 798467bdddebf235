"""A stream that never blocks its writers: a bounded queue and a thread before a slow pipe.

Under `dramatiq` stdout and stderr are a pipe that the launcher copies on; when that stalls, a plain
write would stop every worker thread. Here lines beyond the bound are dropped and counted.
"""

import os
import threading
import time
import weakref
from collections import deque
from multiprocessing import util
from typing import TextIO

_LIMIT = 10_000
#: Lines that one write takes at most: each write to the launcher's pipe wakes the launcher.
_AT_ONCE = 200
#: Seconds that a line waits for others.
_LINGER = 0.02
#: Seconds a process at its end waits for the pipe to take what is left.
_FLUSH = 2.0


_streams: "weakref.WeakSet[BoundedStream]" = weakref.WeakSet()


class BoundedStream:
    """Writes to `stream` from a thread of its own; at most `limit` lines wait. Survives a fork."""

    def __init__(self, stream: TextIO, limit: int = _LIMIT) -> None:
        self._stream = stream
        self._limit = limit
        #: Lines that were dropped since the process began: no room, or the stream refused them.
        self.dropped = 0
        self.renew()
        _streams.add(self)

    def write(self, text: str) -> int:
        """Queue `text`, one whole line or more; dropped when there is no room. Never blocks nor raises."""
        with self._changed:
            if len(self._waiting) >= self._limit:
                self.dropped += 1
            else:
                self._waiting.append(text)
                self._start()
                if len(self._waiting) == 1:
                    self._changed.notify()
        return len(text)

    def flush(self) -> None:
        """Nothing: the thread writes as soon as the pipe takes it."""

    def drain(self, timeout: float) -> bool:
        """Wait up to `timeout` seconds until everything queued is written; whether it is."""
        end = time.monotonic() + timeout
        with self._changed:
            while self._waiting or self._busy:
                left = end - time.monotonic()
                if left <= 0:
                    return False
                self._drained.wait(left)
        return True

    def isatty(self) -> bool:
        """Whether a person reads the stream itself."""
        return self._stream.isatty()

    @property
    def encoding(self) -> str:
        """The stream's encoding."""
        return self._stream.encoding or "utf-8"

    def renew(self) -> None:
        """Fresh lock, queue and thread: in a forked child the old ones are the parent's."""
        lock = threading.Lock()
        self._changed, self._drained = threading.Condition(lock), threading.Condition(lock)
        self._waiting: deque[str] = deque()
        self._busy = False
        self._thread: threading.Thread | None = None

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)
            self._thread.start()
            # Not atexit: a child of multiprocessing (as Dramatiq's are) leaves by os._exit and runs only these.
            util.Finalize(None, drain_all, exitpriority=10)

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._waiting:
                    self._changed.wait()
            # One that is awake already takes what comes meanwhile: waking it for each line costs more than the line.
            time.sleep(_LINGER)
            with self._changed:
                lines = [self._waiting.popleft() for _ in range(min(_AT_ONCE, len(self._waiting)))]
                self._busy = True
            written = self._put("".join(lines))
            with self._changed:
                self._busy = False
                self.dropped += 0 if written else len(lines)
                self._drained.notify_all()

    def _put(self, text: str) -> bool:
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):  # gone, full or closed: the work goes on without its log
            return False
        return True


def _renew_all() -> None:
    for stream in list(_streams):
        stream.renew()


def drain_all() -> None:
    """Wait briefly until everything queued in this process is written: for who leaves by `os._exit`."""
    end = time.monotonic() + _FLUSH
    for stream in list(_streams):
        stream.drain(max(0.0, end - time.monotonic()))


os.register_at_fork(after_in_child=_renew_all)
