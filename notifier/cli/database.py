"""The database for a command: at this version's schema, or a clear end."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine, make_url
from sqlalchemy.exc import SQLAlchemyError

from notifier.cli.support import fail
from notifier.cli.words import printable
from notifier.settings import Settings
from notifier.storage import health, migrations
from notifier.storage.engine import Use, make_engine

MIGRATE = "run: notifier migrate"
_LONGEST = 300


class NotUsable(Exception):
    """The database can't serve this command; the text says why and what to do, without secrets."""


@contextmanager
def open_database(settings: Settings) -> Iterator[Engine]:
    """An engine on a database at this version's schema; raises `NotUsable`."""
    if missing_file(settings.database_url):
        raise NotUsable(f"there is no database file yet; {MIGRATE}")
    engine = connect(settings)
    try:
        stands = migrations.current(engine)
        if not health.at_head(engine):
            raise NotUsable(
                f"the database's schema is {stands or 'empty'}, this version needs {migrations.head()}; {MIGRATE}"
            )
        yield engine
    except SQLAlchemyError as error:
        raise NotUsable(f"the database can't be used: {reason_of(error)}") from None
    finally:
        engine.dispose()


@contextmanager
def database_or_exit(settings: Settings) -> Iterator[Engine]:
    """The same for a command: ends it with 1."""
    try:
        with open_database(settings) as engine:
            yield engine
    except NotUsable as error:
        fail(str(error))


def connect(settings: Settings) -> Engine:
    """An engine whose connections say that they are a command's."""
    return make_engine(settings.database_url, Use(name="command", pool_size=2))


def missing_file(database_url: str) -> bool:
    """Whether this is a SQLite database that has no file yet (connecting would make one)."""
    url = make_url(database_url)
    return url.get_backend_name() == "sqlite" and not Path(url.database or "").exists()


def reason_of(error: SQLAlchemyError) -> str:
    """What the driver said, its first line only: further ones, and SQLAlchemy's own text, hold values."""
    said = str(getattr(error, "orig", None) or type(error).__name__).strip()
    return printable(said.splitlines()[0] if said else type(error).__name__)[:_LONGEST]
