"""Orphans: rows that wait for a message that no longer exists. Found within a minute, rung at most once
in five; a needless bell costs a claim that finds nothing to do.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from typing import Protocol
from uuid import UUID

import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from notifier.domain.lanes import Lane
from notifier.queueing.roads import Road
from notifier.storage import relaying
from notifier.storage.engine import reading
from notifier.storage.outbox import Bell

log = structlog.get_logger("notifier.relay")

#: Finds rows and marks them as rung, inside a transaction of the caller's.
Finder = Callable[[Connection], list[Bell]]

#: How often, in seconds, the hunt looks at most.
EVERY = 5.0

#: How many batches of one lane are rung for in one look.
_BATCHES = 20


class HuntConfig(Protocol):
    """What the hunt needs to know; `RelayConfig` has it. Seconds, but for `batch`."""

    @property
    def batch(self) -> int: ...
    @property
    def lease(self) -> float: ...
    @property
    def orphan(self) -> float: ...
    @property
    def ring_again(self) -> float: ...
    @property
    def beat_fresh(self) -> float: ...


class OrphanHunt:
    """Finds, by three signs: an empty queue, having been overtaken, and an id in a dead-letter queue."""

    def __init__(self, engine: Engine, road: Road, config: HuntConfig) -> None:
        self._engine = engine
        self._road = road
        self._config = config
        self._looked = float("-inf")
        self._patrolled = float("-inf")

    def hunt(self, now: float, ring: Callable[[Finder], int]) -> int:
        """Look, if it is time (`now` in monotonic seconds); `ring` owes what a finder found, durably."""
        if now - self._looked < min(EVERY, self._config.orphan / 4):
            return 0
        self._looked = now
        found = self._drain_dead(ring)
        for lane, before in self._suspects():
            rung = self._ring_lane(lane, before, ring)
            if rung:
                log.warning("orphans_rung", lane=lane.name, notifications=rung, overtaken=before is not None)
            found += rung
        return found + self._patrol(now, ring)

    def _suspects(self) -> Iterator[tuple[Lane, datetime | None]]:
        """Lanes to look at; with None the lane's queue is empty."""
        try:
            ready = self._road.ready()
        except Exception as error:  # noqa: BLE001 - the broker is away: nothing can be told of its queues
            log.debug("orphans_broker_silent", error=type(error).__name__)
            ready = None
        with reading(self._engine) as connection:
            started = relaying.oldest_started(connection, self._config.beat_fresh)
        for lane in self._road.lanes:
            if ready is not None and ready.get(lane, 0) == 0:
                yield lane, None
            elif lane in started:
                yield lane, started[lane]

    def _ring_lane(self, lane: Lane, before: datetime | None, ring: Callable[[Finder], int]) -> int:
        """Batch after batch, within bounds: a purged queue may have held a hundred thousand."""
        rung = 0
        for _ in range(_BATCHES):
            found = ring(partial(self._waiting, lane=lane, before=before))
            rung += found
            if found < self._config.batch:
                break
        return rung

    def _waiting(self, connection: Connection, *, lane: Lane, before: datetime | None) -> list[Bell]:
        config = self._config
        return relaying.ring_waiting(
            connection,
            lane,
            before,
            orphan=config.orphan,
            again=config.ring_again,
            limit=config.batch,
        )

    def _drain_dead(self, ring: Callable[[Finder], int]) -> int:
        """Ids from the dead-letter queues; they leave those queues only once their bells are owed."""
        rung = 0

        def ring_again(ids: list[UUID]) -> None:
            nonlocal rung
            rung += ring(lambda connection: relaying.ring_these(connection, ids, self._config.ring_again))

        try:
            count = self._road.drain_dead(ring_again, self._config.batch)
        except SQLAlchemyError:
            raise
        except Exception as error:  # noqa: BLE001 - the broker is away: they stay where they are
            log.debug("orphans_broker_silent", error=type(error).__name__)
            return rung
        if count:
            log.warning("dead_letters_drained", messages=count, rung=rung)
        return rung

    def _patrol(self, now: float, ring: Callable[[Finder], int]) -> int:
        """Claims that a living worker has forgotten, long after their lease."""
        if now - self._patrolled < self._config.lease:
            return 0
        self._patrolled = now
        config = self._config
        return sum(
            ring(
                partial(
                    relaying.ring_lost,
                    lane=lane,
                    limit=config.batch,
                    lease=config.lease,
                    again=config.ring_again,
                )
            )
            for lane in self._road.lanes
        )
