"""Sessions of the console that were logged out of: remembered until they would have ended by themselves."""

from sqlalchemy import Engine, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from notifier.storage.engine import reading, writing
from notifier.storage.tables import ended_sessions
from notifier.storage.types import db_now, db_now_plus

_table = ended_sessions.c


def end(engine: Engine, session_id: str, seconds: float) -> None:
    """From now on no process honours it; forgotten after so many seconds, with the first log-out that comes then."""
    with writing(engine) as connection:
        dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
        made = dialect.insert(ended_sessions).values(id=session_id, forget_at=db_now_plus(seconds))
        connection.execute(made.on_conflict_do_nothing())
        connection.execute(delete(ended_sessions).where(_table.forget_at <= db_now()))


def is_ended(engine: Engine, session_id: str) -> bool:
    """Whether somebody has ended it."""
    with reading(engine) as connection:
        found = connection.execute(select(_table.id).where(_table.id == session_id))
        return found.first() is not None
