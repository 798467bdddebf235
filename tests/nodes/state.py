"""What `make services` remembers between its calls: ports, secrets and the processes it started."""

import contextlib
import json
import os
import secrets
import signal
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.nodes.ports import free_port, is_free
from tests.nodes.waiting import wait_until


@dataclass(frozen=True)
class Mark:
    """A process: its id and when it started (clock ticks since boot), so that no heir of the id is meant."""

    pid: int
    started: int

    @classmethod
    def of(cls, pid: int) -> "Mark":
        """The mark of a process that runs now."""
        return cls(pid, _start_of(pid) or 0)

    @property
    def lives(self) -> bool:
        """Whether this very process still runs."""
        return self.started != 0 and _start_of(self.pid) == self.started

    def end(self, how: signal.Signals, timeout: float = 30) -> None:
        """Signal it and wait until it is gone; after `timeout` seconds kill it."""
        if not self.lives:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, how)
        try:
            wait_until(lambda: not self.lives, timeout, f"process {self.pid} to end")
        except AssertionError:
            if self.lives:
                os.kill(self.pid, signal.SIGKILL)
            wait_until(lambda: not self.lives, timeout, f"process {self.pid} to be killed")


@dataclass
class State:
    """Everything remembered. The data were made under these secrets, so they last as long as the data."""

    postgres_folder: str
    postgres_port: int = field(default_factory=free_port)
    amqp_port: int = field(default_factory=free_port)
    epmd_port: int = field(default_factory=free_port)
    postgres_password: str = field(default_factory=lambda: secrets.token_hex(16))
    amqp_user: str = field(default_factory=lambda: f"notifier-{secrets.token_hex(4)}")
    amqp_password: str = field(default_factory=lambda: secrets.token_hex(16))
    marks: dict[str, Mark] = field(default_factory=dict)

    def lives(self, server: str) -> bool:
        """Whether the server we started under this name still runs."""
        return server in self.marks and self.marks[server].lives

    def free_port_for(self, server: str, port: int) -> int:
        """The remembered port, or another one when a stranger listens there by now."""
        return port if self.lives(server) or is_free(port) else free_port()

    def save(self, path: Path) -> None:
        """Write it whole or not at all, readable by its owner only."""
        draft = path.with_suffix(".new")
        draft.unlink(missing_ok=True)
        draft.touch(mode=0o600)
        draft.write_text(json.dumps(asdict(self), indent=2) + "\n")
        draft.replace(path)

    @classmethod
    def load(cls, path: Path) -> "State | None":
        """What was saved, None when nothing was."""
        if not path.exists():
            return None
        kept = json.loads(path.read_text())
        kept["marks"] = {server: Mark(**mark) for server, mark in kept["marks"].items()}
        return cls(**kept)


def _start_of(pid: int) -> int | None:
    """The start time of a process (proc(5): stat, field 22); None when it is gone or a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()  # the name before may hold spaces and brackets
    return None if fields[0] in {"Z", "X"} else int(fields[19])
