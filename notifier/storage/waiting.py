"""How long the oldest notification of each lane has been due, found by the index on unfinished rows."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Engine, ScalarSelect, Select, select

from notifier.domain.lanes import Lane
from notifier.domain.lifecycle import Status
from notifier.storage.engine import reading
from notifier.storage.relaying import EXAMINED
from notifier.storage.tables import notifications
from notifier.storage.types import db_now

_table = notifications.c


def oldest_ages(engine: Engine, lanes: Sequence[Lane]) -> Mapping[Lane, float | None]:
    """Of each of these lanes the seconds since the oldest one that waits for its turn became due, by the database's clock.

    None when nothing waits. What is being sent, is held or waits for its next attempt is passed over;
    no more than the `EXAMINED` oldest rows of a lane are looked at, and most often one is enough.
    """
    with reading(engine) as connection:
        row = connection.execute(_ages_of(tuple(lanes))).one()
    now, found = row[0], row[1:]
    return {
        lane: None if at is None else max(0.0, (now - at).total_seconds())
        for lane, at in zip(lanes, found, strict=True)
    }


@cache
def _ages_of(lanes: tuple[Lane, ...]) -> Select[*tuple[Any, ...]]:
    """Put together once: this costs more than its execution, and who watches the lanes asks each second."""
    return select(db_now(), *(_oldest(lane) for lane in lanes))


def _oldest(lane: Lane) -> ScalarSelect[object]:
    """The moment at which the lane's oldest waiting row was queued."""
    oldest = (
        select(_table.queued_at, _table.status, _table.next_attempt_at)
        .where(
            _table.finished_at.is_(None),
            _table.channel == str(lane.channel),
            _table.priority == str(lane.priority),
            _table.queued_at.is_not(None),
        )
        .order_by(_table.queued_at)
        .limit(EXAMINED)
        .subquery()
    )
    waits = (oldest.c.status == Status.QUEUED) & oldest.c.next_attempt_at.is_(None)
    # In order, so that the first is the oldest: a min() would have to see them all.
    return select(oldest.c.queued_at).where(waits).order_by(oldest.c.queued_at).limit(1).scalar_subquery()
