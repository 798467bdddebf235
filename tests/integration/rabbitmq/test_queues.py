"""Queues that are missing, differ or are not ours to make; connections; TLS; credentials."""

import logging
import os
import secrets
import socket
import ssl
import threading
import time

import dramatiq
import pika
import pytest
import trustme
from dramatiq.errors import ConnectionClosed
from dramatiq.middleware import CurrentMessage

from notifier.domain.errors import NotConfirmed
from notifier.domain.lanes import Channel, Lane, Priority
from notifier.queueing.rabbitmq_publisher import RabbitmqPublisher
from notifier.queueing.rabbitmq_topology import QueueMismatch
from tests.conformance.brokers.harness import LANE, cut, ids, new_messages, take
from tests.integration.rabbitmq.tls_front import TlsFront
from tests.nodes.ports import free_port
from tests.nodes.waiting import wait_until

OTHER = Lane(Channel.SMS, Priority.LOW)


@pytest.fixture(scope="module")
def url(module_rabbitmq_vhost_url):
    return module_rabbitmq_vhost_url


@pytest.fixture(scope="module")
def limited(rabbitmq_node, url):
    """(user, password, URL) of one who may read and write but make nothing."""
    user, password = "limited", secrets.token_hex(12)
    vhost = url.rsplit("/", 1)[1]
    rabbitmq_node.add_user(user, password)
    rabbitmq_node.set_permissions(user, vhost, configure="^$", write=".*", read=".*")
    yield user, password, f"amqp://{user}:{password}@127.0.0.1:{rabbitmq_node.port}/{vhost}"
    rabbitmq_node.delete_user(user)


@pytest.fixture
def channel(url):
    """A plain channel, for what a stranger or an operator would do."""
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        yield connection.channel()


def refusal(publisher, count=1) -> str:
    error = publisher.publish(new_messages(count)).exception(20)
    assert isinstance(error, NotConfirmed)
    return str(error)


def test_a_deleted_queue_is_made_again(url, make_publisher, channel):
    """What the broker can't route is not confirmed; the queue is declared again and the next try arrives."""
    publisher = make_publisher(url)
    publisher.publish(new_messages(1)).result(60)
    queue = LANE.queue(publisher._prefix)
    channel.queue_delete(queue)
    assert "no such queue" in refusal(publisher, 3)
    wait_until(lambda: publisher.publish(new_messages(1)).exception(20) is None, what="the queue's return")
    frame = channel.queue_declare(queue, passive=True)
    assert frame.method.message_count >= 1


def test_a_worker_survives_the_deletion_of_its_queue(url, make_broker, channel, prefix):
    """The broker cancels the consumer; a new one declares the queue and listens within 10 s."""
    broker = make_broker(url, middleware=[CurrentMessage()])
    heard = threading.Event()

    def work(**_):
        CurrentMessage.get_current_message().settlement.ack()
        heard.set()

    queue = LANE.queue(prefix)
    dramatiq.actor(work, broker=broker, actor_name=LANE.actor, queue_name=queue)
    worker = dramatiq.Worker(broker, worker_threads=1, worker_timeout=100)
    worker.start()
    wait_until(lambda: broker.counts([queue]).get(queue) == (0, 1), what="a consumer")
    channel.queue_delete(queue)
    wait_until(lambda: broker.counts([queue]).get(queue) == (0, 1), 60, "a consumer on the new queue")
    broker.publisher().publish(new_messages(1)).result(60)
    assert heard.wait(60)
    worker.stop(timeout=20_000)


def test_who_may_not_configure_uses_what_is_there(url, limited, make_broker, prefix):
    """Declared passively: publishing, consuming and settling work; a missing queue is named."""
    broker = make_broker(limited[2])
    with pytest.raises(QueueMismatch, match=rf"{prefix}.email.high.XQ is missing"):
        broker.declare_all([LANE])
    owner = make_broker(url)
    owner.declare_all([LANE])
    broker.declare_all([LANE])
    sent = new_messages(3)
    broker.publisher().publish(sent).result(60)
    consumer = broker.consume(LANE.queue(prefix), prefetch=5, timeout=300)
    got = take(consumer, 3)
    assert ids(got) == [message.id for message in sent]
    got[0].settlement.nack()
    for proxy in got[1:]:
        proxy.settlement.ack()
    consumer.close()
    wait_until(
        lambda: owner.get_queue_message_counts(LANE.queue(prefix)) == (0, 0, 1), what="one dead letter"
    )


def test_a_different_queue_is_named(url, make_broker, prefix):
    """Other arguments under our name are refused with queue and difference, by `serve` and by the worker.

    Publishing goes on: the queue takes what is owed, and the other lanes are declared all the same.
    """
    queue = LANE.queue(prefix)
    make_broker(url, delivery_limit=20).declare_all([LANE])
    broker = make_broker(url, lanes=[LANE, OTHER])
    with pytest.raises(QueueMismatch, match=rf"queue {queue} exists .*x-delivery-limit.*50.*20"):
        broker.declare_all([LANE])
    with pytest.raises(QueueMismatch, match="x-delivery-limit"):
        broker.consume(queue)
    broker.publisher().publish([*new_messages(1), *new_messages(1, OTHER)]).result(60)


def test_classic_queues_work_by_setting(url, make_broker, prefix):
    """Round trip, dead letter and counts on classic queues."""
    broker = make_broker(url, queue_type="classic")
    broker.declare_all([LANE])
    broker.publisher().publish(new_messages(2)).result(60)
    consumer = broker.consume(LANE.queue(prefix), prefetch=5, timeout=300)
    first, second = take(consumer, 2)
    first.settlement.ack()
    second.settlement.nack()
    consumer.close()
    wait_until(lambda: broker.get_queue_message_counts(LANE.queue(prefix)) == (0, 0, 1), what="a dead letter")


def test_only_main_and_dead_queues_are_made(rabbitmq_node, url, make_broker, prefix):
    """Two queues a lane: no delay queues."""
    make_broker(url, lanes=Lane.all()).declare_all(Lane.all())
    ours = {name for name in rabbitmq_node.queues(url.rsplit("/", 1)[1]) if name.startswith(prefix)}
    mains = {lane.queue(prefix) for lane in Lane.all()}
    assert ours == mains | {f"{name}.XQ" for name in mains}


def test_a_worker_process_keeps_lanes_plus_two_connections(rabbitmq_node, make_broker, prefix):
    """One connection a consumed lane, one for publishing and looking; none is left behind by declaring."""
    with rabbitmq_node.fresh_vhost() as own:
        broker = make_broker(own, lanes=Lane.all())
        actors = [
            dramatiq.actor(
                lambda **_: None, broker=broker, actor_name=lane.actor, queue_name=lane.queue(prefix)
            )
            for lane in Lane.all()
        ]
        broker.declare_all(Lane.all())
        worker = dramatiq.Worker(broker, worker_threads=4, worker_timeout=100)
        worker.start()
        names = [lane.queue(prefix) for lane in Lane.all()]
        wait_until(lambda: all(n == 1 for _, n in broker.counts(names).values()), 30, "nine consumers")
        message = new_messages(1)[0]
        actors[0].send(v=1, lane=message.lane.name, id=f"ntf_{message.id}", units=1)
        count = rabbitmq_node.connections(own.rsplit("/", 1)[1])
        worker.stop(timeout=30_000)
        broker.close()
    assert len(Lane.all()) < count <= len(Lane.all()) + 2


def test_closing_leaves_no_connection(rabbitmq_node, make_broker, prefix):
    """Consumers and publisher that were closed, or lost theirs, leave nothing at the broker."""
    with rabbitmq_node.fresh_vhost() as own:
        broker = make_broker(own)
        broker.declare_all([LANE])
        for _ in range(3):
            consumer = broker.consume(LANE.queue(prefix), timeout=100)
            consumer.close()
            lost = broker.consume(LANE.queue(prefix), timeout=100)
            cut(lost._link)
            with pytest.raises(ConnectionClosed):
                take(lost, 1)
            lost.close()
        vhost = own.rsplit("/", 1)[1]
        assert rabbitmq_node.connections(vhost), "the broker's own"
        broker.close()
        wait_until(lambda: not rabbitmq_node.connections(vhost), 60, "the last connection's end")


def test_no_credentials_in_logs_or_errors(limited, make_broker, make_publisher, caplog, capsys):
    """Right or wrong, at every level, pika's own lines included: the password is nowhere."""
    caplog.set_level(logging.DEBUG)
    _, password, url = limited
    wrong = secrets.token_hex(12)
    refused = url.replace(password, wrong)
    broker = make_broker(url)
    errors = []
    for act in (
        lambda: broker.declare_all([LANE]),
        lambda: make_broker(refused).consume(LANE.queue(broker.bodies.prefix)),
        lambda: make_publisher(refused).publish(new_messages(1)).result(60),
    ):
        with pytest.raises((QueueMismatch, ConnectionClosed, NotConfirmed)) as caught:
            act()
        errors.append(f"{caught.value!r} {caught.value}")
    printed = capsys.readouterr()
    text = "\n".join([caplog.text, printed.out, printed.err, *errors])
    assert "ACCESS_REFUSED" in text
    assert password not in text
    assert wrong not in text


def test_nobody_there(make_publisher, make_broker, prefix):
    """A refused connection: the first publish fails, the next ones at once; the consumer says so."""
    nobody = f"amqp://127.0.0.1:{free_port()}/"
    publisher = make_publisher(nobody)
    assert not publisher.connected
    refusal(publisher)
    begun = time.monotonic()
    for _ in range(100):
        refusal(publisher)
    assert time.monotonic() - begun < 10  # not one of the hundred waited for its own deadline
    broker = make_broker(nobody)
    with pytest.raises(ConnectionClosed):
        broker.consume(LANE.queue(prefix))
    with pytest.raises(ConnectionClosed):
        broker.declare_all([LANE])


def test_waiting_is_bounded_in_time_and_memory(make_publisher):
    """A host that accepts and says nothing: groups fail at their deadline, beyond the limit at once."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        publisher = make_publisher(
            f"amqp://127.0.0.1:{mute.getsockname()[1]}/", confirm_seconds=1.0, limit=100
        )
        begun = time.monotonic()
        waiting = [publisher.publish(new_messages(50)) for _ in range(2)]
        over = publisher.publish(new_messages(1))
        assert over.done()
        assert "too many" in str(over.exception(0))
        for future in waiting:
            assert isinstance(future.exception(10), NotConfirmed)
        assert 0.9 < time.monotonic() - begun < 8
        assert not publisher.connected
        begun = time.monotonic()
        publisher.close()
        assert time.monotonic() - begun < 15


def test_the_next_host_is_taken(url, make_publisher, make_broker, prefix):
    """Of several hosts one that answers is enough, in whatever order they are tried."""
    several = ";".join([*(f"amqp://127.0.0.1:{free_port()}/" for _ in range(6)), url])
    make_publisher(several).publish(new_messages(1)).result(60)
    consumer = make_broker(several).consume(LANE.queue(prefix), timeout=300)
    assert len(take(consumer, 1)) == 1
    consumer.close()


def test_a_cut_publisher_returns(url, make_publisher):
    """After a lost connection the next publish waits for the new one, within its deadline."""
    publisher = make_publisher(url)
    publisher.publish(new_messages(1)).result(60)
    cut(publisher._running()._link)
    wait_until(lambda: publisher.publish(new_messages(1)).exception(20) is None, 60, "the publisher's return")
    assert publisher.connected


def test_a_deep_pipeline_is_confirmed(url, make_publisher, make_broker, prefix):
    """Groups larger than the window, from many threads: all confirmed, each message in the queue once."""
    publisher = make_publisher(url, window=100)
    groups = [new_messages(250) for _ in range(8)]
    futures = []
    threads = [threading.Thread(target=lambda g=g: futures.append(publisher.publish(g))) for g in groups]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    for future in futures:
        assert future.result(30) is None
    assert make_broker(url).counts([LANE.queue(prefix)]) == {LANE.queue(prefix): (2000, 0)}


def test_close_waits_for_what_is_under_way(url, make_publisher, make_broker, prefix):
    """A stop loses nothing: groups handed over before the close are confirmed by its end."""
    publisher = make_publisher(url)
    publisher.start()
    futures = [publisher.publish(new_messages(100)) for _ in range(20)]
    publisher.close()
    assert all(future.done() and future.exception(0) is None for future in futures)
    assert make_broker(url).counts([LANE.queue(prefix)])[LANE.queue(prefix)][0] == 2000


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_publisher_works_on_both_sides_of_a_fork(url, make_publisher, make_broker, prefix):
    """Each process makes its own thread and connection; the parent's goes on."""
    publisher = make_publisher(url)
    publisher.publish(new_messages(1)).result(60)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            publisher.publish(new_messages(1)).result(60)
            publisher.close()
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    publisher.publish(new_messages(1)).result(60)
    assert make_broker(url).counts([LANE.queue(prefix)])[LANE.queue(prefix)][0] == 3


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture
def tls_front(authority, rabbitmq_node):
    """The node behind a certificate for 127.0.0.1."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    front = TlsFront(context, rabbitmq_node.port)
    yield front
    front.close()


def test_amqps_is_verified(url, authority, tls_front, make_publisher, tmp_path):
    """With the right authority messages are confirmed over TLS; without it nothing is sent."""
    secure = f"amqps://guest:guest@127.0.0.1:{tls_front.port}/{url.rsplit('/', 1)[1]}"
    ca_file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    make_publisher(secure, ca_file=str(ca_file)).publish(new_messages(300)).result(60)
    refusal(make_publisher(secure))


def test_publisher_is_lazy(url, prefix):
    """Making one connects nowhere; closing an unused one is quick and final."""
    before = threading.active_count()
    publisher = RabbitmqPublisher(url, prefix=prefix)
    assert threading.active_count() == before
    publisher.close()
    assert "closed" in refusal(publisher)
