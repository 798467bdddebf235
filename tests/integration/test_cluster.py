"""The private cluster plays the faults of a real one: leaders die, nodes return, alarms block, connections end."""

import threading

import pika
import pytest

from tests.nodes.cluster import RabbitmqCluster
from tests.nodes.waiting import wait_until

_PATIENCE = 120  # seconds: a failure, not a pause
_QUORUM = {"x-queue-type": "quorum", "x-quorum-initial-group-size": 3}


@pytest.fixture(scope="module")
def cluster():
    """One start for all of these tests."""
    made = RabbitmqCluster()
    made.start()
    yield made
    made.stop()


@pytest.fixture
def urls(cluster):
    with cluster.fresh_vhost() as joined:
        yield joined.split(";")


@pytest.fixture
def vhost(urls):
    return urls[0].rpartition("/")[2]


def _connect(url):
    parameters = pika.URLParameters(url)
    parameters.heartbeat = 0
    parameters.socket_timeout = parameters.stack_timeout = _PATIENCE
    return pika.BlockingConnection(parameters)


def _publish(url, queue, body):
    with _connect(url) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.basic_publish("", queue, body, pika.BasicProperties(delivery_mode=2), mandatory=True)


def test_a_leader_dies_and_its_queue_goes_on(cluster, urls, vhost):
    """A queue has a member on each node; the others elect a leader, and the killed node comes back as a member."""
    with _connect(urls[0]) as connection:
        connection.channel().queue_declare("storm", durable=True, arguments=_QUORUM)
    cluster.wait_for_members(["storm"], vhost, 3, _PATIENCE)
    first = cluster.leader_of("storm", vhost)
    survivors = cluster.others(first)
    _publish(urls[0], "storm", b"kept")
    cluster.kill(first)
    second = cluster.leader_of("storm", vhost)
    assert second in survivors
    wait_until(lambda: cluster.members_of("storm", vhost) == 2, _PATIENCE, "the dead member to be missed")
    cluster.start_node(first)
    cluster.wait_for_members(["storm"], vhost, 3, _PATIENCE)
    with _connect(urls[cluster.nodes.index(first)]) as connection:
        assert connection.channel().basic_get("storm", auto_ack=True)[2] == b"kept"


def test_a_frozen_leader_is_replaced_and_comes_back_when_thawed(cluster, urls, vhost):
    """The others go on without it, and thawed it belongs to them again, which it would not by itself."""
    with _connect(urls[0]) as connection:
        connection.channel().queue_declare("cold", durable=True, arguments=_QUORUM)
    cluster.wait_for_members(["cold"], vhost, 3, _PATIENCE)
    first = cluster.leader_of("cold", vhost)
    first.freeze()
    assert not first.answers()
    assert cluster.leader_of("cold", vhost) in cluster.others(first)
    first.thaw()
    cluster.wait_for_members(["cold"], vhost, 3, _PATIENCE)
    assert cluster.is_whole()


def test_the_url_names_every_node(cluster):
    """What NOTIFIER_BROKER_URL takes: each part reaches another node."""
    connections = [_connect(url) for url in cluster.url.split(";")]
    for node in cluster.nodes:
        assert "1" in node.evaluate("length(rabbit_networking:local_connections()).")
    for connection in connections:
        connection.close()
    assert len(connections) == 3


def test_all_connections_are_closed_on_every_node(cluster, urls):
    """Each client hears that an operator closed its connection, and why."""
    connections = [_connect(url) for url in urls]
    cluster.close_all_connections("made for this test")
    for connection in connections:
        with pytest.raises(pika.exceptions.ConnectionClosedByBroker, match="made for this test"):
            connection.process_data_events(_PATIENCE)


@pytest.mark.parametrize("kind", ["memory", "disk"])
def test_an_alarm_blocks_publishers_until_it_is_cleared(cluster, urls, kind):
    """A publisher is told that it is blocked, and its message goes through when the alarm is cleared."""
    heard = []
    with _connect(urls[0]) as connection:
        connection.add_on_connection_blocked_callback(lambda *_: heard.append("blocked"))
        connection.add_on_connection_unblocked_callback(lambda *_: heard.append("unblocked"))
        channel = connection.channel()
        channel.queue_declare("alarmed", durable=True, arguments=_QUORUM)
        cluster.set_alarm(kind)
        try:
            channel.basic_publish("", "alarmed", b"held back")
            wait_until(lambda: connection.process_data_events(0.1) or heard, _PATIENCE, "the block")
            assert heard == ["blocked"]
        finally:
            cluster.clear_alarm(kind)
        wait_until(lambda: connection.process_data_events(0.1) or len(heard) > 1, _PATIENCE, "the end of it")
        assert heard == ["blocked", "unblocked"]
        wait_until(
            lambda: channel.basic_get("alarmed", auto_ack=True)[2] == b"held back", _PATIENCE, "the message"
        )


def test_it_leaves_no_thread_behind(cluster):
    """What works on all nodes at once ends with its work."""
    cluster.clear_alarm("disk")
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("ThreadPoolExecutor")]
