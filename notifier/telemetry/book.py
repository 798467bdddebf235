"""The metrics' values: prometheus_client's, made from the table, added to in lumps and written out for a scrape.

Imported only where metrics are kept or told, after `prepare_prometheus_dir`: with the directory named the
values of all processes of a launch lie there in files and are told together, else those of this process.
"""

import fcntl
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import prometheus_client
import structlog
from prometheus_client import multiprocess, values

from notifier.telemetry import dead_processes
from notifier.telemetry.metrics import TABLE, Kind, Metric
from notifier.telemetry.prometheus_dir import prometheus_dir
from notifier.telemetry.tally import Labels, Note

log = structlog.get_logger("notifier.metrics")

CONTENT_TYPE = prometheus_client.CONTENT_TYPE_LATEST
#: Without types of its own.
_client: Any = prometheus_client
_Launch: Any = multiprocess.MultiProcessCollector
_KEPT = {
    Kind.COUNTER: prometheus_client.Counter,
    Kind.GAUGE: prometheus_client.Gauge,
    Kind.HISTOGRAM: prometheus_client.Histogram,
}


class Book:
    """This process's values of every metric; for one thread."""

    def __init__(self) -> None:
        # Prometheus has no use for when a value was first seen, and would keep it as one more series each.
        _client.disable_created_metrics()
        if prometheus_dir() is not None and not _shared():
            log.error("metrics_not_shared", why="prometheus_client was imported before notifier.worker")
        self.registry = prometheus_client.CollectorRegistry()
        self._families = {metric: self._family(metric) for metric in TABLE}
        self._children: dict[tuple[Metric, Labels], Any] = {}

    def fold(self, notes: Iterable[Note]) -> None:
        """Add up, and write each value once."""
        sums: dict[tuple[Metric, Labels], float] = {}
        seen: dict[tuple[Metric, Labels], list[float]] = {}
        for metric, labels, number in notes:
            key = metric, labels
            if metric.buckets:
                seen.setdefault(key, []).append(number)
            else:
                sums[key] = sums.get(key, 0.0) + number
        for key, number in sums.items():
            self._child(*key).inc(number)
        for key, numbers in seen.items():
            self._observe(key, numbers)

    def set(self, metric: Metric, labels: Labels, value: float) -> None:
        """A gauge stands so."""
        self._child(metric, labels).set(value)

    def _observe(self, key: tuple[Metric, Labels], numbers: list[float]) -> None:
        """As `Histogram.observe` for each, with one write for each bucket; private, so a test holds it."""
        child, bounds = self._child(*key), key[0].buckets
        found: dict[int, int] = {}
        for number in numbers:
            place = bisect_left(bounds, number)
            found[place] = found.get(place, 0) + 1
        child._sum.inc(sum(numbers))  # noqa: SLF001
        for place, count in found.items():
            child._buckets[place].inc(count)  # noqa: SLF001

    def _child(self, metric: Metric, labels: Labels) -> Any:
        key = metric, labels
        child = self._children.get(key)
        if child is None:
            family = self._families[metric]
            child = self._children[key] = family.labels(*labels) if labels else family
        return child

    def _family(self, metric: Metric) -> Any:
        more: dict[str, Any] = {}
        if metric.kind is Kind.GAUGE:
            more["multiprocess_mode"] = str(metric.join)
        if metric.buckets:
            more["buckets"] = metric.buckets
        return _KEPT[metric.kind](metric.name, metric.meaning, metric.labels, registry=self.registry, **more)


def _shared() -> bool:
    """Whether values lie in the launch's directory: prometheus_client chose that when it was imported, or not."""
    kind: Any = values.ValueClass
    return bool(getattr(kind, "_multiprocess", False))


def told(book: Book | None) -> bytes:
    """The text of a scrape: of the launch's directory, or of `book` where there is none."""
    folder = prometheus_dir()
    if folder is None:
        if book is None:
            raise LookupError("neither values of this process nor a directory of its launch")
        return prometheus_client.generate_latest(book.registry)
    with locked(folder, fcntl.LOCK_EX):
        dead_processes.fold(folder)
    registry = prometheus_client.CollectorRegistry()
    _Launch(registry, str(folder))
    with locked(folder, fcntl.LOCK_SH):
        return prometheus_client.generate_latest(registry)


@contextmanager
def locked(folder: Path, how: int) -> Iterator[None]:
    """Nobody folds while somebody reads: the same values would be there twice, or not at all."""
    with (folder / "lock").open("ab") as file:
        fcntl.flock(file, how)
        yield
