"""Which acks to write: the fewest frames that end every settled delivery and no other.

RabbitMQ numbers the deliveries of a channel 1, 2, 3 … without gaps. An ack with ``multiple`` ends every
delivery up to its tag, so it may name a tag only when all below are settled too, and only a tag that
is itself still unsettled at the broker (else: 406 unknown delivery tag).
"""

from collections.abc import Iterable


class AckLedger:
    """The settled tags of one channel; not thread-safe, it lives in the thread that writes.

    >>> ledger = AckLedger()
    >>> ledger.ack([2, 3])
    [(2, False), (3, False)]
    >>> ledger.ack([1, 4, 6])
    [(4, True), (6, False)]
    """

    __slots__ = ("_above", "_floor")

    def __init__(self) -> None:
        self._floor = 0
        self._above: set[int] = set()

    def ack(self, tags: Iterable[int]) -> list[tuple[int, bool]]:
        """The ``(tag, multiple)`` acks that end the newly settled `tags`, in the order to write them."""
        fresh = sorted(tags)
        self._above.update(fresh)
        self._raise_floor()
        run = [tag for tag in fresh if tag <= self._floor]
        writes = [(run[-1], len(run) > 1)] if run else []
        writes.extend((tag, False) for tag in fresh[len(run) :])
        return writes

    def settled_elsewhere(self, tags: Iterable[int]) -> None:
        """Note `tags` whose nack or reject is already written: later acks may step over them."""
        self._above.update(tags)
        self._raise_floor()

    def _raise_floor(self) -> None:
        above = self._above
        while self._floor + 1 in above:
            self._floor += 1
            above.remove(self._floor)
