"""Erlang's name server: knows which port each RabbitMQ node takes its cluster's connections on."""

import os
import shutil
import signal
import socket
import tempfile
from pathlib import Path

from tests.nodes import binaries
from tests.nodes.ports import free_port
from tests.nodes.process import NodeError, ServerProcess, require_free

_READY_SECONDS = 10.0


class Epmd:
    """One epmd on 127.0.0.1, apart from the system's. `start()` of a running one does nothing."""

    def __init__(self, *, port: int | None = None, detached: bool = False) -> None:
        self.port = port or free_port()
        self._detached = detached
        self._process: ServerProcess | None = None

    @property
    def pid(self) -> int | None:
        """Its process id, None when this object did not start one that still runs."""
        return self._process.pid if self._process is not None and self._process.running else None

    def start(self) -> None:
        """Start it and return when it takes connections."""
        if self._process is not None and self._process.running:
            return
        require_free(self.port)
        folder = Path(tempfile.mkdtemp(prefix="notifier-epmd-"))
        self._process = ServerProcess(
            command=[binaries.find("epmd"), "-port", str(self.port), "-address", "127.0.0.1"],
            env={"PATH": os.environ.get("PATH", os.defpath)},
            cwd=Path("/"),
            log=folder / "epmd.log",
            folder=folder,
            detached=self._detached,
        )
        self._process.start()
        try:
            self._process.wait_ready(self.answers, _READY_SECONDS)
        except NodeError:
            self.stop()
            raise
        finally:
            # It says nothing after its start; the open file lives on without its name.
            shutil.rmtree(folder, ignore_errors=True)

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.end(signal.SIGTERM)
            self._process = None

    def answers(self) -> bool:
        """Whether it takes connections now."""
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True
