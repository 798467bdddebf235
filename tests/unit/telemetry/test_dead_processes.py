"""One launch of several processes: all are told together, and a dead one's counts stay without its file."""

import os
import subprocess
import sys

import pytest

from notifier.telemetry.prometheus_dir import VARIABLE

#: A process of the launch: notes what it is told to, and says so; it lives until its input ends.
WORKS = """
import sys
from notifier.telemetry import metrics
from notifier.telemetry.book import Book
from notifier.telemetry.tally import Tally
tally, book = Tally(), Book()
tally.add(metrics.ACCEPTED, ("sms", "high"), 3)
for seconds in (0.01, 2.0):
    tally.add(metrics.QUEUE_WAIT, ("sms", "high"), seconds)
book.fold(tally.take())
book.set(metrics.RUNNING, ("sms", "high"), 2.0)
book.set(metrics.OUTBOX_OLDEST, (), float(sys.argv[1]))
print("noted", flush=True)
sys.stdin.read()
"""
TELLS = "import sys; from notifier.telemetry.book import told; sys.stdout.buffer.write(told(None))"


class Launch:
    def __init__(self, folder):
        self.folder = folder
        self.env = {**os.environ, VARIABLE: str(folder)}
        self.processes = []

    def work(self, oldest):
        process = subprocess.Popen(
            [sys.executable, "-c", WORKS, str(oldest)],
            env=self.env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.processes.append(process)
        assert process.stdout.readline() == b"noted\n"
        return process

    def told(self):
        done = subprocess.run([sys.executable, "-c", TELLS], env=self.env, capture_output=True, check=True)
        lines = [line for line in done.stdout.decode().splitlines() if not line.startswith("#")]
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}

    def files(self):
        return sorted(path.name for path in self.folder.glob("*.db"))

    def close(self):
        for process in self.processes:
            process.kill()
            process.wait(60)
            process.stdin.close()
            process.stdout.close()


@pytest.fixture
def launch(tmp_path):
    found = Launch(tmp_path)
    yield found
    found.close()


COUNTED = {
    'notifier_accepted_total{channel="sms",priority="high"}': 6,
    'notifier_queue_wait_seconds_count{channel="sms",priority="high"}': 4,
    'notifier_queue_wait_seconds_bucket{channel="sms",le="0.025",priority="high"}': 2,
    'notifier_queue_wait_seconds_sum{channel="sms",priority="high"}': 4.02,
}


def test_processes_are_told_together_and_the_dead_go_on_counting(launch):
    """Counts are summed; threads of the living are summed, ages are the worst; the dead have no threads."""
    first, second = launch.work(5), launch.work(9)
    both = launch.told()
    assert {name: both[name] for name in COUNTED} == pytest.approx(COUNTED)
    assert both['notifier_running_threads{channel="sms",priority="high"}'] == 4
    assert both["notifier_outbox_oldest_seconds"] == 9
    second.kill()
    second.wait(60)
    one = launch.told()
    assert {name: one[name] for name in COUNTED} == pytest.approx(COUNTED)
    assert one['notifier_running_threads{channel="sms",priority="high"}'] == 2
    assert one["notifier_outbox_oldest_seconds"] == 5
    first.kill()
    first.wait(60)
    none = launch.told()
    assert {name: none[name] for name in COUNTED} == pytest.approx(COUNTED)
    assert 'notifier_running_threads{channel="sms",priority="high"}' not in none
    assert launch.files() == ["counter_gone.db", "histogram_gone.db"]


def test_every_scrape_says_the_same_while_nothing_happens(launch):
    launch.work(1)
    assert launch.told() == launch.told()
