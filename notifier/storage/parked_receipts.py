"""Receipts whose notification is not known yet: a receipt may come before our own commit.

They are kept, and whichever relay lives looks for their notification again, ever more seldom; after a while they are
forgotten, for a provider also reports what others sent through the same account.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite

from notifier.domain.lanes import Channel
from notifier.domain.lifecycle import Reason, Status
from notifier.domain.receipts import Receipt, word_of
from notifier.storage.provider_states import ProviderKey
from notifier.storage.receipts import Effects, Reported, apply
from notifier.storage.tables import parked_receipts
from notifier.storage.types import db_now, db_now_plus

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
        received_at=db_now(),
        look_at=db_now_plus(FIRST_LOOK),
        looks=0,
    )
    # In the order of the key, so that two that park the same can't wait for each other in a circle.
    values = sorted({tuple(_key_of(one).values()) for one in reported})
    connection.execute(
        statement.on_conflict_do_nothing(), [dict(zip(_KEY, value, strict=True)) for value in values]
    )


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
        select(*(_parked[name] for name in (*_KEY, "looks")))
        .where(_parked.look_at <= db_now())
        .order_by(_parked.look_at, *(_parked[name] for name in _KEY))
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    looks = {_reported(found): found.looks for found in connection.execute(due)}
    if not looks:
        return Effects(), 0
    effects = apply(connection, list(looks))
    if effects.verdicts:
        key = tuple_(*(_parked[name] for name in _KEY))
        settled = [tuple(_key_of(one).values()) for one in effects.verdicts]
        connection.execute(delete(parked_receipts).where(key.in_(settled)))
    if effects.unmatched:
        later = [_key_of(one) | {"wait": _wait(looks[one] + 1)} for one in effects.unmatched]
        connection.execute(_LATER, [{f"of_{name}": value for name, value in one.items()} for one in later])
    return effects, len(looks)


def _wait(looks: int) -> float:
    return min(LONGEST_LOOK, FIRST_LOOK * 2.0 ** min(looks, 20))


_LATER = (
    update(parked_receipts)
    .where(*(_parked[name] == bindparam(f"of_{name}") for name in _KEY))
    .values(look_at=db_now_plus(bindparam("of_wait")), looks=_parked.looks + 1)
)


def _reported(found: Any) -> Reported:
    reason = Reason(found.reason) if found.reason else None
    code = found.code or None
    if found.status == Status.DELIVERED:
        receipt = Receipt(found.reference, Status.DELIVERED, reason, code)
    else:
        receipt = Receipt(found.reference, Status.UNDELIVERED, reason, code)
    return Reported(ProviderKey(Channel(found.channel), found.provider), receipt)


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
