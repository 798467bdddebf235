"""Receipts whose notification is not known yet: a receipt may come before our own commit.

They are kept, and whichever relay lives looks for their notification again, ever more seldom; after a while they are
forgotten, for a provider also reports what others sent through the same account.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Select, bindparam, delete, func, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite

from notifier.domain.lanes import Channel
from notifier.domain.lifecycle import Reason, Status
from notifier.domain.receipts import Receipt, word_of
from notifier.storage.provider_states import ProviderKey
from notifier.storage.receipts import Effects, Reported, apply
from notifier.storage.tables import parked_receipts
from notifier.storage.types import Id, db_now, db_now_plus

#: Seconds until a parked receipt is looked at again: the first time, and at the longest.
FIRST_LOOK, LONGEST_LOOK = 1.0, 600.0
#: What is older than so many seconds is forgotten, and of each account what is beyond the newest so many.
KEPT_SECONDS, KEPT_NUMBER = 86_400.0, 10_000

_parked = parked_receipts.c
_KEY = ("channel", "provider", "reference", "status", "reason", "code")


def take(connection: Connection, reported: Sequence[Reported]) -> Effects:
    """Apply these, and park those whose notification is not known yet."""
    found = apply(connection, reported)
    park(connection, found.unmatched)
    return found


def park(connection: Connection, reported: Sequence[Reported]) -> None:
    """Keep these until their notification is known; twice is the same as once."""
    if not reported:
        return
    maker = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    statement = maker(parked_receipts).values(
        **{name: bindparam(name) for name in _KEY},
        notification_id=bindparam("named", type_=Id),
        received_at=db_now(),
        look_at=db_now_plus(FIRST_LOOK),
        looks=0,
    )
    # The same word in a provider's other form may be without our id.
    named = statement.excluded.notification_id
    kept = statement.on_conflict_do_update(
        index_elements=_KEY,
        set_={"notification_id": named},
        where=_parked.notification_id.is_(None) & named.is_not(None),
    )
    # In the order of the key, so that two that park the same can't wait for each other in a circle.
    once = {tuple(_key_of(one).values()): one for one in sorted(reported, key=_is_named)}
    connection.execute(
        kept, [_key_of(once[key]) | {"named": once[key].receipt.notification} for key in sorted(once)]
    )


def _is_named(one: Reported) -> bool:
    return one.receipt.notification is not None


def _key_of(one: Reported) -> dict[str, str]:
    told = {name: value or "" for name, value in word_of(one.receipt).items()}
    return {
        "channel": str(one.key.channel),
        "provider": one.key.name,
        "reference": one.receipt.reference,
    } | told


def look_again(connection: Connection, limit: int) -> tuple[Effects, int]:
    """Apply those parked receipts that it is time to look at, at most `limit`; also says how many those were."""
    due = (
        _looked_at()
        .where(_parked.look_at <= db_now())
        .order_by(_parked.look_at, *(_parked[name] for name in _KEY))
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    rows = connection.execute(due).all()
    return _settle(connection, rows), len(rows)


def is_told(connection: Connection, key: ProviderKey, notification: UUID) -> bool:
    """Whether this account has reported on this notification, and that waits."""
    told = _of(notification).where(_parked.channel == key.channel, _parked.provider == key.name)
    return connection.execute(told.limit(1)).first() is not None


def look_for(connection: Connection, notification: UUID) -> Effects:
    """Apply what is parked of this notification; what a relay is looking at is left to it."""
    rows = connection.execute(_of(notification).with_for_update(skip_locked=True)).all()
    return _settle(connection, rows)


def _looked_at() -> Select[Any]:
    wanted = (*_KEY, "notification_id", "looks", "received_at")
    return select(*(_parked[name] for name in wanted), db_now().label("now"))


def _of(notification: UUID) -> Select[Any]:
    return (
        _looked_at()
        .where(_parked.notification_id == notification)
        .order_by(*(_parked[name] for name in _KEY))
    )


def _settle(connection: Connection, rows: Sequence[Any]) -> Effects:
    """Apply these locked ones; those that matched are gone, the others wait, as does one that nobody can read."""
    read = {row: _reported(row) for row in rows}
    looks = {one: row.looks for row, one in read.items() if one is not None}
    waited = {
        one: (row.now - row.received_at).total_seconds() for row, one in read.items() if one is not None
    }
    effects = apply(connection, list(looks), waited)
    if effects.verdicts:
        key = tuple_(*(_parked[name] for name in _KEY))
        settled = [tuple(_key_of(one).values()) for one in effects.verdicts]
        connection.execute(delete(parked_receipts).where(key.in_(settled)))
    later = [_key_of(one) | {"wait": _wait(looks[one] + 1)} for one in effects.unmatched]
    unread = [row for row, one in read.items() if one is None]
    effects.unreadable = len(unread)
    later += [{name: getattr(row, name) for name in _KEY} | {"wait": LONGEST_LOOK} for row in unread]
    if later:
        connection.execute(_LATER, [_prefixed(one) for one in later])
    return effects


def _prefixed(values: Mapping[str, Any]) -> dict[str, Any]:
    return {f"of_{name}": value for name, value in values.items()}


def _wait(looks: int) -> float:
    return min(LONGEST_LOOK, FIRST_LOOK * 2.0 ** min(looks, 20))


_LATER = (
    update(parked_receipts)
    .where(*(_parked[name] == bindparam(f"of_{name}") for name in _KEY))
    .values(look_at=db_now_plus(bindparam("of_wait")), looks=_parked.looks + 1)
)


def _reported(found: Any) -> Reported | None:
    """What a row says; None for words that only another version of us knows."""
    try:
        key = ProviderKey(Channel(found.channel), found.provider)
        reason = Reason(found.reason) if found.reason else None
        status = Status(found.status)
    except ValueError:
        return None
    if status is not Status.DELIVERED and status is not Status.UNDELIVERED:
        return None
    return Reported(key, Receipt(found.reference, status, reason, found.code or None, found.notification_id))


def sweep(
    connection: Connection, limit: int, *, older_than: float = KEPT_SECONDS, keep: int = KEPT_NUMBER
) -> int:
    """Forget at most `limit` parked receipts that are too old or, in their account, too many; how many."""
    key = [_parked[name] for name in _KEY]
    newest_first = [_parked.received_at.desc(), *key]
    place = func.row_number().over(partition_by=[_parked.channel, _parked.provider], order_by=newest_first)
    ranked = select(*key, _parked.received_at, place.label("place")).subquery("ranked").c
    surplus = (
        select(*(ranked[name] for name in _KEY))
        .where((ranked.received_at <= db_now_plus(-older_than)) | (ranked.place > keep))
        .limit(limit)
    )
    removed = delete(parked_receipts).where(tuple_(*key).in_(surplus))
    return len(connection.execute(removed.returning(_parked.reference)).all())
