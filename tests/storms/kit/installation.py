"""An installation that lives through many faults: doors and workers that are replaced when they die."""

import json
import os
import signal
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from dramatiq.errors import ConnectionClosed
from sqlalchemy.exc import SQLAlchemyError

from notifier.domain.lanes import Lane
from notifier.queueing.rabbitmq import NotifierRabbitmqBroker
from notifier.storage import workers
from notifier.storage.workers import Process
from tests.acceptance.fleet import Fleet, ready
from tests.nodes.ports import free_port
from tests.nodes.programs import Program
from tests.nodes.smtp_control import SmtpControl
from tests.nodes.waiting import wait_until
from tests.storms.kit.form import patience
from tests.storms.kit.observations import Sink

PREFIX = "notifier.v1"
#: Seconds for the whole of it to be on its feet again; a process needs two or three to start.
WHOLE = 60.0
#: Seconds the provider takes for a message, from and to.
USUAL_DELAY = [0.005, 0.05]
EMAIL = "NOTIFIER_EMAIL_PROVIDERS"
#: The sink under two names, each with a limit: breakers, fail-over, leases of permits are part of every storm.
TWO_ACCOUNTS = " ".join(f"smtp://127.0.0.1:{{port}}?name={name}&rate=300/s" for name in ("first", "second"))


@dataclass
class Part:
    """A process of its own with the command that makes it, and makes it again."""

    command: tuple[str, ...]
    process: Program
    environment: dict[str, str]
    port: int = 0

    @property
    def pid(self) -> int:
        """The launcher's pid; its children share its group."""
        return self.process.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self.process.poll() is None


class Installation(Fleet):
    """`doors` HTTP servers, `crew` workers of `threads` threads with their relays, and one SMTP sink."""

    def __init__(
        self, folder: Path, database_url: str, broker_url: str, *, threads: int = 8, **settings: str
    ) -> None:
        super().__init__(folder, database_url, broker_url, **settings)
        self.settings[EMAIL] = settings.get(EMAIL, TWO_ACCOUNTS).format(port=self.smtp_port)
        self.threads = threads
        self.doors: list[Part] = []
        self.crew: list[Part] = []
        self.sunk = Sink(self.ledger)
        #: When each notification of earlier cases ended: none may end twice (I6).
        self.history: dict[str, dict[str, datetime | None]] = {}
        self.faults = SmtpControl(folder / "smtp.json")

    def begin(self, *, doors: int = 2, workers: int = 2) -> None:
        """Migrate, start everything, return when it is whole."""
        self.migrate()
        self.start_sink()
        for _ in range(doors):
            self.add_door()
        for _ in range(workers):
            self.add_worker()
        if workers:
            self.wait_whole()

    def start_sink(self) -> None:
        """The SMTP server: it takes 5 to 50 ms for each message."""
        self.faults.set(delay=USUAL_DELAY)
        self.start(
            *("tests.nodes.smtp", "--port", str(self.smtp_port), "--ledger", str(self.ledger)),
            *("--control", str(self.faults.path)),
        )

    # Parts.

    def add_door(self, port: int = 0, *, processes: int = 1, **environment: str) -> Part:
        """One more HTTP server (on a given port); `environment` is its alone."""
        port = port or free_port()
        command = ("notifier", "serve", "--port", str(port), "--processes", str(processes))
        part = self._part(command, environment, port)
        self.doors.append(part)
        self.ports[:] = [door.port for door in self.doors]
        return part

    def add_worker(self, *, threads: int = 0, **environment: str) -> Part:
        """One more `dramatiq` launch of one process (of other than the usual threads) and its relay."""
        command = ("dramatiq", "notifier.worker", "-p", "1", "-t", str(threads or self.threads))
        part = self._part((*command, "--worker-shutdown-timeout", "9000"), environment)
        self.crew.append(part)
        return part

    def _part(self, command: tuple[str, ...], environment: dict[str, str], port: int = 0) -> Part:
        return Part(command, self._launch(command, environment), environment, port)

    def _launch(self, command: tuple[str, ...], environment: dict[str, str]) -> Program:
        before = dict(self.settings)
        self.settings.update(environment)
        try:
            return self.start(*command)
        finally:
            self.settings.clear()
            self.settings.update(before)

    def again(self, part: Part, **environment: str) -> None:
        """Start a part that has ended, with the same command (and port); by default in its own environment."""
        assert not part.running
        part.process = self._launch(part.command, environment or part.environment)

    def kill_part(self, part: Part) -> None:
        """-9, the whole group."""
        self.kill([part.process])

    def kill_launcher(self, part: Part) -> None:
        """-9 to the launcher alone: its children are orphans."""
        part.process.kill()
        part.process.wait(30)
        self._processes.remove(part.process)

    def stop_part(self, part: Part) -> int:
        """SIGTERM to the launcher, as an init system does; its exit code."""
        return self.stop([part.process])[0]

    def freeze_part(self, part: Part) -> None:
        """SIGSTOP to every process of the group."""
        os.killpg(part.pid, signal.SIGSTOP)

    def thaw_part(self, part: Part) -> None:
        """SIGCONT to every process of the group."""
        os.killpg(part.pid, signal.SIGCONT)

    def remove(self, part: Part) -> None:
        """Kill a part, with whatever it left behind, and do without it."""
        self.kill_part(part)
        if part in self.doors:
            self.doors.remove(part)
            self.ports[:] = [door.port for door in self.doors]
        else:
            self.crew.remove(part)

    # Looking.

    def beating(self, role: str) -> list[Process]:
        """The processes of a role that beat; none while storage is away."""
        try:
            return workers.living(self.engine, 3, role)
        except SQLAlchemyError:
            return []

    def missing(self) -> list[str]:
        """What is not as configured (I7): doors, workers, threads, relays, consumers."""
        found = [f"door {door.port}" for door in self.doors if not door.running or not ready(door.port)]
        at_work = self.beating("worker")
        pids = {process.pid for process in at_work}
        if len(pids) != len(self.crew):
            found.append(f"{len(pids)} of {len(self.crew)} workers beat")
        found += self._missing_threads(at_work)
        if not self.beating("relay"):
            found.append("no relay beats")
        return found or self._missing_consumers()

    def _missing_threads(self, at_work: list[Process]) -> list[str]:
        found = []
        for process in at_work:
            census = process.report.get("census", {})
            for what, wanted in (("threads", self.threads), ("consumers", len(Lane.all()))):
                alive = census.get(f"{what}_alive", 0)
                if alive != wanted:
                    found.append(f"{what} of {process.pid}: {alive} of {wanted}")
        return found

    def _missing_consumers(self) -> list[str]:
        names = [lane.queue(PREFIX) for lane in Lane.all()]
        broker = NotifierRabbitmqBroker(self.settings["NOTIFIER_BROKER_URL"], prefix=PREFIX)
        try:
            counts = broker.counts(names)
        except (ConnectionClosed, OSError, TimeoutError) as error:
            return [f"the broker does not say: {type(error).__name__}"]
        finally:
            broker.close()
        return [
            f"{name}: {counts.get(name, (0, 0))[1]} of {len(self.crew)} consumers"
            for name in names
            if counts.get(name, (0, 0))[1] != len(self.crew)
        ]

    def wait_whole(self, timeout: float = WHOLE) -> None:
        """Until nothing is missing; says what is."""
        last: list[str] = []

        def whole() -> bool:
            last[:] = self.missing()
            return not last

        try:
            wait_until(whole, patience(timeout), "a whole installation")
        except AssertionError as late:
            raise AssertionError(f"{late}: I7 {last}") from None

    def children(self, role: str) -> list[int]:
        """The pids of the living processes of a role (worker, relay, http)."""
        return [process.pid for process in self.beating(role)]

    def errors_without_id(self) -> list[str]:
        """Lines of the log at level error or critical without an event id (I8)."""
        guilty = []
        for line in self.log.splitlines():
            if '"level":"error"' not in line and '"level":"critical"' not in line:
                continue
            try:
                event = json.loads(line)
            except ValueError:
                continue  # a line cut by -9
            if not event.get("event_id"):
                guilty.append(str(event.get("event"))[:200])
        return guilty
