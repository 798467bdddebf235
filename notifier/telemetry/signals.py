"""Named signals that tests wait for instead of sleeping, and the points where a test lets a process die.

Parts are handed a `Signals` and a `CrashPoints`; with nobody listening and no point named, both cost a
look-up. The idea of the signals is River's (riverqueue/river, ``rivertest``).
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Self

#: Where NOTIFIER_CRASH_AT can let a process die (reliability.md, F21).
CRASH_POINTS = frozenset(
    {
        "before_commit",
        "after_commit",
        "after_publish",
        "after_confirm",
        "after_claim",
        "after_send",
        "after_store",
        "before_ack",
        "relay_after_update",
        "relay_mid_publish",
    }
)

Facts = Mapping[str, Any]


class Listener:
    """Keeps every emission of one signal since it was made, for any thread to wait on."""

    def __init__(self, name: str, detach: Callable[["Listener"], None]) -> None:
        self.name = name
        self._detach = detach
        self._unseen: list[Facts] = []
        self._changed = threading.Condition()

    def wait(self, timeout: float) -> Facts:
        """The facts of the next emission not yet waited for; `TimeoutError` after `timeout` seconds."""
        return self.wait_for(lambda _: True, timeout)

    def wait_for(self, predicate: Callable[[Facts], bool], timeout: float) -> Facts:
        """The first facts that satisfy `predicate`, already emitted or yet to come; others stay."""
        end = time.monotonic() + timeout
        with self._changed:
            checked = 0
            while True:
                for index in range(checked, len(self._unseen)):
                    if predicate(self._unseen[index]):
                        return self._unseen.pop(index)
                checked = len(self._unseen)
                if not self._changed.wait(end - time.monotonic()) and time.monotonic() >= end:
                    raise TimeoutError(f"no such signal {self.name!r} in {timeout:g} s ({checked} others)")

    def close(self) -> None:
        """Listen no longer."""
        self._detach(self)

    def _hear(self, facts: Facts) -> None:
        with self._changed:
            self._unseen.append(facts)
            self._changed.notify_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Signals:
    """A switchboard: parts emit what they have done, tests listen."""

    __slots__ = ("_listeners", "_lock")

    def __init__(self) -> None:
        # Replaced, never changed: `emit` reads it without a lock.
        self._listeners: Mapping[str, tuple[Listener, ...]] = {}
        self._lock = threading.Lock()

    def emit(self, name: str, **facts: Any) -> None:
        """Tell everyone who listens to `name`; nothing happens when nobody does."""
        listeners = self._listeners
        if not listeners:
            return
        for listener in listeners.get(name, ()):
            listener._hear(MappingProxyType(facts))  # noqa: SLF001 - two halves of one thing

    def listen(self, name: str) -> Listener:
        """A listener that keeps everything emitted as `name` from now on."""
        listener = Listener(name, self._detach)
        with self._lock:
            self._listeners = {**self._listeners, name: (*self._listeners.get(name, ()), listener)}
        return listener

    def _detach(self, listener: Listener) -> None:
        with self._lock:
            kept = tuple(one for one in self._listeners.get(listener.name, ()) if one is not listener)
            rest = {name: found for name, found in self._listeners.items() if name != listener.name}
            self._listeners = {**rest, listener.name: kept} if kept else rest


class CrashPoints:
    """Kills this process as -9 would, where the setting says; for tests of crashes only."""

    __slots__ = ("_at",)

    def __init__(self, at: str = "") -> None:
        self._at = at

    def reach(self, name: str) -> None:
        """Pass the point called `name`, or die there."""
        if self._at and name == self._at:
            os.kill(os.getpid(), signal.SIGKILL)
