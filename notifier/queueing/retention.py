"""Retention: what has been final for long is forgotten, by whichever relay has its turn, beside the relay's own loop.

On PostgreSQL whole partitions of the table are made ahead and dropped behind, and rows that no partition takes with it
are deleted some at a time; on SQLite all are. Keys whose time is over go the same way.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from notifier.domain.ids import first_id_at
from notifier.domain.partitions import Stretch, missing
from notifier.storage import accepting, faults, forgetting, partitions
from notifier.storage.engine import writing
from notifier.telemetry.metrics import FORGOTTEN, PARTITIONS
from notifier.telemetry.tally import CLOSED, Tally

log = structlog.get_logger("notifier.relay")

_DEFAULT = "notifications_default"


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionConfig:
    """Times in seconds; `days` 0 keeps everything for ever; `batch` bounds the rows of one transaction.

    Of `every` no more than `share` goes into deleting rows; what is found not to go yet is asked for again after `round`.
    """

    days: int = 30
    batch: int = 500
    every: float = 60.0
    share: float = 5.0
    round: float = 600.0

    @property
    def kept(self) -> timedelta:
        """For how long a final notification is kept at least."""
        return timedelta(days=self.days)


class Retention:
    """One loop in a thread of its own; or `look` for a test or a command."""

    def __init__(
        self,
        engine: Engine,
        config: RetentionConfig,
        *,
        clock: Callable[[], float] = time.monotonic,
        tally: Tally = CLOSED,
    ) -> None:
        self._engine = engine
        self._config = config
        self._clock = clock
        self._tally = tally
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._after: dict[str | None, UUID] = {}
        self._not_before: dict[str | None, float] = {}
        self._said: set[str] = set()

    def start(self) -> None:
        """Begin to look, now and then every `every` seconds."""
        self._thread = threading.Thread(target=self._run, name="retention", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End after the present batch."""
        self._stop.set()

    def close(self) -> None:
        """After `stop`: wait for that batch, and let go of the connections."""
        if self._thread is not None:
            self._thread.join(10.0)
        self._engine.dispose()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self.look()
                self._said.discard("away")
            except SQLAlchemyError as error:
                if self._first("away"):
                    log.warning("retention_storage_away", error=type(error).__name__)
            except Exception:
                # The loop must outlive any one look: the next one sees the same rows again.
                log.exception("retention_look_failed")
            self._stop.wait(self._config.every)

    def look(self) -> None:
        """Everything that is to be done now; one relay at a time."""
        self._sweep_keys()
        if self._engine.dialect.name == "postgresql":
            self._look_at_partitions()
        elif self._config.days:
            self._thin([None])

    def _sweep_keys(self) -> None:
        for _ in self._in_time():
            with writing(self._engine) as connection:
                if accepting.sweep_keys(connection, self._config.batch) < self._config.batch:
                    return

    def _in_time(self) -> Iterator[None]:
        until = self._clock() + self._config.share
        while not self._stop.is_set() and self._clock() < until:
            yield

    def _look_at_partitions(self) -> None:
        with self._engine.connect() as connection:
            with connection.begin():
                mine = partitions.take_turn(connection)
            if not mine:
                return
            try:
                waiting = self._keep_partitions(connection)
                if self._config.days:
                    self._thin([_DEFAULT, *waiting])
            finally:
                if not connection.closed and not connection.invalidated:
                    connection.rollback()
                    partitions.end_turn(connection)
                    connection.commit()

    def _keep_partitions(self, connection: Connection) -> list[str]:
        """Make, take out, drop; the partitions whose time is over and that must stay."""
        with connection.begin():
            there = partitions.look(connection)
            now = accepting.database_time(connection)
        if there.guarded:
            # Whoever set it was broken off. It must not stay until its stretch begins.
            with self._giving_up("unguard"):
                partitions.unguard(connection)
        for name in there.retired:
            self._drop(connection, name)
        if not self._config.days:
            return []
        self._make(connection, there, now)
        gone = [one for one in there.stretches if one.has_gone(now, self._config.kept)]
        return [one.name for one in gone if one.name in there.made and not self._retire(connection, one)]

    def _make(self, connection: Connection, there: partitions.Partitions, now: datetime) -> None:
        if self._clock() < self._not_before.get("make", 0.0):
            return
        large = there.default_bytes > partitions.LARGE
        today = now.replace(hour=0, minute=0, second=0, microsecond=0)
        with connection.begin():
            apart = large or partitions.has_rows(connection, first_id_at(today))
        wanted = missing(now, self._config.days, there.stretches, apart=apart)
        if not wanted:
            return
        self._not_before["make"] = self._clock() + self._config.round
        with self._giving_up("make"):
            if large:
                partitions.guard(connection, wanted)
            for one in wanted:
                partitions.make(connection, one)
                self._tally.add(PARTITIONS, ("made",))
                log.info("partition_made", partition=one.name)
            self._not_before["make"] = 0.0
        if large:
            with self._giving_up("unguard"):
                partitions.unguard(connection)

    def _retire(self, connection: Connection, stretch: Stretch) -> bool:
        """Whether its partition is gone, or is tried again at the next look."""
        if self._clock() < self._not_before.get(stretch.name, 0.0):
            return False
        stay = partitions.staying(connection, stretch, self._config.kept)
        if len(stay) > partitions.MOVED:
            self._not_before[stretch.name] = self._clock() + self._config.round
            if self._first(stretch.name):
                log.warning("partition_waits", partition=stretch.name, more_than=partitions.MOVED)
            return False
        done = False
        with self._giving_up("retire"):
            moved = partitions.retire(connection, stretch, stay)
            log.info("partition_taken_out", partition=stretch.name, moved=moved)
            done = True
        if done:
            self._drop(connection, partitions.retired_name(stretch))
        return True

    def _drop(self, connection: Connection, name: str) -> None:
        """Some of its attempts, or all and the table itself."""
        for _ in self._in_time():
            if partitions.forget_attempts(connection, name, self._config.batch) < self._config.batch:
                break
        else:
            return
        with self._giving_up("drop"):
            rows = partitions.drop(connection, name)
            self._tally.add(PARTITIONS, ("dropped",))
            self._tally.add(FORGOTTEN, (), rows)
            log.info("partition_dropped", partition=name, notifications=rows)

    def _thin(self, places: Sequence[str | None]) -> None:
        """Delete rows in these partitions, or, with None, in the table."""
        for place in places:
            if self._clock() < self._not_before.get(place, 0.0):
                continue
            number = self._thin_one(place)
            if number:
                self._tally.add(FORGOTTEN, (), number)
                log.info("notifications_forgotten", number=number, partition=place)

    def _thin_one(self, place: str | None) -> int:
        number, batch, config = 0, self._config.batch, self._config
        for _ in self._in_time():
            with writing(self._engine) as connection:
                gone = forgetting.forget(
                    connection, config.kept, batch, after=self._after.get(place), partition=place
                )
            number += len(gone)
            if len(gone) < batch:
                # Through; what was not to go yet is not looked at again and again.
                self._after.pop(place, None)
                self._not_before[place] = self._clock() + config.round
                break
            self._after[place] = gone[-1]
        return number

    @contextmanager
    def _giving_up(self, what: str) -> Iterator[None]:
        """A step that somebody's lock, a missing right or a row in the way may end; the next look tries again."""
        try:
            yield
        except IntegrityError as error:
            if self._first(what):
                log.warning("partition_refused", step=what, error=type(error).__name__)
        except SQLAlchemyError as error:
            if faults.is_lock_timeout(error) or faults.is_clash(error):
                log.info("partitions_busy", step=what)
            elif faults.is_forbidden(error):
                if self._first("forbidden"):
                    log.warning("partitions_forbidden", step=what)
            else:
                raise

    def _first(self, what: str) -> bool:
        """Whether it was not said yet."""
        said = what in self._said
        self._said.add(what)
        return not said
