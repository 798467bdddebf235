"""The broker that Settings name, with what belongs to it."""

from dataclasses import dataclass
from typing import cast

import dramatiq

from notifier.queueing.broker import Publisher
from notifier.queueing.embedded import EmbeddedBroker
from notifier.queueing.rabbitmq import NotifierRabbitmqBroker
from notifier.queueing.rabbitmq_road import RabbitmqRoad
from notifier.queueing.rabbitmq_topology import QueueType
from notifier.queueing.roads import EmbeddedRoad, Road
from notifier.settings import Settings

#: A row the embedded queue had no room for may be offered again at once: its room is asked for first.
_REFUSED_WAIT = 0.05


@dataclass(frozen=True, slots=True)
class BrokerParts:
    """One broker, as consumers, publishers and the relay use it."""

    broker: dramatiq.Broker
    publisher: Publisher
    road: Road
    refused_wait: float = _REFUSED_WAIT


def make_broker(settings: Settings, middleware: list[dramatiq.Middleware] | None = None) -> BrokerParts:
    """The broker, not yet connected to anything."""
    if settings.embedded:
        embedded = EmbeddedBroker(
            settings.queue_prefix,
            settings.embedded_queue_limit,
            middleware=middleware or [],
            lanes=settings.lanes,
        )
        road = EmbeddedRoad(embedded, settings.embedded_queue_limit)
        return BrokerParts(embedded, embedded.publisher(), road)
    rabbitmq = NotifierRabbitmqBroker(
        settings.broker_url,
        prefix=settings.queue_prefix,
        queue_type=cast("QueueType", settings.queue_type),
        delivery_limit=settings.delivery_limit,
        confirm_seconds=settings.publish_confirm_seconds,
        lanes=settings.lanes,
        ca_file=settings.broker_ca_file,
        middleware=middleware or [],
    )
    return BrokerParts(rabbitmq, rabbitmq.publisher(), RabbitmqRoad(rabbitmq), refused_wait=1.0)


def start_publishing(broker: BrokerParts) -> None:
    """Connect the publisher in the background, so that the first message need not wait for it."""
    start = getattr(broker.publisher, "start", None)
    if start is not None:
        start()
