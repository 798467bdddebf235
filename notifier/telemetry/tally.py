"""What there is to measure, noted where it happens and added up elsewhere.

A note costs about a quarter of a microsecond and takes no lock; a thread of its own folds the notes into the
metrics once a second (`reporter`). Values of prometheus_client are writes under one lock for all threads.
"""

from collections import deque
from collections.abc import Iterator
from typing import Final

from notifier.telemetry.metrics import Metric

Labels = tuple[str, ...]
Note = tuple[Metric, Labels, float]

#: Notes that wait at most: some seconds of the highest load. Beyond it the oldest are lost.
_MOST: Final = 500_000


class Tally:
    """Notes of one process, from any thread. Closed (`on` False) it keeps nothing."""

    __slots__ = ("_notes", "on")

    def __init__(self, *, on: bool = True) -> None:
        self.on = on
        self._notes: deque[Note] = deque(maxlen=_MOST)

    def add(self, metric: Metric, labels: Labels = (), number: float = 1.0) -> None:
        """Count so many, or, for a histogram, observe this value."""
        if self.on:
            self._notes.append((metric, labels, number))

    def take(self) -> Iterator[Note]:
        """Every note so far, each once; what comes meanwhile may be among them or come next time."""
        notes = self._notes
        for _ in range(len(notes)):
            yield notes.popleft()


#: For who is not told otherwise.
CLOSED = Tally(on=False)
