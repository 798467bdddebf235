"""Whether storage can be used right now."""

from functools import lru_cache

from sqlalchemy import Engine, select

from notifier.storage import migrations
from notifier.storage.engine import reading
from notifier.storage.types import db_now


def ping(engine: Engine) -> None:
    """Ask the database for the time; raises what the driver raises."""
    with reading(engine) as connection:
        connection.execute(select(db_now()))


@lru_cache(maxsize=1)
def _head() -> str:
    return migrations.head()


def at_head(engine: Engine) -> bool:
    """Whether the database stands at the revision this code was written for."""
    return migrations.current(engine) == _head()
