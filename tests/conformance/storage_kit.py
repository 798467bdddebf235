"""What the storage suites share: a migrated database, notifications to keep, and records of attempts."""

import contextlib
import functools
import shutil
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock
from uuid import UUID

from sqlalchemy import Connection, Engine, event, select, text, update

from notifier.delivery.claims import new_claim_id
from notifier.domain.ids import uuid7
from notifier.domain.lanes import Channel, Lane, Priority
from notifier.domain.lifecycle import Status
from notifier.domain.notification import Content, NewNotification
from notifier.domain.recipients import EmailAddress, PhoneNumber, Platform, PushToken
from notifier.storage import accepting, claiming, migrations, recording
from notifier.storage.accepting import Stored
from notifier.storage.claiming import Claimed, Wanted
from notifier.storage.engine import Use, make_engine, reading, writing
from notifier.storage.kept import Kept, Statement
from notifier.storage.recording import Record
from notifier.storage.tables import notifications
from notifier.storage.types import db_now_plus

EMAIL_HIGH = Lane(Channel.EMAIL, Priority.HIGH)
EMAIL_LOW = Lane(Channel.EMAIL, Priority.LOW)
SMS_HIGH = Lane(Channel.SMS, Priority.HIGH)
TENANT = "acme"

_RECIPIENTS = {
    Channel.EMAIL: EmailAddress("ada@example.com", "Ada"),
    Channel.SMS: PhoneNumber("+14155550123"),
    Channel.PUSH: PushToken("token-0123456789", Platform.FCM),
}


@functools.cache
def _template(folder: Path) -> Path:
    """A migrated SQLite file to copy: a migration costs more than most tests."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "template.db"
    migrations.upgrade(f"sqlite:///{path}")
    return path


def migrate(url: str, folder: Path) -> None:
    """Bring the empty database at `url` to the newest revision."""
    if url.startswith("sqlite"):
        shutil.copy(_template(folder), url.removeprefix("sqlite:///"))
    else:
        migrations.upgrade(url)


@contextmanager
def engine_at(url: str, **use: Any) -> Iterator[Engine]:
    """An engine, disposed of at the end."""
    clock = use.pop("clock", None)
    engine = make_engine(url, Use(name="test", **use), **({"clock": clock} if clock else {}))
    try:
        yield engine
    finally:
        engine.dispose()


def is_postgresql(engine: Engine) -> bool:
    return engine.dialect.name == "postgresql"


def new(lane: Lane = EMAIL_HIGH, **given: Any) -> NewNotification:
    """A notification as the door would hand it over."""
    values: dict[str, Any] = {
        "tenant": TENANT,
        "api_key": "key-1",
        "lane": lane,
        "recipient": _RECIPIENTS[lane.channel],
        "content": Content(subject="Hello", text="World"),
    }
    return NewNotification(**(values | given))


def keep(engine: Engine, wanted: Iterable[NewNotification]) -> list[Stored]:
    """Keep them in one transaction."""
    with writing(engine) as connection:
        now = accepting.database_time(connection)
        rows = [(one, accepting.stored(one, uuid7(now), now, 3600)) for one in wanted]
        accepting.add_notifications(connection, rows, uuid.uuid4())
    return [made for _, made in rows]


def keep_one(engine: Engine, lane: Lane = EMAIL_HIGH, **given: Any) -> UUID:
    return keep(engine, [new(lane, **given)])[0].id


def wish(wanted: UUID, lane: Lane = EMAIL_HIGH, claim_id: int | None = None) -> Wanted:
    return Wanted(wanted, lane, new_claim_id() if claim_id is None else claim_id, "console")


def claim(
    engine: Engine, wanted: Sequence[Wanted], owner: UUID | None = None, lease: float = 60.0
) -> list[Claimed]:
    ordered = sorted(wanted, key=lambda one: one.id)
    with contextlib.closing(Kept(engine)) as kept:
        return claiming.claim_plain(kept, ordered, owner or uuid.uuid4(), lease)


def claim_one(engine: Engine, wanted: UUID, lane: Lane = EMAIL_HIGH, **how: Any) -> Claimed:
    (found,) = claim(engine, [wish(wanted, lane)], **how)
    return found


def shown(claimed: Claimed, outcome: str = "accepted", **given: Any) -> dict[str, Any]:
    """An attempt as the API shows it."""
    return {
        "n": claimed.attempt,
        "provider": "console",
        "started_at": claimed.claimed_at.isoformat(),
        "duration_ms": 5,
        "outcome": outcome,
        "reason": None,
        "possible_duplicate": False,
        "code": None,
        "answer": None,
        "reference": None,
        "next_attempt_at": None,
        "claim_id": claimed.claim_id,
    } | given


def ending(claimed: Claimed, status: Status = Status.SENT, **given: Any) -> Record:
    """A record that ends this claim."""
    outcomes = {Status.SENT: "accepted", Status.QUEUED: "deferred", Status.HELD: "uncertain"}
    values: dict[str, Any] = {
        "id": claimed.id,
        "tenant": claimed.tenant,
        "claim_id": claimed.claim_id,
        "attempt": claimed.attempt,
        "status": status,
        "shown": shown(claimed, outcomes.get(status, "refused"), reason=given.get("reason")),
        "has_former": claimed.has_former,
    }
    return Record(**(values | given))


def store(engine: Engine, records: Sequence[Record]) -> list[Record]:
    with writing(engine) as connection:
        return recording.record(connection, records)


def store_late(engine: Engine, record: Record) -> str:
    with writing(engine) as connection:
        return recording.store_unmatched(connection, record)


@contextmanager
def each_statement(engine: Engine, see: Callable[[str], None]) -> Iterator[None]:
    """`see` hears of every statement before it is sent, by this engine or by a connection kept of it; it may raise."""
    plain = Kept.rows

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        see(statement)

    def rows(kept: Kept, statement: Statement, parameters: Any) -> Any:
        if kept.dialect == "postgresql":  # on SQLite it goes by the engine
            see(str(statement.build("postgresql").compile(dialect=engine.dialect)))
        return plain(kept, statement, parameters)

    event.listen(engine, "before_cursor_execute", note)
    try:
        with mock.patch.object(Kept, "rows", rows):
            yield
    finally:
        event.remove(engine, "before_cursor_execute", note)


def row(engine: Engine, wanted: UUID) -> Any:
    """Every column of one row."""
    with reading(engine) as connection:
        return connection.execute(select(notifications).where(notifications.c.id == wanted)).one()


def change(engine: Engine, wanted: UUID, **values: Any) -> None:
    """Set columns of a row; a float for a moment means so many seconds from the database's now."""
    moments = {name for name in values if name.endswith(("_at", "_until"))}
    with writing(engine) as connection:
        connection.execute(
            update(notifications)
            .where(notifications.c.id == wanted)
            .values(
                {
                    name: db_now_plus(value) if name in moments and isinstance(value, int | float) else value
                    for name, value in values.items()
                }
            )
        )


def ids_of(rows: Iterable[Any]) -> list[UUID]:
    return [one.id for one in rows]


def together(*acts: Callable[[], object], timeout: float = 60) -> list[Any]:
    """Run each in a thread, all starting at once; their results, or the first error raised."""
    start = threading.Barrier(len(acts))
    results: list[Any] = [None] * len(acts)
    errors: list[BaseException] = []

    def run(position: int, act: Callable[[], object]) -> None:
        try:
            start.wait(60)
            results[position] = act()
        except BaseException as error:  # noqa: BLE001 - raised again in the caller
            errors.append(error)

    threads = [threading.Thread(target=run, args=pair, daemon=True) for pair in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout)
        assert not thread.is_alive(), "a thread did not end"
    if errors:
        raise errors[0]
    return results


def run_sql(connection: Connection, statement: str, **values: Any) -> Any:
    return connection.execute(text(statement), values)
