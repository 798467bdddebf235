"""The installation without servers: one `notifier dev` on SQLite, and an SMTP server to send to."""

from pathlib import Path

from tests.acceptance.fleet import ready
from tests.nodes.ports import free_port
from tests.storms.kit.installation import Installation, Part


class Embedded(Installation):
    """One process that is door, relay and worker; killed, it is started again on the same file and port."""

    def __init__(self, folder: Path, *, threads: int = 8, **settings: str) -> None:
        super().__init__(
            folder,
            f"sqlite:///{folder / 'notifier.db'}",
            "embedded://",
            threads=threads,
            NOTIFIER_WORKER_THREADS=str(threads),
            **settings,
        )

    @property
    def dev(self) -> Part:
        """The one process."""
        return self.doors[0]

    def begin(self, **_: int) -> None:
        """Start it and its sink; return when it is whole."""
        self.migrate()
        self.start_sink()
        port = free_port()
        self.doors.append(self._part(("notifier", "dev", "--port", str(port)), {}, port))
        self.ports[:] = [port]
        self.wait_whole()

    def missing(self) -> list[str]:
        """What is not as configured (I7)."""
        if not self.dev.running or not ready(self.dev.port):
            return ["notifier dev does not answer"]
        mine = [process for process in self.beating("worker") if process.pid == self.dev.pid]
        return self._missing_threads(mine) if mine else ["its worker does not beat"]
