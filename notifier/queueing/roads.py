"""What the relay asks of a broker beside publishing: how full its queues are, and what died in them."""

from collections.abc import Callable, Mapping
from typing import Protocol
from uuid import UUID

from notifier.domain.lanes import Lane


class Road(Protocol):
    """A broker, as the relay sees it. Every call may fail with `OSError`-like broker errors."""

    def ready(self) -> Mapping[Lane, int] | None:
        """How many messages are ready in each lane's queue; None when that can't be told."""

    def has_room(self, lane: Lane) -> bool:
        """Whether the lane's queue takes more right now."""

    def drain_dead(self, ring: Callable[[list[UUID]], None], limit: int) -> int:
        """Hand the ids in the dead-letter queues to `ring`, then remove them; says how many there were."""

    def close(self) -> None:
        """Let go of connections."""
