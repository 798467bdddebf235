"""A private RabbitMQ server, with its own name server (epmd), cookie and folders."""

import contextlib
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

from tests.nodes import binaries
from tests.nodes.epmd import Epmd
from tests.nodes.ports import free_port
from tests.nodes.process import NodeError, ServerProcess, require_free
from tests.nodes.rabbitmq_admin import RabbitmqAdmin
from tests.nodes.rabbitmq_settings import RabbitmqSettings
from tests.nodes.waiting import wait_until

_READY_SECONDS = 180.0  # of a crowded machine; one that ends while starting is noticed at once
_COMMAND_SECONDS = 60.0
_AMQP_HEADER = b"AMQP\x00\x00\x09\x01"  # AMQP 0-9-1, 4.2.2
_METHOD_FRAME = b"\x01"


class RabbitmqNode(RabbitmqAdmin):
    """One server on 127.0.0.1; `url` is its AMQP address.

    Without `folder` a temporary one is made, and removed by `stop()`; a given folder is kept, and what
    it holds is used again. For a cluster give the nodes different names, one cookie and one `epmd`
    (which the caller then stops), and for a cluster that joins by itself each the names of all its
    nodes as `joins`: see `cluster.py`. `detached`: the server outlives this process.
    """

    def __init__(
        self,
        *,
        name: str = "notifier",
        folder: Path | None = None,
        port: int | None = None,
        user: str = "guest",
        password: str = "guest",
        cookie: str | None = None,
        epmd: Epmd | None = None,
        joins: tuple[str, ...] = (),
        detached: bool = False,
    ) -> None:
        self._owned = folder is None
        self._frozen = False
        self.folder = folder or Path(tempfile.mkdtemp(prefix="notifier-rabbitmq-"))
        self.name = f"{name}@localhost"
        self.port = port or free_port()
        self._owns_epmd = epmd is None
        self.epmd = epmd or Epmd(detached=detached)
        self._user, self._password = user, password
        self._settings = RabbitmqSettings(
            node=self.name,
            folder=self.folder,
            port=self.port,
            epmd_port=self.epmd.port,
            user=user,
            password=password,
            cookie=cookie or secrets.token_hex(16),
            joins=joins,
        )
        self._process = ServerProcess(
            command=[binaries.find("rabbitmq-server")],
            env=self._settings.server_environment(),
            cwd=self.folder,
            log=self.folder / "rabbitmq.log",
            folder=self.folder if self._owned else None,
            detached=detached,
        )

    @property
    def url(self) -> str:
        """The AMQP URL of the default virtual host."""
        return self.vhost_url("%2F")

    @property
    def pid(self) -> int:
        """The Erlang machine's process id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the server process lives (frozen or not)."""
        return self._process.running

    @property
    def lives(self) -> bool:
        """Whether it runs and is not frozen."""
        return self.running and not self._frozen

    def vhost_url(self, vhost: str) -> str:
        """The AMQP URL of one virtual host, its name already percent-encoded."""
        return f"amqp://{self._user}:{self._password}@127.0.0.1:{self.port}/{vhost}"

    def start(self) -> None:
        """Write the settings, start, and return when the server speaks AMQP."""
        require_free(self.port)
        if self._owns_epmd:
            self.epmd.start()
        self._settings.write()
        self._frozen = False
        self._process.start()
        try:
            self._process.wait_ready(self.answers, _READY_SECONDS)
        except NodeError:
            self._process.end(signal.SIGKILL)
            self._stop_epmd()
            raise

    def stop(self) -> None:
        """Orderly stop. Removes a temporary folder."""
        self._process.end(signal.SIGTERM)
        self._stop_epmd()
        if self._owned:
            shutil.rmtree(self.folder, ignore_errors=True)

    def kill(self) -> None:
        """End it with -9: what a crash leaves is what the next start finds."""
        self._process.end(signal.SIGKILL)

    def restart(self) -> None:
        """Stop in order if it runs, and start with the same data on the same ports."""
        self._process.end(signal.SIGTERM)
        self.start()

    def freeze(self) -> None:
        """Stop it in its tracks: connections stay open and nothing answers, from when this returns."""
        self._frozen = True
        self._process.send(signal.SIGSTOP)
        # A thread that waits for its processor may still do its work first.
        wait_until(self._stands, 30, "the server to stand still")

    def _stands(self) -> bool:
        tasks = Path(f"/proc/{self.pid}/task").iterdir()
        return all((task / "stat").read_text().rpartition(") ")[2][0] in "Tt" for task in tasks)

    def thaw(self) -> None:
        """Let a frozen server run on."""
        self._process.send(signal.SIGCONT)
        self._frozen = False

    def ctl(self, *arguments: str) -> str:
        """What `rabbitmqctl` with these arguments prints; `NodeError` with its complaint."""
        done = subprocess.run(
            [binaries.find("rabbitmqctl"), "--quiet", "--node", self.name, *arguments],
            env=self._settings.command_environment(),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=_COMMAND_SECONDS,
            check=False,
        )
        if done.returncode:
            raise NodeError(f"rabbitmqctl {arguments[0]} failed\n{done.stdout}{done.stderr}")
        return done.stdout

    def wait_for_queue_on_disk(self, queue: str, timeout: float = 10, vhost: str = "") -> None:
        """Return when a newly declared quorum queue would survive `kill()`: see `has_on_disk`."""
        wait_until(lambda: self.has_on_disk([queue], vhost), timeout, f"{queue} to be on disk")

    def create_vhost(self, vhost: str) -> None:
        """Make a virtual host where our user may do everything."""
        all_of_it = '<<".*">>, <<".*">>, <<".*">>'
        self.evaluate(
            f'rabbit_vhost:add(<<"{vhost}">>, <<"{self._user}">>), '
            f"rabbit_auth_backend_internal:set_permissions("
            f'<<"{self._user}">>, <<"{vhost}">>, {all_of_it}, <<"{self._user}">>).'
        )

    def delete_vhost(self, vhost: str) -> None:
        """Remove a virtual host with all its queues, cutting the connections it still has."""
        self.evaluate(f'rabbit_vhost:delete(<<"{vhost}">>, <<"{self._user}">>).')

    def evaluate(self, expression: str) -> str:
        """What the node answers to an Erlang expression; `NodeError` when it is an error."""
        answer = self._quickly(expression)
        if answer is None:
            answer = self.ctl("eval", expression)
        if "error" in answer:
            raise NodeError(f"the node refused: {answer}")
        return answer

    def _quickly(self, expression: str) -> str | None:
        """The answer by `erl_call`, in milliseconds where `rabbitmqctl` starts an Erlang machine of its own.

        None where there is none, or where it could not reach a busy node: then the slow way will.
        """
        call = shutil.which("erl_call")
        if call is None:
            return None
        cookie = (self.folder / "home" / ".erlang.cookie").read_text()
        done = subprocess.run(
            [call, "-sname", self.name, "-c", cookie, "-e"],
            input=expression + "\n",
            env=self._settings.command_environment(),
            capture_output=True,
            text=True,
            timeout=_COMMAND_SECONDS,
            check=False,
        )
        return done.stdout if done.returncode == 0 else None

    @contextlib.contextmanager
    def fresh_vhost(self) -> Iterator[str]:
        """The URL of an empty virtual host that is deleted at the end."""
        vhost = f"test_{uuid.uuid4().hex[:12]}"
        self.create_vhost(vhost)
        try:
            yield self.vhost_url(vhost)
        finally:
            if self.running:
                self.thaw()
                self.delete_vhost(vhost)

    def answers(self) -> bool:
        """Whether the server greets an AMQP client (its listener opens at the very end of its start)."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2) as client:
                client.sendall(_AMQP_HEADER)
                return client.recv(1) == _METHOD_FRAME
        except OSError:
            return False

    def _stop_epmd(self) -> None:
        if self._owns_epmd:
            self.epmd.stop()
