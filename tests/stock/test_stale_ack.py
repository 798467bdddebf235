"""F7: a connection that blips makes stock Dramatiq ack other messages than it ran (L1); never ours."""

import threading

from notifier.domain.lanes import Channel, Lane, Priority
from tests.nodes.waiting import wait_until
from tests.stock.kit.counts import MENDED, count, note
from tests.stock.kit.workers import PATIENCE
from tests.storms.kit.form import FULL

LANE = Lane(Channel.EMAIL, Priority.HIGH)


def blip_and_kill(subject):
    """A worker's connection is cut while it works; later, at work on what came after the cut, it is killed.

    The other consumer has taken over the first two messages; after the cut two more are accepted.
    """
    subject.accept(2, LANE)
    first = subject.worker("first", [LANE], hold=True)
    first.wait_started(1)
    wait_until(lambda: subject.ready(LANE) == 0, PATIENCE, "both messages to be prefetched")
    other = subject.worker("other", [LANE], hold=True)
    first.cut(subject.queue(LANE))
    other.wait_started(1)
    reopened = lambda: first.status()["opened"][subject.queue(LANE)] == 2  # noqa: E731
    wait_until(reopened, PATIENCE, "the first worker's return")
    # Not before: the other one may have room for both, and then the first would never get any.
    after = subject.accept(2, LANE)
    wait_until(lambda: subject.ready(LANE) == 0, PATIENCE, "every message to be prefetched")
    finished = finish_until(first, set(after))
    subject.wait_settled(first, finished)
    first.kill()
    other.let_all()


def finish_until(worker, these):
    """Let the worker finish, one after the other, what it holds, until it holds one of `these`; what it finished."""
    finished = []
    while (now := worker.wait_started(len(finished) + 1)[-1]) not in these:
        worker.let(now)
        finished.append(now)
    return finished


def test_stock_acks_what_it_never_ran(rabbitmq_vhost_url, make_subject, record_property):
    """L1: 2 of 4 are lost, with durable queues and confirmed publishes; the other 2 ran twice."""
    stock = make_subject("stock", rabbitmq_vhost_url)
    blip_and_kill(stock)
    stock.settle([LANE])
    note(record_property, stock, "F7", "stale ack", faults=2)
    found = count(stock)
    assert (found.lost, found.duplicated, found.unexpected) == (2, 2, 0), MENDED


def test_ours_acks_only_what_it_ran(rabbitmq_vhost_url, make_subject, record_property):
    """Nothing is lost: what the killed worker held is sent by the other one, and nothing is sent twice."""
    # What is held for long on a slow machine is no orphan: a bell for it would wait behind full workers.
    ours = make_subject("notifier", rabbitmq_vhost_url, settings={"orphan_seconds": 60.0})
    ours.start_relay()
    blip_and_kill(ours)
    ours.settle([LANE])
    note(record_property, ours, "F7", "stale ack", faults=2)
    assert count(ours).good


CUTS = 20 if FULL else 3
#: Accepted and not yet sent, about, when the connections are cut.
BACKLOG = 200


def feed(subject, stop):
    """Keep a backlog until told to stop."""
    while not stop.wait(0.02):
        if len(subject.accepted) - len(subject.ledger()) < BACKLOG:
            subject.accept(50, LANE)


def test_ours_outlives_cuts_of_all_connections_under_load(
    rabbitmq_node, rabbitmq_vhost_url, make_subject, record_property
):
    """Every client's connection is closed again and again while two workers send: 0 lost, 0 twice, no thread dead."""
    ours = make_subject("notifier", rabbitmq_vhost_url)
    ours.start_relay()
    workers = [ours.worker(name, [LANE], threads=4, seconds=0.01) for name in ("first", "other")]
    before = [worker.status() for worker in workers]
    stop = threading.Event()
    feeder = threading.Thread(target=feed, args=(ours, stop), daemon=True)
    feeder.start()
    for cuts in range(1, CUTS + 1):
        rabbitmq_node.close_all_connections()
        for worker in workers:
            back = lambda: worker.status()["opened"][ours.queue(LANE)] == cuts + 1  # noqa: B023, E731
            wait_until(back, PATIENCE, f"{worker.plan.name}'s return after cut {cuts}")
        done = len(ours.ledger())
        wait_until(lambda done=done: len(ours.ledger()) > done, 10, "sending to go on")
    stop.set()
    feeder.join(PATIENCE)
    wait_until(lambda: len(ours.ledger()) >= len(ours.accepted), PATIENCE, "everything to be sent")
    after = [worker.status() for worker in workers]
    ours.settle([LANE])
    note(record_property, ours, "F7", "all connections cut", faults=CUTS)
    assert count(ours).good
    for then, now in zip(before, after, strict=True):
        assert (now["threads"], now["consumers"]) == (then["threads"], then["consumers"]) == (4, 9)
