"""Lanes as the actors of an application describe them by their options."""

from collections.abc import Iterator

import dramatiq

from notifier.scheduling.policy import LaneOptions, Rank

#: What an actor may say of its queue: `rank` is ``high``, ``medium`` or ``low``.
OPTIONS = ("rank", "weight", "minimum", "resource")


def lanes_of(broker: dramatiq.Broker) -> Iterator[LaneOptions]:
    """One lane for each queue that has an actor; where several share one, the first that says anything decides.

    Raises `ValueError` for an option that is none, naming the actor.
    """
    said: dict[str, LaneOptions] = {}
    silent: set[str] = set()
    for actor in broker.actors.values():
        options = {name: actor.options[name] for name in OPTIONS if actor.options.get(name) is not None}
        if actor.queue_name in said and (not options or actor.queue_name not in silent):
            continue
        (silent.discard if options else silent.add)(actor.queue_name)
        said[actor.queue_name] = _lane(actor, options)
    yield from said.values()


def _lane(actor: "dramatiq.Actor[..., object]", options: dict[str, object]) -> LaneOptions:
    rank = str(options.get("rank", "medium"))
    if rank.upper() not in Rank.__members__:
        raise ValueError(f"actor {actor.actor_name}: rank is high, medium or low, not {rank!r}")
    found: dict[str, object] = {name: value for name, value in options.items() if name != "rank"}
    # A queue of its own is a resource of its own, unless it says whose it shares.
    found.setdefault("resource", actor.queue_name)
    try:
        return LaneOptions(actor.queue_name, Rank[rank.upper()], **found)  # type: ignore[arg-type]
    except (TypeError, ValueError) as error:
        raise ValueError(f"actor {actor.actor_name}: {error}") from None
