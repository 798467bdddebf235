"""The nodes of one cluster, as the consumers of a process know them: who failed lately is asked last.

A frozen node takes connections and never answers: each consumer would find out for itself, ten seconds long.
"""

import time
from collections.abc import Callable, Iterator, Sequence

import pika

from notifier.queueing.rabbitmq_parameters import shuffled

#: Seconds that a node which failed stands behind the others.
SHUNNED = 30.0


class Hosts:
    """Iterate for the order of one attempt: whoever asks for the next one found the one before wanting."""

    def __init__(
        self,
        candidates: Sequence[pika.ConnectionParameters],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._candidates = candidates
        self._clock = clock
        self._failed_at: dict[tuple[str, int], float] = {}

    def failed(self, candidate: pika.ConnectionParameters) -> None:
        """From any thread: it did not answer, or the connection to it was lost."""
        self._failed_at[candidate.host, candidate.port] = self._clock()

    def __iter__(self) -> Iterator[pika.ConnectionParameters]:
        for candidate in sorted(shuffled(self._candidates), key=self._shunned):
            yield candidate
            self.failed(candidate)

    def _shunned(self, candidate: pika.ConnectionParameters) -> bool:
        failed_at = self._failed_at.get((candidate.host, candidate.port))
        return failed_at is not None and self._clock() - failed_at < SHUNNED
