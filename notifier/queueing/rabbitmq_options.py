"""What the publisher is told: whom to publish to, and within which bounds."""

from collections.abc import Sequence
from dataclasses import dataclass

import pika

from notifier.queueing.rabbitmq_topology import Topology


@dataclass(frozen=True, slots=True)
class PublisherOptions:
    """Whom to publish to and within which bounds (seconds; messages in flight; messages waiting)."""

    candidates: Sequence[pika.ConnectionParameters]
    queue_names: Sequence[str]
    topology: Topology
    confirm_seconds: float
    window: int
    limit: int
