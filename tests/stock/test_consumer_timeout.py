"""F10: high work keeps a prefetched low message waiting beyond RabbitMQ's consumer timeout (D1)."""

import time

import pytest

from notifier.domain.lanes import Channel, Lane, Priority
from tests.nodes.waiting import wait_until
from tests.stock.kit.counts import MENDED, count, note
from tests.stock.kit.workers import PATIENCE
from tests.storms.kit.form import FULL

HIGH, LOW = Lane(Channel.EMAIL, Priority.HIGH), Lane(Channel.EMAIL, Priority.LOW)
#: Seconds: RabbitMQ's timeout (it looks every `TICK`), and how long high work goes on over ours.
TIMEOUT, TICK, FLOOD = (30.0, 1.0, 150.0) if FULL else (3.0, 0.5, 5.0)
#: Seconds that one message takes, and how many high ones wait at any time.
TAKES, BACKLOG = 0.02, 50


@pytest.fixture(scope="module")
def hasty_node(own_node):
    """A broker that waits for acks as long as the test does; it reads this when a channel is opened."""
    for name, seconds in (("consumer_timeout", TIMEOUT), ("channel_tick_interval", TICK)):
        own_node.evaluate(f"application:set_env(rabbit, {name}, {int(seconds * 1000)}).")
    return own_node


@pytest.fixture
def hasty_url(hasty_node):
    """The AMQP URL of an empty virtual host on it."""
    with hasty_node.fresh_vhost() as url:
        yield url


def starve(subject, seconds):
    """One thread, one low message, and high ones without end, until the low one's consumer was killed twice.

    At the latest the high ones end after `seconds`. Returns the low message's id and how often its queue's
    consumer was opened by then.
    """
    subject.accept(BACKLOG, HIGH)
    # Stock holds enough high messages that a slow machine can't run out of them.
    worker = subject.worker("only", [HIGH, LOW], threads=1, seconds=TAKES, prefetch=20)
    wait_until(lambda: len(subject.ledger()) > 5, PATIENCE, "high messages under way")
    (low,) = subject.accept(1, LOW)
    end = time.monotonic() + seconds
    while (opened := worker.status()["opened"][subject.queue(LOW)]) < 3 and time.monotonic() < end:
        if len(subject.accepted) - len(subject.ledger()) < BACKLOG:
            subject.accept(10, HIGH)
    subject.settle([HIGH, LOW])
    return low, opened


def test_stock_runs_the_low_message_again_and_again(hasty_url, make_subject, record_property):
    """D1: without any crash the broker kills the starved consumer twice, and all three deliveries are run."""
    stock = make_subject("stock", hasty_url)
    low, opened = starve(stock, 3 * FLOOD)
    runs = sum(done == low for done, _ in stock.ledger())
    words = f"{opened - 1} consumers killed, {runs} runs"
    note(record_property, stock, "F10", "starved low message", faults=opened - 1, words=words)
    assert opened == 3, MENDED
    assert runs >= 3, MENDED
    assert count(stock).lost == 0


def test_ours_runs_the_low_message_once_and_in_turn(hasty_url, make_subject, record_property):
    """Promise 5: the low message overtakes high ones that wait, so no consumer is ever killed for it."""
    ours = make_subject("notifier", hasty_url)
    low, opened = starve(ours, FLOOD)
    at = dict(ours.ledger())
    overtaken = sum(ours.accepted[one] < ours.accepted[low] and at[one] > at[low] for one in at)
    words = f"started after {at[low] - ours.accepted[low]:.2f} s, before {overtaken} older high ones"
    note(record_property, ours, "F10", "starved low message", faults=0, words=words)
    assert count(ours).good
    assert opened == 1
    assert overtaken > 0
