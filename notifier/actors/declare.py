"""One declaration makes an actor for each lane on its own queue; each only calls `deliver`."""

from collections.abc import Callable, Iterable

import dramatiq

from notifier.actors.context import CurrentMessage
from notifier.domain.lanes import Lane
from notifier.queueing.broker import Proxy


def declare_actors(
    broker: dramatiq.Broker,
    lanes: Iterable[Lane],
    prefix: str,
    current: CurrentMessage,
    deliver: Callable[[Proxy], None],
) -> "list[dramatiq.Actor[..., None]]":
    """An actor ``<channel>_<priority>`` on ``<prefix>.<channel>.<priority>`` for every lane.

    Its arguments are the queue message's; they were checked before Dramatiq saw them, and `deliver` reads
    them from the proxy, so the actor itself has nothing to do but call it.
    """

    def act(*, v: int, lane: str, id: str, units: int) -> None:  # noqa: A002 - the message's own words
        deliver(current.present())

    return [
        dramatiq.Actor(
            act,
            broker=broker,
            actor_name=lane.actor,
            queue_name=lane.queue(prefix),
            priority=0,
            options={},
        )
        for lane in lanes
    ]
