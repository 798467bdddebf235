"""What operators have said of lanes; every worker reads it with each beat, so it outlives them all."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, select, update
from sqlalchemy.dialects import postgresql, sqlite

from notifier.domain.lanes import Lane
from notifier.domain.operator_events import EventKind
from notifier.storage import operator_events
from notifier.storage.engine import reading, writing
from notifier.storage.operator_events import NewEvent
from notifier.storage.tables import lane_controls
from notifier.storage.types import db_now

_table = lane_controls.c


@dataclass(frozen=True, slots=True)
class Control:
    """The last word on a lane: by which API key (None: from the command line) and since when."""

    paused: bool
    by: str | None
    at: datetime


def set_paused(engine: Engine, lane: Lane, paused: bool, by: str | None) -> bool:
    """Pause a lane or let it go on; False if it stands so already, and then who said it first remains."""
    with writing(engine) as connection:
        if paused:
            dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
            changing = {"paused": True, "by": by, "at": db_now()}
            made = dialect.insert(lane_controls).values(lane=lane.name, **changing)
            found = connection.execute(
                made.on_conflict_do_update(
                    index_elements=["lane"], set_=changing, where=_table.paused.is_(False)
                ).returning(_table.lane)
            )
        else:
            found = connection.execute(
                update(lane_controls)
                .where(_table.lane == lane.name, _table.paused.is_(True))
                .values(paused=False, by=by, at=db_now())
                .returning(_table.lane)
            )
        if found.first() is None:
            return False
        kind = EventKind.LANE_PAUSED if paused else EventKind.LANE_RESUMED
        operator_events.add(
            connection, NewEvent(kind=kind, channel=lane.channel, priority=lane.priority, by=by)
        )
        return True


def read(engine: Engine) -> dict[str, Control]:
    """Every lane that somebody has spoken of, by name (``email.high``); others were never paused."""
    with reading(engine) as connection:
        return {
            row.lane: Control(row.paused, row.by, row.at) for row in connection.execute(select(lane_controls))
        }


def paused(engine: Engine) -> frozenset[str]:
    """The names of the lanes that are paused; a name may be a lane's of another version."""
    with reading(engine) as connection:
        return frozenset(connection.execute(select(_table.lane).where(_table.paused.is_(True))).scalars())
