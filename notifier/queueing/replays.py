"""Replays under way, carried on by whichever relay lives: the next one is released once the former allows it.

Nothing is kept here: what was released stands in storage, and two relays that see the same moment to release
the next one can't both do it (`replaying.release` compares and sets).
"""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from uuid import uuid4

import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from notifier.domain.replays import seconds_to_release
from notifier.storage import faults, replaying
from notifier.storage.engine import reading
from notifier.storage.outbox import Bell
from notifier.storage.replaying import Running

log = structlog.get_logger("notifier.relay")

#: Replays that one step looks at.
_AT_ONCE = 50
#: Seconds until a replay that could not go on for a fault of its own is tried again.
_AFTER_FAULT = 1.0

Ring = Callable[[Callable[[Connection], list[Bell]]], int]


class Replays:
    """What a relay does about them. `longest_call` in seconds: a call nobody told the end of lasts that long."""

    def __init__(self, engine: Engine, *, longest_call: float, batch: int) -> None:
        self._engine = engine
        self._longest_call = longest_call
        self._batch = batch
        # Its row in the books: no other process waits for it.
        self._id = uuid4()
        #: Whether the tables could not be read: they come with a migration that may be ahead of us.
        self.blind = False

    def step(self, ring: Ring) -> tuple[int, float]:
        """Release what may be released now, one of each replay; how many, and in how many seconds to look again.

        `ring` runs its finder in a transaction that also owes the bells, then publishes them.
        """
        now, found = self._look()
        released, look_in = 0, float("inf")
        for seen in found:
            wait, ready = seconds_to_release(now, seen.rate, seen.former, self._longest_call)
            if wait <= 0 and ready:
                done, wait = self._release(seen, ring)
                released += done
            look_in = min(look_in, wait)
        return released, look_in

    def _look(self) -> tuple[datetime, list[Running]]:
        try:
            with reading(self._engine) as connection:
                found = replaying.running(connection, _AT_ONCE)
        except SQLAlchemyError as error:
            # The relay has other duties; if all of storage is away, the next of them says so.
            if not self.blind:
                log.warning("replays_unread", error=type(error).__name__)
            self.blind = True
            return datetime.now(UTC), []
        self.blind = False
        return found

    def _release(self, seen: Running, ring: Ring) -> tuple[int, float]:
        """How many were released, and when to look again."""
        try:
            return ring(partial(self._next, seen)), 0.0
        except Exception as error:
            if faults.is_away(error) and not faults.is_data_fault(error):
                raise
            # One replay must not stop the relay; it is seen again, and so is this line.
            log.error("replay_failed", operation=str(seen.id), error=type(error).__name__)
            return 0, _AFTER_FAULT

    def _next(self, seen: Running, connection: Connection) -> list[Bell]:
        return replaying.release(connection, seen, self._id, self._batch)
