"""The processes that live: each beats once a second, so that the others know what it holds."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite

from notifier.storage.engine import reading, writing
from notifier.storage.tables import gauges, workers
from notifier.storage.types import db_now, db_now_plus


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """What a process says of itself; `begun` are the claim ids it is working on."""

    id: UUID
    role: str
    host: str
    pid: int
    lanes: tuple[str, ...] = ()
    begun: tuple[int, ...] = ()
    oldest_started: dict[str, str] = field(default_factory=dict)
    metrics_port: int | None = None
    report: dict[str, Any] = field(default_factory=dict)
    stopped: bool = False


def beat(engine: Engine, said: Beat) -> None:
    """Write the beat, by the database's clock."""
    with writing(engine) as connection:
        dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
        changing = {
            "beat_at": db_now(),
            "begun": list(said.begun),
            "oldest_started": said.oldest_started,
            "metrics_port": said.metrics_port,
            "report": said.report,
            "stopped": said.stopped,
            # A process that froze past its burial and wakes is to be watched again.
            "buried_at": None,
        }
        statement = dialect.insert(workers).values(
            id=said.id,
            role=said.role,
            host=said.host,
            pid=said.pid,
            started_at=db_now(),
            lanes=list(said.lanes),
            **changing,
        )
        connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=changing))


@dataclass(frozen=True, slots=True)
class Process:
    """A process as its last beat told."""

    id: UUID
    role: str
    host: str
    pid: int
    started_at: datetime
    beat_age: timedelta
    lanes: list[str]
    stopped: bool
    report: dict[str, Any]
    metrics_port: int | None = None


def living(engine: Engine, beat_fresh: float, role: str | None = None) -> list[Process]:
    """Every process whose last beat is younger than `beat_fresh` seconds and which has not said goodbye."""
    table = workers.c
    statement = select(workers, db_now().label("now")).where(
        table.beat_at >= db_now_plus(-beat_fresh), table.stopped.is_(False)
    )
    if role is not None:
        statement = statement.where(table.role == role)
    with reading(engine) as connection:
        rows = connection.execute(statement.order_by(table.started_at)).all()
    return [
        Process(
            r.id,
            r.role,
            r.host,
            r.pid,
            r.started_at,
            r.now - r.beat_at,
            r.lanes,
            r.stopped,
            r.report,
            r.metrics_port,
        )
        for r in rows
    ]


def any_living(engine: Engine, beat_fresh: float, role: str) -> bool:
    """Whether at least one process of this role beats."""
    statement = select(func.count()).where(
        workers.c.role == role,
        workers.c.beat_at >= db_now_plus(-beat_fresh),
        workers.c.stopped.is_(False),
    )
    with reading(engine) as connection:
        return bool(connection.execute(statement).scalar_one())


def sweep(connection: Connection, older_than: float) -> None:
    """Forget processes that have been gone for long and hold nothing."""
    table = workers.c
    gone = (table.buried_at.is_not(None)) | (table.role != "worker") | table.stopped
    connection.execute(delete(workers).where(table.beat_at <= db_now_plus(-older_than), gone))


def set_gauge(connection: Connection, name: str, value: int) -> None:
    """Keep a figure that one process counts and others read."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(gauges).values(name=name, value=value, at=db_now())
    changing = {"value": value, "at": db_now()}
    connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=changing))


def read_gauges(engine: Engine) -> dict[str, int]:
    """Every figure, by name."""
    with reading(engine) as connection:
        return {row.name: int(row.value) for row in connection.execute(select(gauges))}
