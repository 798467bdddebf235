"""A skewed clock is wrong for one process and its children, jumps, and changes no measure and no wait."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.nodes.skewed_clock import SkewedClock
from tests.nodes.waiting import wait_until

HOUR = 3600.0
_PATIENCE = 30  # seconds: a failure, not a pause
_ROOT = Path(__file__).parents[2]

# Answers each line of its input, the length of a wait, with what its clocks say after that wait.
_CHILD = """
import json, queue, select, subprocess, sys, threading, time

def take(seconds):
    try:
        queue.Queue().get(timeout=seconds)
    except queue.Empty:
        pass

def hold(seconds):
    lock = threading.Lock()
    with lock:
        lock.acquire(timeout=seconds)

def in_thread(seconds):
    thread = threading.Thread(target=lambda: threading.Event().wait(seconds))
    thread.start()
    thread.join()

WAITS = {
    "event": lambda seconds: threading.Event().wait(seconds),
    "queue": take,
    "lock": hold,
    "sleep": time.sleep,
    "select": lambda seconds: select.select([], [], [], seconds),
    "thread": in_thread,
}
for line in sys.stdin:
    how, seconds = json.loads(line)
    began = time.monotonic()
    WAITS[how](seconds)
    print(json.dumps([time.time(), time.monotonic(), time.monotonic() - began]), flush=True)
"""

_WORKER = """
import threading
import dramatiq
from dramatiq.brokers.stub import StubBroker

broker = StubBroker()
dramatiq.set_broker(broker)
done = threading.Event()

@dramatiq.actor
def ring():
    done.set()

worker = dramatiq.Worker(broker, worker_threads=4)
worker.start()
ring.send_with_options(delay=100)
print(done.wait(30), flush=True)
worker.stop()
"""


@pytest.fixture
def clock(tmp_path):
    return SkewedClock(tmp_path / "clock")


@contextmanager
def _child(clock):
    process = subprocess.Popen(
        [sys.executable, "-c", _CHILD],
        env=os.environ | clock.environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _say(process, how, seconds):
    process.stdin.write(json.dumps([how, seconds]) + "\n")
    process.stdin.flush()


def _hear(process):
    """How far ahead its wall clock and its monotonic clock are, and how long its wait lasted."""
    wall, monotonic, waited = json.loads(process.stdout.readline())
    return wall - time.time(), monotonic - time.monotonic(), waited


def _ask(process, how="event", seconds=0.0):
    _say(process, how, seconds)
    return _hear(process)


@pytest.mark.parametrize("skew", [HOUR, -HOUR], ids=["ahead", "behind"])
def test_the_wall_clock_is_wrong_and_waits_are_right(clock, skew):
    """Only the wall clock is skewed; every kind of wait lasts as long as it should."""
    clock.skew(skew)
    with _child(clock) as process:
        for how in ("event", "queue", "lock", "sleep", "select", "thread"):
            wall, monotonic, waited = _ask(process, how, 0.2)
            assert wall == pytest.approx(skew, abs=_PATIENCE)
            assert monotonic == pytest.approx(0, abs=_PATIENCE)
            assert 0.19 <= waited < _PATIENCE, how


@pytest.mark.parametrize("how", ["event", "sleep"])
def test_a_jump_is_seen_and_ends_no_wait(clock, how):
    """The clock of a running process jumps, forth and back, and a wait that is under way is not touched."""
    with _child(clock) as process:
        assert _ask(process)[0] == pytest.approx(0, abs=_PATIENCE)
        for skew in (HOUR, -2 * HOUR):
            _say(process, how, 2.0)
            clock.skew(skew)
            assert 1.99 <= _hear(process)[2] < _PATIENCE
            wait_until(
                lambda skew=skew: abs(_ask(process)[0] - skew) < _PATIENCE, _PATIENCE, "the jump to be seen"
            )


def test_a_worker_with_threads_works_under_it(clock):
    """Dramatiq's threads start, wait and stop, and a message that is due later is due at the right time."""
    clock.skew(HOUR)
    done = subprocess.run(
        [sys.executable, "-c", _WORKER],
        env=os.environ | clock.environment(),
        cwd=_ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stdout == "True\n", done.stderr


def test_a_killed_process_leaves_nothing_in_shared_memory(clock, tmp_path):
    """Its remains are removed by the next clock; those of the living stay."""
    with _child(clock) as living, _child(clock) as killed:
        _ask(living)
        _ask(killed)
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        SkewedClock(tmp_path / "next")
        left = [path.name for path in Path("/dev/shm").glob("*faketime*")]
        assert not [name for name in left if name.endswith(f"_{killed.pid}")]
        assert len([name for name in left if name.endswith(f"_{living.pid}")]) == 2
