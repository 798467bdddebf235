"""The work a message stands for: told to the parent when it starts, written down when it is done."""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from notifier.domain.ids import notification_id
from notifier.providers.captured import CapturedMessage


class Work:
    """`do(id)` either waits until the parent lets it go on (`hold`) or takes `seconds`.

    A line ``id worker monotonic-seconds`` in the ledger is the moment a provider would have accepted it.
    """

    def __init__(
        self, worker: str, ledger: Path, tell: Callable[..., None], *, hold: bool, seconds: float
    ) -> None:
        self._worker = worker
        self._ledger = os.open(ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self._tell = tell
        self._hold = hold
        self._seconds = seconds
        self._free: set[str] = set()
        self._changed = threading.Condition()

    def do(self, wanted: str) -> None:
        """Work on one message."""
        if self._hold:
            self._tell("started", wanted)
        with self._changed:
            if self._hold:
                self._changed.wait_for(lambda: not self._hold or wanted in self._free)
            else:
                # Nobody notifies before the time is up but `let_all`, whom a working thread needs not hear.
                self._changed.wait(self._seconds)
        os.write(self._ledger, f"{wanted} {self._worker} {time.monotonic()}\n".encode())

    def let(self, wanted: str) -> None:
        """This message may be finished."""
        with self._changed:
            self._free.add(wanted)
            self._changed.notify_all()

    def let_all(self) -> None:
        """From now on nothing is held."""
        with self._changed:
            self._hold = False
            self._changed.notify_all()


class WorkingProvider:
    """Stands where `notifier dev` keeps what its console provider was given: each send is a piece of work."""

    def __init__(self, work: Work) -> None:
        self._work = work

    def add(self, message: CapturedMessage) -> None:
        """A message was handed to the provider."""
        self._work.do(notification_id(message.outgoing.id))

    def messages(self) -> list[Any]:
        """Nothing is kept."""
        return []
