"""What storage and the sink say of a run."""

from collections import Counter, defaultdict
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, select, text

from notifier.domain.ids import notification_id, parse_notification_id
from notifier.domain.lifecycle import FINAL, Status
from notifier.storage.tables import attempts, notifications


@dataclass(frozen=True, slots=True)
class Rows:
    """The kept notifications of one run."""

    ids: dict[int, set[str]]
    status: dict[str, Status]
    finished: dict[str, datetime | None]
    marked: set[str]
    #: Calls that were given up after the request was written: each may cost a duplicate (promise 3).
    timed_out: int

    @property
    def waiting(self) -> set[str]:
        """Those that have not ended and wait for nobody."""
        return {one for one, status in self.status.items() if status not in FINAL | {Status.HELD}}

    @property
    def ended(self) -> set[str]:
        """Those that ended in another way than being sent, or wait for a person."""
        silent = FINAL - {Status.SENT} | {Status.HELD}
        return {one for one, status in self.status.items() if status in silent}


def rows_of(engine: Engine, run: str) -> Rows:
    """All rows whose reference says that they belong to the run."""
    table = notifications.c
    chosen = table.reference.like(f"{run}-%")
    columns = select(table.id, table.reference, table.status, table.finished_at, table.last_attempt)
    ids: dict[int, set[str]] = defaultdict(set)
    status: dict[str, Status] = {}
    finished: dict[str, datetime | None] = {}
    tries: list[tuple[str, dict[str, Any]]] = []
    with engine.connect() as connection:
        for row in connection.execute(columns.where(chosen)):
            one = notification_id(row.id)
            ids[int(row.reference.rpartition("-")[2])].add(one)
            status[one], finished[one] = Status(row.status), row.finished_at
            tries.append((one, row.last_attempt or {}))
        earlier = select(attempts.c.notification_id, attempts.c.attempt).where(
            attempts.c.notification_id.in_(select(table.id).where(chosen))
        )
        for row in connection.execute(earlier):
            tries.append((notification_id(row.notification_id), row.attempt))
    marked = {one for one, attempt in tries if attempt.get("possible_duplicate")}
    timed_out = sum(1 for _, attempt in tries if _timed_out(attempt))
    return Rows(dict(ids), status, finished, marked, timed_out)


def _timed_out(attempt: dict[str, Any]) -> bool:
    return attempt.get("outcome") == "uncertain" and attempt.get("reason") == "provider_timeout"


def kept(engine: Engine, ids: AbstractSet[str]) -> set[str]:
    """Those of `ids` that stand in storage, whoever asked for them."""
    wanted = [parsed for one in ids if (parsed := parse_notification_id(one)) is not None]
    found: set[str] = set()
    with engine.connect() as connection:
        for at in range(0, len(wanted), 5000):
            chosen = notifications.c.id.in_(wanted[at : at + 5000])
            found |= {
                notification_id(row.id)
                for row in connection.execute(select(notifications.c.id).where(chosen))
            }
    return found


def unended(engine: Engine, run: str) -> int:
    """How many notifications of the run have not ended; held ones wait for a person and are not counted."""
    query = text(
        "SELECT count(*) FROM notifications"
        " WHERE reference LIKE :run AND finished_at IS NULL AND status <> 'held'"
    )
    with engine.connect() as connection:
        return int(connection.execute(query, {"run": f"{run}-%"}).scalar_one())


@dataclass
class Sink:
    """The provider's ledger, read as it grows: how often it took each notification, and when."""

    path: Path
    counts: Counter[str] = field(default_factory=Counter)
    #: (unix time, notification) of each hand-over, in order.
    moments: list[tuple[float, str]] = field(default_factory=list)
    _read: int = 0

    def refresh(self) -> "Sink":
        """Read what is new."""
        if not self.path.exists():
            return self
        with self.path.open("rb") as file:
            file.seek(self._read)
            new = file.read()
        whole = new[: new.rfind(b"\n") + 1]
        self._read += len(whole)
        for line in whole.decode().splitlines():
            message_id, *_, at = line.split(" ")
            one = message_id[1:].partition("@")[0]
            self.counts[one] += 1
            self.moments.append((float(at), one))
        return self

    @property
    def total(self) -> int:
        """Hand-overs so far."""
        return len(self.refresh().moments)


def worker_of(engine: Engine, pid: int) -> UUID | None:
    """The id under which the process with this pid beats."""
    query = text("SELECT id FROM workers WHERE pid = :pid AND NOT stopped ORDER BY started_at DESC LIMIT 1")
    with engine.connect() as connection:
        return connection.execute(query, {"pid": pid}).scalar_one_or_none()
