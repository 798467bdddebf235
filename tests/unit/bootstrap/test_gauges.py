"""When a worker counts as stalled: it has work that may go on, and nothing starts or ends."""

from queue import Empty
from types import SimpleNamespace

import pytest

from notifier.bootstrap import gauges
from notifier.queueing.broker import Epoch, Grant, NotBefore
from notifier.scheduling.lane_queue import LaneQueue


class Worker:
    """What is asked, around a real lane queue whose clock stands until it is moved."""

    def __init__(self, gate=lambda _: Grant("console")):
        self.now = 100.0
        self.queue = LaneQueue(gate, clock=lambda: self.now)
        self.scheduling = SimpleNamespace(keeper=object(), stage="running", queue=self.queue)
        self.recorder = SimpleNamespace(holding=False)

    def put(self, name="a"):
        message = SimpleNamespace(queue_name=name, epoch=Epoch(), grant=None)
        self.queue.put(SimpleNamespace(message=message))

    def stalled_after(self, seconds):
        self.now += seconds
        return gauges.stalled(self)


def test_one_without_work_is_never_stalled():
    worker = Worker()
    worker.put()
    worker.queue.get(block=False)
    worker.queue.task_done()
    assert worker.stalled_after(3600) == 0


def test_a_call_that_does_not_end_stalls_it_from_its_start():
    worker = Worker()
    worker.put()
    worker.queue.get(block=False)
    assert worker.stalled_after(50) == 50


def test_each_start_and_end_is_progress():
    worker = Worker()
    for _ in range(2):
        worker.put()
        worker.queue.get(block=False)
        assert worker.stalled_after(50) == 50
        worker.queue.task_done()
        worker.put()
        assert worker.stalled_after(7) == 7
        worker.queue.get(block=False)
        worker.queue.task_done()


def test_what_waits_and_no_thread_takes_stalls_it():
    worker = Worker()
    worker.put()
    assert worker.stalled_after(30) == 30


def test_what_may_not_start_stalls_nobody():
    """A limit, a breaker, or a person's pause."""
    gated = Worker(lambda _: NotBefore(5000))
    gated.put()
    with pytest.raises(Empty):
        gated.queue.get(block=False)
    assert gated.stalled_after(300) == 0
    paused = Worker()
    paused.put()
    paused.queue.pause({"a"})
    assert paused.stalled_after(300) == 0


@pytest.mark.parametrize("stage", ["starting", "stopping"])
def test_one_that_starts_or_stops_is_not_judged(stage):
    worker = Worker()
    worker.put()
    worker.scheduling.stage = stage
    assert worker.stalled_after(300) == 0


def test_one_that_waits_for_storage_waits_rightly():
    """Restarted for it, it would lose the outcomes that it holds."""
    worker = Worker()
    worker.put()
    worker.queue.get(block=False)
    worker.recorder.holding = True
    assert worker.stalled_after(300) == 0
