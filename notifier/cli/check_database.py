"""Doctor's look at the database: reachable, writable, at this version's schema, its clock, who beats in it."""

import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from notifier.cli.check_partitions import check_partitions
from notifier.cli.checks import Finding, failed, ok, warning
from notifier.cli.database import MIGRATE, connect, missing_file, reason_of
from notifier.settings import Settings
from notifier.storage import health, migrations, outbox, relaying, workers
from notifier.storage.accepting import database_time
from notifier.storage.engine import reading, writing

_SKEW = 2.0
_OWED = 60.0


def check_database(settings: Settings) -> Iterator[Finding]:
    """Everything about the database; later checks need the earlier ones."""
    if missing_file(settings.database_url):
        yield failed("database", "there is no database file yet", MIGRATE)
        return
    engine = connect(settings)
    try:
        yield from _look(engine, settings)
    except SQLAlchemyError as error:
        advice = "start the database, or correct NOTIFIER_DATABASE_URL"
        yield failed("database", f"can't be used: {reason_of(error)}", advice)
    finally:
        engine.dispose()


def _look(engine: Engine, settings: Settings) -> Iterator[Finding]:
    yield _clock(engine)
    stands = migrations.current(engine)
    if not health.at_head(engine):
        detail = f"the schema is {stands or 'empty'}, this version needs {migrations.head()}"
        yield failed("schema", detail, MIGRATE)
        return
    yield ok("schema", f"{engine.dialect.name}, {stands}")
    try:
        _try_to_write(engine)
    except SQLAlchemyError as error:
        advice = "let this user read and write all tables, on a server that is no standby"
        yield failed("write", f"refused: {reason_of(error)}", advice)
    else:
        yield ok("write", "allowed")
    yield from _processes(engine, settings)
    yield from _owed(engine)
    yield from check_partitions(engine, settings)


def _clock(engine: Engine) -> Finding:
    """How far this host's clock is ahead of the database's, which decides every due time."""
    with reading(engine) as connection:
        before = time.time()
        there = database_time(connection)
        here = datetime.fromtimestamp((before + time.time()) / 2, UTC)
    ahead = (here - there).total_seconds()
    detail = f"this host is {abs(ahead):.3f} s {'ahead of' if ahead >= 0 else 'behind'} the database"
    if abs(ahead) > _SKEW:
        return warning("clock", detail, "set both by NTP; due times go by the database's clock")
    return ok("clock", detail)


def _try_to_write(engine: Engine) -> None:
    """Writes that change nothing, or are taken back."""
    with writing(engine) as connection, connection.begin_nested() as trial:
        workers.set_gauge(connection, "doctor", 0)
        relaying.queue_due(connection, 0)
        outbox.take_due(connection, 0, 1.0)
        trial.rollback()


def _processes(engine: Engine, settings: Settings) -> Iterator[Finding]:
    """Who lives: without workers nothing is sent, without relays no retry comes due."""
    found = workers.living(engine, settings.beat_fresh_seconds)
    counted = Counter(process.role for process in found)
    starts = "notifier dev" if settings.embedded else "notifier work"
    for role, without in (("worker", "nothing is sent"), ("relay", "no retry or send_at comes due")):
        missing = [said for process in found if process.role == role and (said := _missing(process))]
        if not counted[role]:
            yield warning(f"{role}s", f"none is beating: {without}", f"run: {starts}")
        elif missing:
            detail = f"{counted[role]} beating; {'; '.join(missing)}"
            yield warning(f"{role}s", detail, "restart it: a thread that ended is not replaced")
        else:
            yield ok(f"{role}s", f"{counted[role]} beating")


def _missing(process: workers.Process) -> str:
    """What a running worker's last beat misses of the threads and consumers it should have; mostly nothing."""
    census = process.report.get("census", {})
    short = [
        f"{census.get(f'{what}_alive', 0)} of {census[what]} {what}"
        for what in ("threads", "consumers")
        if census.get(f"{what}_alive", 0) < census.get(what, 0)
    ]
    if not short or process.report.get("stage") != "running":
        return ""
    return f"process {process.pid} on {process.host} has {' and '.join(short)}"


def _owed(engine: Engine) -> Iterator[Finding]:
    with reading(engine) as connection:
        oldest, now = outbox.oldest(connection), database_time(connection)
    age = (now - oldest).total_seconds() if oldest else 0.0
    if age > _OWED:
        detail = f"the oldest message owed to the broker is {age:.0f} s old"
        yield warning("outbox", detail, "see that a relay runs and that the broker takes messages")
    else:
        yield ok("outbox", "nothing is overdue")
