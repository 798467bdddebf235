"""The beat: once a second a process tells storage that it lives and which claims it has begun."""

import os
import socket
import threading
from collections.abc import Callable
from dataclasses import replace
from uuid import UUID, uuid4

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from notifier.storage import workers
from notifier.storage.workers import Beat

log = structlog.get_logger("notifier.beats")


def new_beat(role: str, lanes: tuple[str, ...] = (), worker: UUID | None = None) -> Beat:
    """The first beat of a process in a role (``http``, ``worker``, ``relay``)."""
    return Beat(
        id=worker or uuid4(), role=role, host=socket.gethostname()[:255], pid=os.getpid(), lanes=lanes
    )


class Beats:
    """Writes `said()` every `every` seconds from a thread of its own, then calls `after` (never raising out)."""

    def __init__(
        self,
        engine: Engine,
        said: Callable[[], Beat],
        *,
        every: float = 1.0,
        after: Callable[[], None] = lambda: None,
    ) -> None:
        self._engine = engine
        self._said = said
        self._every = every
        self._after = after
        self._stop = threading.Event()
        self._missed = 0
        self._thread = threading.Thread(target=self._run, name="beats", daemon=True)

    def start(self) -> None:
        """Beat now (if storage answers) and from now on."""
        self._beat()
        self._thread.start()

    def stop(self) -> None:
        """Say goodbye, if this process holds nothing any more."""
        self._stop.set()
        self._thread.join(5.0)
        try:
            last = self._said()
            # What still stands as begun was not stored in time: then this is no goodbye but a last sign
            # of life, and its claims are taken back when their lease is over.
            workers.beat(self._engine, replace(last, stopped=not last.begun))
        except SQLAlchemyError as error:
            log.warning("goodbye_not_written", error=type(error).__name__)

    @property
    def alive(self) -> bool:
        """Whether its thread runs."""
        return self._thread.is_alive()

    def _run(self) -> None:
        while not self._stop.wait(self._every):
            self._beat()

    def _beat(self) -> None:
        try:
            workers.beat(self._engine, self._said())
            self._after()
        except SQLAlchemyError as error:
            self._missed += 1
            if self._missed == 1:
                log.warning("beat_missed", error=type(error).__name__)
        except Exception:
            # The beat must not stop for anything: a silent worker is taken for dead.
            log.exception("beat_failed")
        else:
            if self._missed:
                log.info("beat_again", missed=self._missed)
            self._missed = 0
