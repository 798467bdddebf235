"""The scheduler in a plain Dramatiq application: the example runs on the stub and on the stock RabbitMQ broker."""

import importlib.util
import threading
from pathlib import Path

import dramatiq
import pytest
from dramatiq.brokers.rabbitmq import RabbitmqBroker
from dramatiq.brokers.stub import StubBroker

from notifier.scheduling.middleware import LaneScheduling
from notifier.scheduling.policy import Policy, Rank

EXAMPLE = Path(__file__).parents[2] / "examples" / "lanes_in_plain_dramatiq.py"


@pytest.fixture(params=["stub", "stock RabbitMQ"])
def broker(request):
    """A broker that knows nothing of lanes."""
    if request.param == "stub":
        made = StubBroker()
    else:
        made = RabbitmqBroker(url=request.getfixturevalue("rabbitmq_vhost_url"), confirm_delivery=True)
    yield made
    made.close()


def test_high_overtakes_a_flood_that_was_there_before_it(broker):
    """Two threads, a hundred low messages queued: the high one is among the next to start."""
    # Held on purpose, so nothing is to stand in for what is overdue.
    scheduling = LaneScheduling(policy=Policy(threads=2, overdue=100, stalled=200))
    broker.add_middleware(scheduling)
    done, order, held = threading.Semaphore(0), [], threading.Event()
    started = threading.Semaphore(0)

    @dramatiq.actor(broker=broker, queue_name="reports", rank="low")
    def low(number):
        started.release()
        held.wait(30)
        order.append(number)
        done.release()

    @dramatiq.actor(broker=broker, queue_name="passwords", rank="high")
    def high():
        order.append("high")
        done.release()

    worker = dramatiq.Worker(broker, worker_threads=2, worker_timeout=100)
    worker.start()
    try:
        for number in range(100):
            low.send(number)
        for _ in range(2):
            assert started.acquire(timeout=30), "both threads are to be held before the high one comes"
        high.send()
        wait = threading.Event()
        for _ in range(300):
            if scheduling.queue.waiting().get("passwords"):
                break
            wait.wait(0.1)
        assert scheduling.queue.waiting()["passwords"] == 1, "it waits here, both threads are held"
        held.set()
        for _ in range(101):
            assert done.acquire(timeout=30)
    finally:
        held.set()
        worker.stop()
    assert order.index("high") <= 2
    assert sorted(one for one in order if one != "high") == list(range(100))
    lanes = scheduling.queue.look(
        lambda scheduler: {name: lane.rank for name, lane in scheduler.lanes.items()}
    )
    assert lanes["passwords"] == Rank.HIGH
    assert lanes["reports"] == Rank.LOW


def test_the_example_is_one(monkeypatch, rabbitmq_vhost_url, capsys):
    """A worker that loads it boots with its lanes and does the work."""
    monkeypatch.setenv("BROKER_URL", rabbitmq_vhost_url)
    found = importlib.util.spec_from_file_location("lanes_in_plain_dramatiq", EXAMPLE)
    example = importlib.util.module_from_spec(found)
    found.loader.exec_module(example)
    (scheduling,) = [one for one in example.broker.middleware if isinstance(one, LaneScheduling)]
    worker = dramatiq.Worker(example.broker, worker_threads=2, worker_timeout=100)
    worker.start()
    try:
        example.make_report.send(7)
        example.send_password.send("somebody")
        example.broker.join("reports", timeout=30_000)
        example.broker.join("passwords", timeout=30_000)
        worker.join()
        lanes = scheduling.queue.look(lambda scheduler: dict(scheduler.lanes))
    finally:
        worker.stop()
        example.broker.close()
    said = capsys.readouterr().out
    assert "report 7" in said
    assert "password mail" in said
    assert (lanes["reports"].rank, lanes["reports"].weight, lanes["reports"].resource.name) == (
        2,
        0.5,
        "reporting",
    )
    assert (lanes["passwords"].rank, lanes["passwords"].resource.name) == (0, "mail")
