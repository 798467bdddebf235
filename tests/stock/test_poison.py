"""F20: bodies of section G straight in the queue (S1, S2): stock sticks or loses threads, ours goes on."""

import os
import pickle
from collections import Counter

import pytest

from notifier.domain.ids import parse_notification_id
from notifier.domain.lanes import Channel, Lane, Priority
from notifier.queueing.messages import QueueMessage
from tests.catalogue.bodies import BadBody, bad_bodies
from tests.conformance.brokers.harness import new_messages
from tests.nodes.waiting import wait_until
from tests.stock.kit.counts import MENDED, count, note
from tests.stock.kit.workers import PATIENCE
from tests.storms.kit.form import FULL

LANE = Lane(Channel.EMAIL, Priority.HIGH)
#: How often each poison comes, a good message after every few of them.
REPEATS, FEW = (20 if FULL else 2), 8
#: One more than there are poisons that kill one each.
THREADS = REPEATS + 1
#: Promise 13: the rest goes on within 2 s. In short the tests share two cores with others.
SECONDS = 2.0 if FULL else 20.0
STICKS, KILLS = "G08 options null", "G09 a strange queue"


class Canary:
    """Unpickled, it leaves a folder behind."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.fixture
def canary(tmp_path):
    """What unpickling would leave behind; proved to sing."""
    pickle.loads(pickle.dumps(Canary(tmp_path / "proof")))
    assert (tmp_path / "proof").exists()
    return tmp_path / "unpickled"


def poisons(subject, canary, name=None):
    """The bodies of section G, or the one of that name, as they fit the subject's queues."""
    (message,) = new_messages(1, LANE)
    found = bad_bodies(message, subject.prefix)
    found.append(BadBody("G17 a pickled canary", pickle.dumps(Canary(canary)), "undecodable"))
    return [bad for bad in found if name in {None, bad.name}]


def mix(subject, bad):
    """A worker meets good messages and poison in turn, until all good ones are done or its consumer fails again
    and again. Returns the worker, and what it counted before and after.
    """
    worker = subject.worker("only", [LANE], threads=THREADS)
    before = worker.status()
    subject.accept(1, LANE)
    wait_until(lambda: all_done(subject), PATIENCE, "the first good message")
    for _ in range(REPEATS):
        for start in range(0, len(bad), FEW):
            subject.put([one.body for one in bad[start : start + FEW]], LANE)
            subject.accept(1, LANE)
    wait_until(
        lambda: all_done(subject) or failures(worker, subject) > 5, PATIENCE, "good messages to be done"
    )
    return worker, before, worker.status()


def all_done(subject):
    return subject.accepted.keys() <= {done for done, _ in subject.ledger()}


def failures(worker, subject):
    """How often the lane's consumer had to be opened again."""
    return worker.status()["opened"][subject.queue(LANE)] - 1


def test_stock_sticks_at_options_null(rabbitmq_vhost_url, make_subject, canary, record_property):
    """S1: the consumer fails at the poison for ever, and nothing behind it is ever run."""
    stock = make_subject("stock", rabbitmq_vhost_url)
    worker, _, _ = mix(stock, poisons(stock, canary, STICKS))
    before = failures(worker, stock)
    assert before > 5, MENDED
    wait_until(lambda: failures(worker, stock) > before + 5, PATIENCE, f"more failures; {MENDED}")
    assert {done for done, _ in stock.ledger()} == {next(iter(stock.accepted))}, MENDED
    note(record_property, stock, "F20", STICKS, faults=REPEATS, words="stuck, not lost")


def test_stock_loses_a_thread_to_each_strange_queue(
    rabbitmq_vhost_url, make_subject, canary, record_property
):
    """S2: each such body is run, and the thread that ran it dies for good."""
    stock = make_subject("stock", rabbitmq_vhost_url)
    worker, before, _ = mix(stock, poisons(stock, canary, KILLS))
    dead = lambda: before["threads"] - worker.status()["threads"]  # noqa: E731
    wait_until(lambda: dead() == REPEATS, PATIENCE, f"a thread to die of each; {MENDED}")
    note(record_property, stock, "F20", KILLS, faults=REPEATS, words=f"{REPEATS} of {THREADS} threads dead")
    assert before["threads"] == THREADS
    assert count(stock).unexpected == 1, MENDED


def test_ours_goes_on(rabbitmq_vhost_url, make_subject, canary, record_property):
    """Promise 13: every poison is dead and counted once, every good message is sent once, every thread lives."""
    ours = make_subject("notifier", rabbitmq_vhost_url)
    bad = poisons(ours, canary)
    worker, before, after = mix(ours, bad)
    number = len(bad) * REPEATS
    wait_until(lambda: ours.ready(LANE, ".XQ") == number, PATIENCE, "every poison among the dead letters")
    assert Counter(ours.bodies(LANE, ".XQ")) == Counter([one.body for one in bad] * REPEATS)
    after = worker.status()
    assert Counter(after["bad"]) == Counter([one.reason for one in bad] * REPEATS)
    assert (after["threads"], after["consumers"]) == (before["threads"], before["consumers"]) == (THREADS, 9)
    assert failures(worker, ours) == 0
    assert not canary.exists()
    assert count(ours).good
    slow = slowest_hundredth(ours)
    note(
        record_property, ours, "F20", "all bodies of section G", faults=number, words=f"good p99 {slow:.2f} s"
    )
    assert slow < SECONDS

    # What is ours but gone or final is acked, and the relay leaves no poison in the dead-letter queue.
    (gone,) = new_messages(1, LANE)
    final = QueueMessage(LANE, parse_notification_id(next(iter(ours.accepted))))
    ours.put([gone.encode(ours.prefix), final.encode(ours.prefix)], LANE)
    wait_until(lambda: worker.status()["not_claimable"] == 2, PATIENCE, "both bells to be counted")
    ours.start_relay()
    seconds = PATIENCE + number / 5
    wait_until(lambda: ours.ready(LANE, ".XQ") == 0, seconds, "the dead letters to be taken")
    ours.stop_relay()
    ours.settle([LANE])
    assert count(ours).good
    assert (ours.ready(LANE), ours.ready(LANE, ".XQ")) == (0, 0)


def slowest_hundredth(subject):
    """The 99th percentile of the seconds from accepted to sent."""
    waits = sorted(at - subject.accepted[done] for done, at in subject.ledger())
    return waits[int(len(waits) * 0.99)]
