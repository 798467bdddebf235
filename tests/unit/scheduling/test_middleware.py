"""The lane queue is really the one that Dramatiq's worker takes from, or the process does not start."""

import threading
from types import SimpleNamespace

import dramatiq
import pytest
from dramatiq.brokers.stub import StubBroker

from notifier.queueing.broker import Grant
from notifier.scheduling.lane_queue import LaneQueue
from notifier.scheduling.middleware import LaneScheduling


def started(scheduling, *more):
    broker = StubBroker(middleware=[scheduling, *more])
    ran = threading.Semaphore(0)

    @dramatiq.actor(broker=broker, queue_name="email")
    def act(number):
        ran.release()

    return broker, act, ran, dramatiq.Worker(broker, worker_threads=1, worker_timeout=50)


def test_a_real_worker_takes_from_the_lane_queue_with_our_threads_and_prefetch():
    scheduling = LaneScheduling(lambda _: Grant("console"), threads=3)
    broker, act, ran, worker = started(scheduling)
    worker.start()
    try:
        assert worker.work_queue is scheduling.queue
        assert len(worker.workers) == 3
        assert worker.queue_prefetch == 6
        for number in range(20):
            act.send(number)
        for _ in range(20):
            assert ran.acquire(timeout=10)
        worker.join()
        assert scheduling.queue.unfinished_tasks == 0
    finally:
        worker.stop()
        broker.close()
    assert scheduling.queue.waiting().get("email", 0) == 0


def test_a_consumer_that_lost_its_connection_is_back_in_a_second(monkeypatch):
    """Dramatiq waits as long as we say: its own three seconds are too long for promise 8."""
    broker, act, ran, worker = started(LaneScheduling(lambda _: Grant("console"), threads=1))
    consume, waits = broker.consume, []

    class Lost(dramatiq.Consumer):
        def __next__(self):
            monkeypatch.setattr(broker, "consume", consume)
            raise dramatiq.ConnectionClosed("lost")

    monkeypatch.setattr(broker, "consume", lambda *_, **__: Lost())
    monkeypatch.setattr(dramatiq.worker, "time", SimpleNamespace(sleep=waits.append))
    worker.start()
    try:
        act.send(1)
        assert ran.acquire(timeout=20)
        assert set(waits) == {1.0}
    finally:
        worker.stop()
        broker.close()


class Tampers(dramatiq.Middleware):
    """Another middleware that puts a queue of its own in our place."""

    def before_worker_boot(self, broker, worker):
        worker.work_queue = LaneQueue(lambda _: Grant("other"))


class Fewer(dramatiq.Middleware):
    def before_worker_boot(self, broker, worker):
        worker.worker_threads = 1


@pytest.mark.parametrize("tamperer", [Tampers, Fewer])
def test_a_worker_that_takes_from_elsewhere_does_not_start(tamperer):
    broker, _, _, worker = started(LaneScheduling(lambda _: Grant("console"), threads=2), tamperer())
    try:
        with pytest.raises(SystemExit, match="lane queue"):
            worker.start()
    finally:
        worker.stop()
        broker.close()


def test_the_census_tells_a_thread_and_a_consumer_that_ended():
    """Dramatiq replaces neither. (The stub broker has a delay queue beside the queue: two consumers.)"""
    scheduling = LaneScheduling(lambda _: Grant("console"), threads=3)
    broker, _, _, worker = started(scheduling)
    none = {"threads": 3, "threads_alive": 0, "consumers": 0, "consumers_alive": 0}
    assert (scheduling.stage, scheduling.census()) == ("starting", none)
    worker.start()
    try:
        full = {"threads": 3, "threads_alive": 3, "consumers": 2, "consumers_alive": 2}
        assert (scheduling.stage, scheduling.census()) == ("running", full)
        for one in (worker.workers[0], worker.consumers["email"]):
            one.stop()
            one.join(20)
        assert scheduling.census() == full | {"threads_alive": 2, "consumers_alive": 1}
    finally:
        worker.stop()
        broker.close()
    assert scheduling.stage == "stopping"
    assert scheduling.census()["threads_alive"] == 0


def test_the_census_counts_only_the_queues_the_worker_was_given():
    scheduling = LaneScheduling(lambda _: Grant("console"), threads=1)
    broker, _, _, _ = started(scheduling)
    broker.declare_queue("sms")
    worker = dramatiq.Worker(broker, queues={"email"}, worker_timeout=50)
    worker.start()
    try:
        assert (scheduling.census()["consumers"], scheduling.census()["consumers_alive"]) == (2, 2)
    finally:
        worker.stop()
        broker.close()


def test_a_shutdown_starts_nothing_more():
    queue = LaneScheduling(lambda _: Grant("console"), threads=1, prefetch=7)
    _, _, _, worker = started(queue)
    queue.before_worker_shutdown(worker.broker, worker)
    with pytest.raises(Exception, match=r"^$"):
        queue.queue.get()
    worker.broker.close()
