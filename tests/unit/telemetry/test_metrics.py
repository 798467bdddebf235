"""The table of metrics, the notes, and the values that are made of them."""

import re
import subprocess
import sys
import threading
from collections import Counter

import prometheus_client
import pytest

from notifier.telemetry import metrics
from notifier.telemetry.book import Book, told
from notifier.telemetry.metrics import TABLE, Kind
from notifier.telemetry.reporter import Reporter, Totals
from notifier.telemetry.tally import CLOSED, Tally

#: What a label may be called: each is a closed set, or as many as there are accounts, queues and routes.
BOUNDED = {
    "to",
    *("channel", "priority", "provider", "outcome", "reason", "route", "method", "code", "kind", "state"),
    *("direction", "queue", "role", "version"),
}


def values(book):
    """Every sample of the text, without comments."""
    lines = [line for line in told(book).decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


@pytest.mark.parametrize("metric", TABLE, ids=lambda metric: metric.name)
def test_each_metric_is_named_as_prometheus_asks(metric):
    """Counters end in _total, times are in seconds and say so, labels are bounded, and each says what it means."""
    assert re.fullmatch(r"notifier_[a-z_]+", metric.name)
    assert metric.name.endswith("_total") == (metric.kind is Kind.COUNTER)
    assert bool(metric.buckets) == (metric.kind is Kind.HISTOGRAM)
    if metric.unit == "seconds":
        assert "_seconds" in metric.name
    assert set(metric.labels) <= BOUNDED
    assert len(metric.meaning) > 20
    assert metric.meaning.endswith(".") or metric.meaning[-1].isalnum()


def test_no_name_is_given_twice():
    assert Counter(metric.name for metric in TABLE).most_common(1)[0][1] == 1


def test_a_goal_of_high_is_a_bound_of_what_is_measured():
    """10 s and 60 s: a share below a bound that no bucket has could only be guessed."""
    for metric in (metrics.END_TO_END, metrics.QUEUE_WAIT):
        assert {10.0, 60.0} <= set(metric.buckets)


def test_lumps_give_what_single_observations_give():
    """The book writes private parts of prometheus_client; this holds for each version that they mean the same."""
    numbers = [0.0, 0.005, 0.0051, 1.0, 59.9, 60.0, 61.0, 1e6]
    tally, book, registry = Tally(), Book(), prometheus_client.CollectorRegistry()
    plain = prometheus_client.Histogram(
        "notifier_queue_wait_seconds",
        metrics.QUEUE_WAIT.meaning,
        metrics.QUEUE_WAIT.labels,
        registry=registry,
        buckets=metrics.QUEUE_WAIT.buckets,
    )
    for number in numbers:
        tally.add(metrics.QUEUE_WAIT, ("sms", "high"), number)
        plain.labels("sms", "high").observe(number)
    book.fold(tally.take())
    mine = {name: value for name, value in values(book).items() if name.startswith("notifier_queue_wait")}
    text = prometheus_client.generate_latest(registry).decode()
    for line in text.splitlines():
        if not line.startswith("#"):
            name, value = line.rsplit(" ", 1)
            assert mine.pop(name) == float(value)
    assert mine == {}


def test_a_closed_tally_keeps_nothing():
    CLOSED.add(metrics.ACCEPTED, ("sms", "high"))
    assert list(CLOSED.take()) == []


def test_notes_of_many_threads_are_each_counted_once():
    """No lock is taken, and none is lost while somebody folds."""
    tally, book, stop = Tally(), Book(), threading.Event()

    def fold():
        while not stop.is_set():
            book.fold(tally.take())

    def note():
        for _ in range(5000):
            tally.add(metrics.ACCEPTED, ("sms", "high"))

    folding, threads = threading.Thread(target=fold), [threading.Thread(target=note) for _ in range(4)]
    for one in (folding, *threads):
        one.start()
    for one in threads:
        one.join()
    stop.set()
    folding.join()
    book.fold(tally.take())
    assert values(book)['notifier_accepted_total{channel="sms",priority="high"}'] == 20_000


def test_a_total_kept_elsewhere_is_told_as_what_it_grew_by():
    kept = {("empty",): 2.5}
    tally = Tally()
    reporter = Reporter(tally, totals=[Totals(metrics.IDLE_SECONDS, lambda: kept)])
    reporter.turn()
    kept["empty",] = 4.0
    reporter.turn()
    assert values(reporter.book)['notifier_idle_thread_seconds_total{reason="empty"}'] == 4.0


def test_a_part_that_fails_costs_its_own_values_only():
    """The others are told, the process says that it lives, and the turn does not raise."""
    spoken = []

    def broken():
        raise OSError("away")

    def well():
        yield metrics.PENDING, (), 7.0

    reporter = Reporter(Tally(), [broken, well], say=lambda: spoken.append(1))
    reporter.turn()
    assert values(reporter.book)["notifier_pending_notifications"] == 7.0
    assert spoken == [1]


def test_what_was_noted_last_is_told_when_the_process_ends():
    tally = Tally()
    reporter = Reporter(tally, every=60)
    reporter.start()
    tally.add(metrics.ACCEPTED, ("push", "low"), 3)
    reporter.stop()
    assert values(reporter.book)['notifier_accepted_total{channel="push",priority="low"}'] == 3


@pytest.mark.parametrize(("first", "said"), [("", False), ("import prometheus_client; ", True)])
def test_metrics_that_would_be_told_nowhere_are_no_secret(first, said, tmp_path):
    """Whoever imports prometheus_client before the directory is named reads of it in the log."""
    code = (
        f"{first}import os; os.environ['PROMETHEUS_MULTIPROC_DIR'] = {str(tmp_path)!r};"
        "from notifier.telemetry.book import Book; Book()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ("metrics_not_shared" in done.stdout) == said


@pytest.mark.parametrize(
    "module",
    [
        *("notifier.telemetry.metrics", "notifier.telemetry.tally", "notifier.delivery.measuring"),
        *("notifier.bootstrap.metrics_fork", "notifier.bootstrap.relays", "notifier.http.server"),
    ],
)
def test_what_is_imported_before_the_directory_is_named_leaves_prometheus_alone(module):
    """prometheus_client chooses its mode when it is imported."""
    code = f"import sys, {module}; print('prometheus_client' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
