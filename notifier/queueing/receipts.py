"""Receipts that came before what they are about: looked at again until their notification is known, then forgotten."""

from typing import TYPE_CHECKING

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from notifier.domain.receipts import Verdict
from notifier.queueing.heard import clock, heard
from notifier.storage import parked_receipts
from notifier.storage.engine import writing
from notifier.telemetry.tally import CLOSED, Tally

if TYPE_CHECKING:  # an extra
    from notifier.telemetry.tracing import Tracing

log = structlog.get_logger("notifier.relay")

#: Batches of one sweep, at the most: 10,000 receipts of the usual batch, twice a minute.
_SWEPT_BATCHES = 20


class ParkedReceipts:
    """What a relay does about them, a batch at a time."""

    def __init__(
        self, engine: Engine, batch: int, tally: Tally = CLOSED, tracing: "Tracing | None" = None
    ) -> None:
        self._tally = tally
        self._tracing = tracing
        self._engine = engine
        self._batch = batch
        #: Whether the table could not be read: it comes with a migration that may be ahead of us.
        self.blind = False

    def step(self) -> int:
        """Look at those whose time has come; how many there were."""
        began = clock()
        try:
            with writing(self._engine) as connection:
                found, looked_at = parked_receipts.look_again(connection, self._batch)
        except SQLAlchemyError as error:
            # The relay has other duties; if all of storage is away, the next of them says so.
            if not self.blind:
                log.warning("receipts_unread", error=type(error).__name__)
            self.blind = True
            return 0
        self.blind = False
        heard(found, self._tally, self._tracing, began)
        if found.unreadable:
            # Each costs only itself: it waits for a version of us that knows its words, or until it is forgotten.
            log.warning("receipts_unreadable", number=found.unreadable)
        if found.verdicts:
            log.info("receipts_matched", moved=found.count(Verdict.MOVES), noted=found.count(Verdict.NOTED))
        return looked_at

    def sweep(self) -> None:
        """Forget what nobody waits for any more, some batches of it: who shares an account may be busier than we are."""
        if self.blind:
            return
        forgotten, last = 0, self._batch
        for _ in range(_SWEPT_BATCHES):
            if last < self._batch:
                break
            with writing(self._engine) as connection:
                last = parked_receipts.sweep(connection, self._batch)
            forgotten += last
        if forgotten:
            log.info("receipts_forgotten", number=forgotten)
