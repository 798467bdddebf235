"""One RabbitMQ node: down, alarmed, and robbed of single messages (F2, F6, F9; promises 2, 7 and 14).

In the full form each alarm lasts a minute once; all other outages 10 to 15 s.
"""

import itertools
import time

import pika
import pytest

from notifier.domain.ids import notification_id
from notifier.queueing.messages import peek_id
from tests.nodes.rabbitmq import RabbitmqNode
from tests.nodes.waiting import wait_until
from tests.storms.kit.case import Case
from tests.storms.kit.form import FULL, patience
from tests.storms.kit.lanes import (
    BUSY,
    QUEUES,
    provider,
    wait_degraded,
    wait_drained,
    waiting,
    watched,
)
from tests.storms.kit.outages import last

#: Requests a second: more than its slow provider takes, so that a backlog is there.
PACE = 60.0
#: Seconds that the node is down and that an alarm lasts, in turn.
DOWN, ALARMED = ([15, 10], [60, 10]) if FULL else ([6], [6])
#: Seconds: promise 7, what a door may take for an answer, and until an orphan has ended (F2).
SILENCE, DRAINED, FOUND = 2.0, 60.0, 120.0
#: More than all workers hold of three lanes, so that messages wait at the broker.
BACKLOG = 200


@pytest.fixture(scope="module")
def node():
    """A node of this file's own."""
    made = RabbitmqNode()
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def broker_url(node):
    """Its address."""
    with node.fresh_vhost() as url:
        yield url


@pytest.fixture
def vhost(broker_url):
    """The name of the installation's virtual host."""
    return broker_url.rpartition("/")[2]


def test_the_node_is_down(case, node, installation, vhost):
    """F6. Nobody to publish to: the doors say 202 and say what they do without; on return all is sent."""
    with case("F6", "the only node down", pace=PACE) as storm:
        for seconds in DOWN:
            storm.wait_for_load()
            # Before that, the crash would make it forget a queue it has just confirmed.
            wait_until(lambda: node.has_on_disk(QUEUES, vhost), 30, "the queues' names on disk")
            with watched(storm, silence=SILENCE):
                node.kill()
                storm.hit()
                wait_degraded(installation, ["broker"])
                last(storm, seconds)
                wait_degraded(installation, ["broker"])
            node.start()
            wait_drained(storm, within=DRAINED)
            wait_degraded(installation, [])
            installation.wait_whole()


@pytest.mark.full
@pytest.mark.parametrize("kind", ["memory", "disk"])
def test_an_alarm_blocks_publishers(case, node, installation, kind):
    """F9. 202s continue, what is queued is sent, no copies pile up; when it is over all goes on."""
    with case("F9", f"{kind} alarm", pace=PACE) as storm:
        for seconds in ALARMED:
            with provider(installation, 0.4, 0.6):
                wait_until(lambda: len(waiting(storm)) > BACKLOG, 60, "a backlog")
                node.set_alarm(kind)
                storm.hit()
            try:
                with watched(storm, silence=SILENCE):
                    storm.wait_for_sending(BACKLOG // 2, within=10)
                    wait_degraded(installation, ["broker"])
                    last(storm, seconds)
                    wait_degraded(installation, ["broker"])
            finally:
                node.clear_alarm(kind)
            wait_drained(storm, within=DRAINED)
            wait_degraded(installation, [])
        storm.remark("slowest_s", storm.load.slowest)
        assert storm.load.slowest < 10


class Thief:
    """Takes messages off the queues behind the service's back."""

    def __init__(self, url: str, storm: Case) -> None:
        parameters = pika.URLParameters(url)
        parameters.heartbeat = 0
        self._connection = pika.BlockingConnection(parameters)
        self._channel = self._connection.channel()
        self._storm = storm
        #: When each notification's message was taken, by the sink's clock.
        self.taken: dict[str, float] = {}

    def strike(self, how: str) -> None:
        """One fault: a message acked or dead-lettered unread, or a whole queue purged."""
        wait_until(lambda: self._fullest()[0] > 0, 60, "a message that waits at the broker")
        _, queue = self._fullest()
        if how == "purged":
            robbed = waiting(self._storm)
            self._channel.queue_purge(queue)
            # Which of them it held nobody knows.
            self.taken |= dict.fromkeys(robbed, time.time())
        else:
            method, _, body = self._channel.basic_get(queue)
            if method is None:
                return self.strike(how)
            self.taken[notification_id(peek_id(body))] = time.time()
            if how == "acked":
                self._channel.basic_ack(method.delivery_tag)
            else:
                self._channel.basic_reject(method.delivery_tag, requeue=False)
        self._storm.hit()
        return None

    def close(self) -> None:
        self._connection.close()

    def _fullest(self) -> tuple[int, str]:
        declared = [(self._channel.queue_declare(name, passive=True), name) for name in BUSY]
        return max((answer.method.message_count, name) for answer, name in declared)


def test_messages_disappear_from_a_busy_lane(case, installation, broker_url):
    """F2. Single messages acked or dead-lettered by a stranger, queues purged, while the lanes stay full."""
    kinds = itertools.cycle(["acked", "dead", "acked", "dead", "purged"])
    with case(
        "F2", "messages acked, dead-lettered and purged by a stranger", pace=PACE, needs_pace=True
    ) as storm:
        thief = Thief(broker_url, storm)
        with provider(installation, 0.9, 1.1):
            wait_until(lambda: len(waiting(storm)) > 2 * BACKLOG, 60, "a backlog")
        # A little less than what comes in: the lanes stay full.
        with provider(installation, 0.25, 0.3):
            for _ in storm.repeats(short=5, full=50):
                thief.strike(next(kinds))
            wait_until(
                lambda: thief.taken.keys() <= installation.sunk.refresh().counts.keys(),
                patience(FOUND),
                "the orphans, while the lanes are full",
            )
            assert len(waiting(storm)) > BACKLOG // 2
        thief.close()
        sent = {one: at for at, one in installation.sunk.refresh().moments if one in thief.taken}
        slowest = max(sent[one] - at for one, at in thief.taken.items())
        storm.remark("found_s", slowest)
        assert slowest <= patience(FOUND)
