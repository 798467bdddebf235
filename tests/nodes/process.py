"""One server process with its log, and a guard that ends it when the test run dies.

The kernel's PR_SET_PDEATHSIG would not do: it fires when the *thread* that started the child ends.
So a small second process (`guard.py`) holds the other end of a pipe, and acts when the pipe closes.
"""

import os
import pwd
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict

from tests.nodes.ports import is_free
from tests.nodes.waiting import wait_until

_GUARD = Path(__file__).with_name("guard.py")


class NodeError(RuntimeError):
    """A node did not start; the message ends with the last lines of its log."""


@dataclass
class ServerProcess:
    """A server's command, its environment and where it writes.

    `abrupt` is the signal that ends it at once, leaving nothing behind. `user` is who it runs as
    (None: who we are). `folder` goes with the process when the run dies; None keeps it.
    `detached` servers outlive us and have no guard.
    """

    command: Sequence[str]
    env: Mapping[str, str]
    cwd: Path
    log: Path
    abrupt: signal.Signals = signal.SIGKILL
    user: str | None = None
    folder: Path | None = None
    detached: bool = False
    _process: "subprocess.Popen[bytes] | None" = field(default=None, init=False)
    _guard: "subprocess.Popen[bytes] | None" = field(default=None, init=False)

    @property
    def pid(self) -> int:
        """The process id; `NodeError` when it is not running."""
        if self._process is None:
            raise NodeError(f"{self.command[0]} is not running")
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it in its own session, so that a Ctrl-C meant for the tests does not reach it."""
        self._release_guard()  # of a server that ended by itself: the guard would take the folder along
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command,
                env=dict(self.env),
                cwd=self.cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **as_user(self.user),
            )
        if not self.detached:
            self._guard = start_guard(self.folder, self._process.pid, self.abrupt)

    def wait_ready(self, ready: Callable[[], bool], timeout: float) -> None:
        """Return when `ready()`; `NodeError` with the log's end when it dies or takes too long."""
        try:
            wait_until(lambda: not self.running or ready(), timeout, f"{self.command[0]} to be ready")
        except AssertionError as late:
            raise NodeError(f"{late}\n{self.log_tail()}") from None
        if not self.running:
            raise NodeError(f"{self.command[0]} ended while starting\n{self.log_tail()}")

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the server process."""
        if self.running:
            os.kill(self.pid, number)

    def end(self, how: signal.Signals, timeout: float = 30) -> None:
        """Signal it, wait until it is gone (after `timeout` seconds end it abruptly), free the guard."""
        if self._process is None:
            return
        self.send(signal.SIGCONT)  # a frozen process would not see the signal
        self.send(how)
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.send(signal.SIGKILL)
            self._process.wait(timeout)
        self._process = None
        self._release_guard()

    def log_tail(self, lines: int = 30) -> str:
        """The last lines it wrote."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def _release_guard(self) -> None:
        if self._guard is not None:
            self._guard.communicate(b"released")
            self._guard = None


def start_guard(
    folder: Path | None, pid: int = 0, how: signal.Signals = signal.SIGKILL
) -> "subprocess.Popen[bytes]":
    """What ends the server `pid` and removes `folder` when we die; any byte on its input lets it go."""
    command = [sys.executable, "-I", "-S", str(_GUARD), str(pid), str(int(how)), str(folder or "")]
    return subprocess.Popen(command, cwd="/", stdin=subprocess.PIPE, start_new_session=True)


def require_free(port: int) -> None:
    """`NodeError` when a stranger listens there: it would answer in the node's place."""
    if not is_free(port):
        raise NodeError(f"port {port} is taken by another process")


class AsUser(TypedDict, total=False):
    """The arguments of `subprocess` that name whom a command runs as."""

    user: str
    group: int
    extra_groups: list[int]


def as_user(user: str | None) -> AsUser:
    """Run a command as `user` with nothing but its own group (None: as ourselves)."""
    if user is None:
        return {}
    return {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}
