"""A slow pipe never holds up whoever logs: lines wait up to a bound, then are dropped and counted."""

import io
import subprocess
import sys
import threading

import pytest

from notifier.telemetry.bounded_stream import BoundedStream


class Stalled(io.StringIO):
    """A pipe that takes nothing until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.entered = threading.Event()
        self.go = threading.Event()

    def write(self, text: str) -> int:
        self.entered.set()
        assert self.go.wait(60)
        return super().write(text)


@pytest.fixture
def stalled():
    pipe = Stalled()
    yield pipe
    pipe.go.set()


def test_lines_arrive_whole_and_in_order():
    pipe = io.StringIO()
    stream = BoundedStream(pipe, 1000)
    for number in range(500):
        stream.write(f"{number}\n")
    assert stream.drain(10)
    assert pipe.getvalue().split() == [str(number) for number in range(500)]
    assert stream.dropped == 0


def test_a_stalled_pipe_drops_what_is_beyond_the_bound_and_counts_it(stalled):
    stream = BoundedStream(stalled, 10)
    stream.write("in hand\n")
    assert stalled.entered.wait(60)
    for number in range(25):
        stream.write(f"{number}\n")
    assert stream.dropped == 15
    stalled.go.set()
    assert stream.drain(10)
    assert stalled.getvalue().split("\n") == ["in hand", *(str(number) for number in range(10)), ""]


def test_a_flush_at_the_end_is_bounded(stalled):
    stream = BoundedStream(stalled, 10)
    stream.write("x\n")
    assert stream.drain(0.05) is False


def test_a_broken_pipe_is_counted_and_the_next_lines_are_tried():
    class Broken(io.StringIO):
        broken = True

        def write(self, text: str) -> int:
            if self.broken:
                raise BrokenPipeError
            return super().write(text)

    pipe = Broken()
    stream = BoundedStream(pipe, 10)
    stream.write("lost\n")
    assert stream.drain(10)
    assert stream.dropped == 1
    pipe.broken = False
    stream.write("kept\n")
    assert stream.drain(10)
    assert pipe.getvalue() == "kept\n"


RUN = """
import sys
from notifier.telemetry.bounded_stream import BoundedStream
stream = BoundedStream(sys.stdout, 10000)
def child():
    global stream
    stream = BoundedStream(sys.stdout, 10000) if {anew} else stream
    for number in range(1000): stream.write("child\\n")
"""
OWN = "for number in range(1000): stream.write('own\\n')\n"
FORK = """
import multiprocessing
one = multiprocessing.get_context("fork").Process(target=child)
one.start(); one.join(); assert one.exitcode == 0
"""


def lines_of(code: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, timeout=60, check=False, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


def test_what_waits_at_the_end_of_a_process_is_written():
    assert lines_of(RUN.format(anew=False) + OWN) == ["own"] * 1000


@pytest.mark.parametrize("anew", [True, False])
def test_a_forked_child_writes_its_own_lines_and_none_of_its_parents(anew):
    """Dramatiq's children leave by os._exit: what they logged last must still arrive."""
    found = lines_of(RUN.format(anew=anew) + OWN + FORK)
    assert sorted(found) == ["child"] * 1000 + ["own"] * 1000


def test_it_passes_for_a_stream():
    stream = BoundedStream(io.StringIO(), 10)
    assert stream.isatty() is False
    assert stream.encoding == "utf-8"
    stream.flush()
