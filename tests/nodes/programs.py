"""Our programs as processes of their own, `python -m NAME …`, that need not import all their libraries.

That import costs more than most of what a test then asks of the program. So a process that has the libraries
(`nursery.py`) forks for each. Where it can't be the same, an ordinary process is started: for an environment that
tells the interpreter or the loader something, or without Linux's process descriptors.
"""

import array
import atexit
import functools
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

_ROOT = Path(__file__).parents[2]
_BORN_SECONDS = 120.0  # of a crowded machine
_TELLS_INTERPRETER = ("PYTHON", "LD_", "LC_", "LANG")

Stream = int | IO[Any] | None


class Program:
    """As much of `subprocess.Popen` as tests use, for a process that the nursery forked."""

    def __init__(self, teller: socket.socket, pid: int, stdout: IO[Any] | None, stderr: IO[Any] | None):
        self.pid = pid
        self.stdout, self.stderr = stdout, stderr
        self.returncode: int | None = None
        self._teller = teller
        self._lock = threading.Lock()

    def poll(self) -> int | None:
        """Its exit code (-N for a signal), None while it runs."""
        with self._lock:
            if self.returncode is None and _readable(self._teller, 0):
                said = self._teller.recv(16)
                self._teller.close()
                # Nothing: the nursery is gone, and nobody knows.
                self.returncode = int(said) if said else -int(signal.SIGKILL)
            return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code; `subprocess.TimeoutExpired` after `timeout` seconds."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            left = 1.0 if deadline is None else deadline - time.monotonic()
            if left <= 0:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
            try:
                _readable(self._teller, min(left, 1.0))
            except ValueError:
                continue  # another thread has heard it
        return code

    def send_signal(self, number: int) -> None:
        """Nothing to one that has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def communicate(self, timeout: float | None = None) -> tuple[Any, Any]:
        """All it writes to its pipes, and its end; `subprocess.TimeoutExpired` after `timeout` seconds."""
        found: dict[str, Any] = {}
        readers = [
            threading.Thread(target=_read, args=(found, name, stream), daemon=True)
            for name, stream in (("out", self.stdout), ("err", self.stderr))
            if stream is not None
        ]
        for reader in readers:
            reader.start()
        self.wait(timeout)
        for reader in readers:
            reader.join(timeout)
        return found.get("out"), found.get("err")


class _Nursery:
    """The process that forks, one for each process that starts programs."""

    def __init__(self) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.nodes.nursery", str(theirs.fileno())],
                cwd=_ROOT,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )

    def fork(self, order: Mapping[str, object], streams: tuple[int, int, int]) -> tuple[socket.socket, int]:
        """A program with these standard streams; its socket and its process id."""
        ours, theirs = socket.socketpair()
        fds = array.array("i", [theirs.fileno(), *streams])
        self._control.sendmsg([b"!"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])
        theirs.close()
        ours.sendall(json.dumps(order).encode() + b"\n")
        if not _readable(ours, _BORN_SECONDS):
            raise RuntimeError("the nursery does not answer")
        return ours, int(ours.recv(16))

    def close(self) -> None:
        """It ends, and what it forked goes on."""
        self._control.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:  # a fork of ours holds our end
            self._process.kill()
            self._process.wait()


def start(
    *arguments: str,
    cwd: Path,
    env: Mapping[str, str],
    stdout: Stream = subprocess.DEVNULL,
    stderr: Stream = subprocess.DEVNULL,
    text: bool = False,
) -> "Program | subprocess.Popen[Any]":
    """`python -m ARGUMENTS` as the leader of a session of its own, with nothing to read."""
    if not (hasattr(os, "pidfd_open") and _as_here(env)):
        return subprocess.Popen(
            [sys.executable, "-m", *arguments],
            cwd=cwd,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            text=text,
            start_new_session=True,
        )
    out, read_out = _stream(stdout, text)
    err, read_err = (out, None) if stderr == subprocess.STDOUT else _stream(stderr, text)
    nothing = os.open(os.devnull, os.O_RDONLY)
    order = {"arguments": arguments, "cwd": str(cwd), "env": dict(env)}
    try:
        teller, pid = _nursery().fork(order, (nothing, out, err))
    finally:
        for one in {nothing, out, err}:
            os.close(one)
    return Program(teller, pid, read_out, read_err)


def run(
    *arguments: str, cwd: Path, env: Mapping[str, str], timeout: float
) -> "subprocess.CompletedProcess[str]":
    """`start` to its end, with what it wrote; killed and `subprocess.TimeoutExpired` after `timeout` seconds."""
    pipe = subprocess.PIPE
    process = start(*arguments, cwd=cwd, env=env, stdout=pipe, stderr=pipe, text=True)
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    return subprocess.CompletedProcess(arguments, process.returncode or 0, out, err)


@functools.cache
def _nursery() -> _Nursery:
    made = _Nursery()
    atexit.register(made.close)
    return made


def _as_here(env: Mapping[str, str]) -> bool:
    """Whether the interpreter and the loader would be told what they were told here."""

    def told(names: Mapping[str, str]) -> dict[str, str]:
        return {name: value for name, value in names.items() if name.startswith(_TELLS_INTERPRETER)}

    return told(env) == told(os.environ)


def _stream(wanted: Stream, text: bool) -> tuple[int, IO[Any] | None]:
    """What the program writes to, and for a pipe what its words are read from."""
    if wanted == subprocess.PIPE:
        read, write = os.pipe()
        return write, os.fdopen(read, "r" if text else "rb")
    if wanted == subprocess.DEVNULL or wanted is None:
        return os.open(os.devnull, os.O_WRONLY), None
    return os.dup(wanted if isinstance(wanted, int) else wanted.fileno()), None


def _read(found: dict[str, Any], name: str, stream: IO[Any]) -> None:
    with stream:
        found[name] = stream.read()


def _readable(sock: socket.socket, seconds: float) -> bool:
    asked = select.poll()
    asked.register(sock, select.POLLIN)
    return bool(asked.poll(seconds * 1000))
