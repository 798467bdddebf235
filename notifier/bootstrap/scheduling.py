"""The scheduler's lanes and figures as Settings name them."""

import math

from notifier.scheduling.policy import LaneOptions, Policy, Rank
from notifier.settings import Settings


def make_policy(settings: Settings, threads: int) -> Policy:
    """The rules' figures for a worker of so many threads."""
    weights, reserves = dict(settings.lane_weights), dict(settings.lane_reserves)
    usual = Policy(threads=threads)
    return Policy(
        threads=threads,
        weights=tuple(weights.get(rank.name.lower(), usual.weights[rank]) for rank in Rank),  # type: ignore[arg-type]
        reserve_parts=(
            int(reserves.get("high", usual.reserve_parts[0])),
            int(reserves.get("medium", usual.reserve_parts[1])),
        ),
        # One thread at least is left to whoever is busy.
        most_room=min(threads - 1, math.ceil(threads * settings.bulkhead_percent / 100)),
    )


def lane_options(settings: Settings) -> list[LaneOptions]:
    """Each lane as the scheduler knows it: a channel's lanes share its providers."""
    weights, minimums = dict(settings.lane_weights), dict(settings.lane_minimums)
    return [
        LaneOptions(
            lane.queue(settings.queue_prefix),
            Rank[lane.priority.name],
            str(lane.channel),
            weight=weights.get(lane.name),
            minimum=int(minimums.get(lane.name, minimums.get(str(lane.priority), 1))),
        )
        for lane in settings.lanes
    ]
