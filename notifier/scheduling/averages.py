"""Averages that forget: each sample's weight halves with every half-life. The clock is the caller's."""

import math
from collections import deque

_LN2 = math.log(2)


def halved(seconds: float, half_life: float) -> float:
    """What is left of a weight of 1 after so long."""
    return math.exp(-_LN2 * max(0.0, seconds) / half_life)


class Rate:
    """Events a second, over about the last half-life."""

    __slots__ = ("_at", "_half_life", "_value")

    def __init__(self, half_life: float) -> None:
        self._half_life = half_life
        self._value = 0.0
        self._at = 0.0

    def add(self, now: float, number: float = 1.0) -> None:
        """So many events happened now."""
        self._value = self.read(now) + number * _LN2 / self._half_life
        self._at = now

    def read(self, now: float) -> float:
        """The rate as of now."""
        if not self._value:
            return 0.0
        return self._value * halved(now - self._at, self._half_life)


class Moments:
    """Mean and mean square of samples; what is long ago counts less, but stands until there is newer."""

    __slots__ = ("_at", "_half_life", "_squares", "_sum", "_weight")

    def __init__(self, half_life: float) -> None:
        self._half_life = half_life
        self._weight = self._sum = self._squares = 0.0
        self._at = 0.0

    def add(self, now: float, value: float) -> None:
        """A sample."""
        kept = self._kept(now)
        self._weight = self._weight * kept
        self._sum *= kept
        self._squares *= kept
        self._at = now
        self._weight += 1.0
        self._sum += value
        self._squares += value * value

    @property
    def known(self) -> bool:
        """Whether there was any sample."""
        return self._weight > 0

    @property
    def weight(self) -> float:
        """How many samples of now the kept ones count for, as of the last one."""
        return self._weight

    @property
    def mean(self) -> float:
        """The mean; 0 before the first sample."""
        return self._sum / self._weight if self._weight else 0.0

    @property
    def residual(self) -> float:
        """What a call looked at in its midst still lasts on average: E[x^2] / 2 E[x] (renewal theory)."""
        return self._squares / (2 * self._sum) if self._sum > 0 else 0.0

    def residual_with(self, now: float, value: float) -> float:
        """The same as if `value` were one sample more, of now."""
        kept = self._kept(now)
        total = self._sum * kept + value
        return (self._squares * kept + value * value) / (2 * total) if total > 0 else 0.0

    def _kept(self, now: float) -> float:
        # Never nothing: what was seen an hour ago is still better than no idea.
        return max(1e-9, halved(now - self._at, self._half_life))


class Latest:
    """A quantile of the latest samples."""

    __slots__ = ("_changed", "_samples", "_share", "_value")

    def __init__(self, keep: int, share: float) -> None:
        self._samples: deque[float] = deque(maxlen=keep)
        self._share = share
        self._value = 0.0
        self._changed = False

    def add(self, value: float) -> None:
        """A sample."""
        self._samples.append(value)
        self._changed = True

    def read(self) -> float:
        """The quantile by nearest rank; 0 before the first sample. Sorts, so ask on a tick, not for a pick."""
        if self._changed:
            ordered = sorted(self._samples)
            self._value = ordered[math.ceil(self._share * len(ordered)) - 1]
            self._changed = False
        return self._value
