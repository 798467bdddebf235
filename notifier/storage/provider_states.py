"""Which provider accounts are out, for the whole fleet: an open breaker, its one probe, an operator's word."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Engine, and_, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from notifier.domain.lanes import Channel
from notifier.domain.operator_events import EventKind
from notifier.storage import operator_events
from notifier.storage.engine import reading, writing
from notifier.storage.operator_events import NewEvent
from notifier.storage.tables import provider_states
from notifier.storage.types import db_now, db_now_plus

_table = provider_states.c


@dataclass(frozen=True, slots=True, order=True)
class ProviderKey:
    """An account: two channels may each have one of the same name."""

    channel: Channel
    name: str

    def __str__(self) -> str:
        """As logs and reports show it: ``email/ses``."""
        return f"{self.channel}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderState:
    """What storage knows of an account; one that it does not know of is well and allowed.

    `opened_at` None: its breaker is closed. `probe_in` are the seconds until a probe may be made, and `probed`
    whether somebody makes one. `disabled_by` is an API key's id, None for the command line.
    """

    opened_at: datetime | None
    why: str | None
    openings: int
    probe_in: float
    probed: bool
    disabled: bool
    disabled_by: str | None
    disabled_at: datetime | None


def read(engine: Engine) -> dict[ProviderKey, ProviderState]:
    """Every account that something was ever said of."""
    with reading(engine) as connection:
        rows = connection.execute(select(provider_states, db_now().label("now"))).all()
    return {ProviderKey(Channel(row.channel), row.name): _state(row) for row in rows}


def _state(row: Any) -> ProviderState:
    until, probing = row.open_until, row.probe_until
    return ProviderState(
        opened_at=row.opened_at,
        why=row.why,
        openings=row.openings,
        probe_in=max(0.0, (until - row.now).total_seconds()) if until is not None else 0.0,
        probed=probing is not None and probing > row.now,
        disabled=row.disabled,
        disabled_by=row.disabled_by,
        disabled_at=row.disabled_at,
    )


def open_breaker(
    engine: Engine, key: ProviderKey, why: str, owner: UUID, wait: Callable[[int], float]
) -> bool:
    """Take the account out; `wait(openings)` are the seconds until a probe.

    False where another process has taken it out already. A failed probe of `owner` opens it anew, and longer.
    """
    with writing(engine) as connection:
        _know(connection, key)
        row = connection.execute(select(provider_states).where(_is(key)).with_for_update()).one()
        if row.opened_at is not None and row.probe_owner != owner:
            return False
        openings = row.openings + 1
        connection.execute(
            update(provider_states)
            .where(_is(key))
            .values(
                opened_at=db_now() if row.opened_at is None else row.opened_at,
                why=why,
                openings=openings,
                open_until=db_now_plus(wait(openings)),
                probe_owner=None,
                probe_until=None,
            )
        )
        if row.opened_at is None:  # a failed probe is no new opening
            _note(connection, EventKind.BREAKER_OPENED, key, reason=why, facts={"worker": str(owner)})
        return True


def take_probe(engine: Engine, key: ProviderKey, owner: UUID, seconds: float) -> bool:
    """The right to make the fleet's one probe, for so many seconds; False where it is too early or taken."""
    with writing(engine) as connection:
        found = connection.execute(
            update(provider_states)
            .where(_is(key), _table.opened_at.is_not(None), _table.open_until <= db_now())
            .where(or_(_table.probe_until.is_(None), _table.probe_until <= db_now()))
            .values(probe_owner=owner, probe_until=db_now_plus(seconds))
            .returning(_table.name)
        )
        return found.first() is not None


def close_breaker(engine: Engine, key: ProviderKey, owner: UUID) -> timedelta | None:
    """The probe went well: the account is back. How long it was out; None where the probe was not `owner`'s."""
    with writing(engine) as connection:
        row = connection.execute(
            select(_table.opened_at, _table.openings, db_now().label("now"))
            .where(_is(key), _table.probe_owner == owner, _table.opened_at.is_not(None))
            .with_for_update()
        ).one_or_none()
        if row is None:
            return None
        connection.execute(
            update(provider_states)
            .where(_is(key))
            .values(opened_at=None, why=None, openings=0, open_until=None, probe_owner=None, probe_until=None)
        )
        out = timedelta(seconds=(row.now - row.opened_at).total_seconds())
        facts = {"out_seconds": round(out.total_seconds(), 3), "failed_probes": row.openings - 1}
        _note(connection, EventKind.BREAKER_CLOSED, key, facts={"worker": str(owner), **facts})
        return out


def set_disabled(engine: Engine, key: ProviderKey, disabled: bool, by: str | None) -> bool:
    """An operator's word; False if it stands so already, and then who said it first remains."""
    with writing(engine) as connection:
        _know(connection, key)
        found = connection.execute(
            update(provider_states)
            .where(_is(key), _table.disabled.is_(not disabled))
            .values(disabled=disabled, disabled_by=by, disabled_at=db_now())
            .returning(_table.name)
        )
        if found.first() is None:
            return False
        kind = EventKind.PROVIDER_DISABLED if disabled else EventKind.PROVIDER_ENABLED
        _note(connection, kind, key, by=by)
        return True


def _note(connection: Connection, kind: EventKind, key: ProviderKey, **more: Any) -> None:
    """For operators, in the transaction that did it."""
    event = NewEvent(kind=kind, channel=key.channel, provider=key.name, **more)
    operator_events.add(connection, event)


def _know(connection: Connection, key: ProviderKey) -> None:
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    made = dialect.insert(provider_states).values(
        channel=str(key.channel), name=key.name, openings=0, disabled=False
    )
    connection.execute(made.on_conflict_do_nothing())


def _is(key: ProviderKey) -> ColumnElement[bool]:
    return and_(_table.channel == str(key.channel), _table.name == key.name)
