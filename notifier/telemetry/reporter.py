"""Once a second: what was noted is folded into the metrics, gauges are read, and the process says how it fares."""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence

import structlog

from notifier.telemetry.book import Book
from notifier.telemetry.logs import lines_dropped
from notifier.telemetry.metrics import LOG_LINES_DROPPED, Metric
from notifier.telemetry.tally import Labels, Tally

log = structlog.get_logger("notifier.metrics")

EVERY = 1.0

#: What a part knows of this moment: values of gauges.
Reading = Iterable[tuple[Metric, Labels, float]]
#: A part that is asked for its gauges; what it raises costs its own values only.
Look = Callable[[], Reading]


class Totals:
    """Counts that somebody else keeps, as what they grew by since they were last read."""

    def __init__(self, metric: Metric, read: Callable[[], Mapping[Labels, float]]) -> None:
        self._metric = metric
        self._read = read
        self._before: dict[Labels, float] = {}

    def note(self, tally: Tally) -> None:
        """Note the growth of each."""
        for labels, total in self._read().items():
            more = total - self._before.get(labels, 0.0)
            self._before[labels] = total
            if more > 0:
                tally.add(self._metric, labels, more)


class Reporter:
    """A thread of its own. `say` writes how the process fares, for its probes."""

    def __init__(
        self,
        tally: Tally,
        looks: Sequence[Look] = (),
        totals: Sequence[Totals] = (),
        *,
        say: Callable[[], None] = lambda: None,
        every: float = EVERY,
    ) -> None:
        self.book = Book()
        self._tally = tally
        self._looks = tuple(looks)
        self._totals = (*totals, Totals(LOG_LINES_DROPPED, lambda: {(): float(lines_dropped())}))
        self._say = say
        self._every = every
        self._failing: set[int] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="metrics", daemon=True)

    def start(self) -> None:
        """Begin, with a first turn at once: a process is known from its start."""
        self.turn()
        self._thread.start()

    def stop(self) -> None:
        """A last turn, so that nothing noted is lost, then end."""
        self._stop.set()
        self._thread.join(5.0)
        self.turn()

    def turn(self) -> None:
        """Everything once."""
        for place, step in enumerate((*(one.note for one in self._totals), self._fold, self._said)):
            self._try(-1 - place, lambda step=step: step(self._tally))  # type: ignore[misc]
        for place, look in enumerate(self._looks):
            self._try(place, lambda look=look: self._set(look()))  # type: ignore[misc]

    def _fold(self, tally: Tally) -> None:
        self.book.fold(tally.take())

    def _said(self, _: Tally) -> None:
        self._say()

    def _set(self, reading: Reading) -> None:
        for metric, labels, value in reading:
            self.book.set(metric, labels, value)

    def _try(self, place: int, step: Callable[[], None]) -> None:
        """Metrics are never a reason to stop; a part that fails is named once, until it is well again."""
        try:
            step()
        except Exception as error:  # noqa: BLE001 - whatever a part raises
            if place not in self._failing:
                log.warning("metrics_unread", part=place, error=type(error).__name__)
            self._failing.add(place)
        else:
            self._failing.discard(place)

    def _run(self) -> None:
        while not self._stop.wait(self._every):
            self.turn()
