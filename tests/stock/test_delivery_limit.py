"""F11: consumers that crash use up the delivery limit of everything they had prefetched (L4, L5)."""

from contextlib import suppress
from types import SimpleNamespace

import pika
import pytest
from dramatiq.errors import ConnectionClosed

from notifier.domain.ids import notification_id
from notifier.domain.lanes import Channel, Lane, Priority
from notifier.queueing.messages import peek_id
from tests.conformance.brokers.harness import cut, take
from tests.nodes.waiting import wait_until
from tests.stock.kit.counts import MENDED, count, note
from tests.stock.kit.workers import PATIENCE
from tests.storms.kit.form import FULL

LANE = Lane(Channel.EMAIL, Priority.HIGH)
PREFETCHED = 50
#: What RabbitMQ 4.0 limits every quorum queue to, and Notifier's own limit (in the short form, a lower one).
LIMIT = 20
OUR_LIMIT, CRASHES = (50, 60) if FULL else (20, 22)
QUORUM = {"x-queue-type": "quorum", "x-delivery-limit": LIMIT}
NO_DEAD_LETTERS = {"x-dead-letter-exchange": None, "x-dead-letter-routing-key": None}


def crash(subject, held):
    """A consumer prefetches the `held` messages there are, and its connection dies before anything is done."""
    consumer = subject.broker.consume(subject.queue(LANE), prefetch=PREFETCHED, timeout=200)
    take(consumer, held)
    cut(getattr(consumer, "_link", None) or SimpleNamespace(_connection=consumer.connection._impl))
    with suppress(ConnectionClosed):
        take(consumer, 1)
    with suppress(ConnectionClosed):
        consumer.close()
    wait_until(lambda: not subject.consumed(LANE), PATIENCE, "the broker to notice")


def crash_often(subject, times):
    """Accept messages and crash so often; how many the queue still held after each crash."""
    subject.accept(PREFETCHED, LANE)
    wait_until(lambda: subject.ready(LANE) == PREFETCHED, PATIENCE, "every message to wait")
    left = [PREFETCHED]
    for _ in range(times):
        crash(subject, left[-1])
        left.append(subject.ready(LANE))
    return left[1:]


@pytest.mark.parametrize(
    ("more", "dead"), [(NO_DEAD_LETTERS, 0), ({}, PREFETCHED)], ids=["dropped", "dead-lettered"]
)
def test_stock_never_runs_what_crashes_have_used_up(
    rabbitmq_vhost_url, make_subject, record_property, more, dead
):
    """L5: all 50 are gone at the 21st crash; with a dead-letter queue they lie there, where no worker looks."""
    stock = make_subject("stock", rabbitmq_vhost_url, queue_arguments=QUORUM | more)
    left = crash_often(stock, CRASHES)
    assert left == [PREFETCHED] * LIMIT + [0] * (CRASHES - LIMIT), MENDED
    stock.worker("only", [LANE])
    stock.settle([LANE])
    wait_until(lambda: stock.ready(LANE, ".XQ") == dead, PATIENCE, f"{dead} dead letters")
    note(
        record_property,
        stock,
        "F11",
        "delivery limit",
        faults=CRASHES,
        words=f"{dead} in the dead-letter queue",
    )
    assert count(stock).lost == PREFETCHED, MENDED


def test_no_limit_is_a_limit_of_nothing_before_rabbitmq_4(rabbitmq_vhost_url, make_subject, record_property):
    """L4: with `x-delivery-limit: -1` RabbitMQ 3 drops every message at the first crash; 4 keeps them for ever."""
    unlimited = QUORUM | NO_DEAD_LETTERS | {"x-delivery-limit": -1}
    stock = make_subject("stock", rabbitmq_vhost_url, queue_arguments=unlimited)
    kept = 0 if version(rabbitmq_vhost_url) < 4 else PREFETCHED
    assert crash_often(stock, 1) == [kept]
    stock.worker("only", [LANE])
    stock.settle([LANE])
    note(record_property, stock, "F11", "limit -1", faults=1)
    assert count(stock).lost == PREFETCHED - kept


def version(url):
    """RabbitMQ's main version."""
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        return int(connection._impl.server_properties["version"].partition(".")[0])


def test_ours_sends_what_crashes_have_used_up(rabbitmq_vhost_url, make_subject, record_property):
    """Every message goes to the dead-letter queue, whence the relay rings again: each is sent once."""
    ours = make_subject("notifier", rabbitmq_vhost_url, settings={"delivery_limit": OUR_LIMIT})
    left = crash_often(ours, CRASHES)
    assert left == [PREFETCHED] * OUR_LIMIT + [0] * (CRASHES - OUR_LIMIT)
    wait_until(lambda: ours.ready(LANE, ".XQ") == PREFETCHED, PATIENCE, "every message to be a dead letter")
    assert {notification_id(peek_id(body)) for body in ours.bodies(LANE, ".XQ")} == ours.accepted.keys()
    ours.start_relay()
    ours.worker("only", [LANE])
    ours.settle([LANE])
    note(record_property, ours, "F11", "delivery limit", faults=CRASHES, words=f"limit {OUR_LIMIT}")
    assert count(ours).good
    assert ours.ready(LANE, ".XQ") == 0
