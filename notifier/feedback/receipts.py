"""Receipts that providers send: each judged by what reads those of its account, then stored. Off the event loop.

What is answered with success is durable; what could not be stored is the provider's to send again, and may come twice.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from notifier.domain.errors import Unavailable
from notifier.domain.lanes import Channel
from notifier.domain.receipts import (
    Forged,
    Handshake,
    NotNow,
    Reading,
    Receipt,
    ReceiptRequest,
    Verdict,
    kept,
)
from notifier.queueing.heard import clock, heard
from notifier.storage import faults, parked_receipts
from notifier.storage.engine import writing
from notifier.storage.provider_states import ProviderKey
from notifier.storage.receipts import Effects, Reported
from notifier.telemetry.tally import CLOSED, Tally

if TYPE_CHECKING:  # an extra
    from notifier.telemetry.tracing import Tracing

log = structlog.get_logger("notifier.receipts")

#: Receipts of one transaction, and how often it is tried where others got in its way.
_AT_ONCE, _TRIES = 500, 5


class Reader(Protocol):
    """Judges and reads the receipts of one account; `status` is the answer to those that are stored."""

    status: int

    def __call__(self, request: ReceiptRequest) -> Reading:
        """What `request` says; may block."""


class ReceiptDesk:
    """Takes receipts for the accounts that have any; `readers` judge and read, each those of its account."""

    def __init__(
        self,
        engine: Engine,
        readers: Mapping[ProviderKey, Reader],
        tracing: "Tracing | None" = None,
        tally: Tally = CLOSED,
    ) -> None:
        self._tracing = tracing
        self._tally = tally
        self._engine = engine
        self._readers = readers

    def accounts(self, name: str) -> list[ProviderKey]:
        """The accounts of this name that have receipts, one at the most in each channel."""
        return [key for key in (ProviderKey(channel, name) for channel in Channel) if key in self._readers]

    def take(self, key: ProviderKey, request: ReceiptRequest) -> Forged | Handshake | int:
        """Judge and store; a status once what it says is durable. Raises `Unavailable` where it can't be judged now.

        Blocks: a reader may ask the network, and storage takes its time.
        """
        reader = self._readers[key]
        reading = reader(request)
        match reading:
            case Forged(why):
                log.warning("receipt_forged", provider=str(key), why=why)
                return reading
            case NotNow(why):
                log.warning("receipt_not_now", provider=str(key), why=why)
                raise Unavailable
            case Handshake():
                log.info("receipt_handshake", provider=str(key))
                return reading
        for group in _groups(key, reading):
            began = clock()
            effects = self._store(group)
            heard(effects, self._tally, self._tracing, began)
            _tell(key, effects)
        return reader.status

    def _store(self, group: Sequence[Reported]) -> Effects:
        for _ in range(_TRIES):
            try:
                with writing(self._engine) as connection:
                    return parked_receipts.take(connection, group)
            except SQLAlchemyError as error:
                if not (faults.is_clash(error) or faults.is_lock_timeout(error)):
                    raise
        raise Unavailable


def _groups(key: ProviderKey, found: Sequence[Receipt]) -> Iterator[list[Reported]]:
    whole = [Reported(key, receipt) for receipt in map(kept, found) if receipt is not None]
    for first in range(0, len(whole), _AT_ONCE):
        yield whole[first : first + _AT_ONCE]


def _tell(key: ProviderKey, effects: Effects) -> None:
    log.info(
        "receipts_taken",
        provider=str(key),
        moved=effects.count(Verdict.MOVES),
        noted=effects.count(Verdict.NOTED),
        known=effects.count(Verdict.KNOWN),
        parked=len(effects.unmatched),
    )
