"""What the relay asks of a broker beside publishing: how full its queues are, and what died in them."""

from collections.abc import Callable, Mapping
from typing import Protocol
from uuid import UUID

from notifier.domain.lanes import Lane
from notifier.queueing.embedded import EmbeddedBroker
from notifier.queueing.messages import peek_id

#: Takes ids and returns only once their bells are owed in storage.
Ring = Callable[[list[UUID]], None]


class Road(Protocol):
    """A broker, as the relay sees it. A broker that is away makes no error here, only no answer."""

    @property
    def lanes(self) -> tuple[Lane, ...]:
        """The lanes that it has a queue for; what is owed for others waits in storage."""

    def ready(self) -> Mapping[Lane, int] | None:
        """How many messages are ready in each lane's queue; None when that can't be told."""

    def has_room(self, lane: Lane) -> bool:
        """Whether the lane's queue takes more right now."""

    def drain_dead(self, ring: Ring, limit: int) -> int:
        """Hand the ids in the dead-letter queues to `ring`, then remove them; says how many there were."""


class EmbeddedRoad:
    """The broker inside this process."""

    def __init__(self, broker: EmbeddedBroker, limit: int) -> None:
        self._broker = broker
        self._queues = {lane: name for name, lane in broker.bodies.lanes.items()}
        self._limit = limit

    @property
    def lanes(self) -> tuple[Lane, ...]:
        """See `Road`."""
        return tuple(self._queues)

    def ready(self) -> Mapping[Lane, int] | None:
        """See `Road`."""
        counts = self._broker.counts(list(self._queues.values()))
        return {lane: counts[name][0] for lane, name in self._queues.items()}

    def has_room(self, lane: Lane) -> bool:
        """Half of it, so that whole outbox rows fit and full queues are not asked again and again."""
        name = self._queues[lane]
        return self._broker.counts([name])[name][0] <= self._limit // 2

    def drain_dead(self, ring: Ring, limit: int) -> int:
        """See `Road`."""

        def use(bodies: list[bytes]) -> None:
            ids = [found for body in bodies if (found := peek_id(body)) is not None]
            if ids:
                ring(ids)

        return self._broker.drain_dead(use, limit)
