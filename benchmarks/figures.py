"""Figures: pairs of samples become ratios, and ratios become verdicts. Pure.

Absolute numbers do not hold from one hour to the next, so what counts is the ratio of two samples taken one
after the other. A ratio's spread is that of the pairs, not the quotient of two spreads.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from statistics import median
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What one figure is to reach. `at_most`: the ratio is a cost (a latency), so less is better."""

    id: str
    work: str
    against: str
    unit: str
    ratio: float
    at_most: bool = False


@dataclass(frozen=True, slots=True)
class Pairs:
    """Samples of ours and of the peer, the n-th of both taken one after the other."""

    ours: tuple[float, ...]
    peer: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.ours or len(self.ours) != len(self.peer):
            raise ValueError("as many samples of ours as of the peer, and at least one")
        if min(self.ours + self.peer) <= 0:
            raise ValueError("a sample is a positive number")

    @property
    def ratios(self) -> tuple[float, ...]:
        """Ours by the peer's, pair by pair."""
        return tuple(ours / peer for ours, peer in zip(self.ours, self.peer, strict=True))


@dataclass(frozen=True, slots=True)
class Summary:
    """The median of some samples, and the least and greatest of them."""

    median: float
    least: float
    greatest: float


def summary(samples: Sequence[float]) -> Summary:
    """What is said of `samples` in a table."""
    return Summary(median(samples), min(samples), max(samples))


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One target with what was measured for it. `extra` is told and not judged."""

    target: Target
    pairs: Pairs
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def ratio(self) -> Summary:
        """The ratio over all pairs."""
        return summary(self.pairs.ratios)

    @property
    def reached(self) -> bool:
        """Whether the median ratio is as good as the target."""
        return self.margin >= 1

    @property
    def margin(self) -> float:
        """How good the ratio is by its target: 1 is just reached, 0.5 half way, 2 twice as good."""
        found, wanted = self.ratio.median, self.target.ratio
        return wanted / found if self.target.at_most else found / wanted


def best_of(rounds: Sequence[Mapping[Any, float]]) -> tuple[float, ...]:
    """The best of each round's samples, whatever they were taken with (thread counts)."""
    return tuple(max(samples.values()) for samples in rounds)


def percentile(samples: Sequence[float], share: float) -> float:
    """The sample that `share` (0 to 1) of all are not above: nearest rank."""
    ordered = sorted(samples)
    return ordered[max(1, ceil(len(ordered) * share)) - 1]
