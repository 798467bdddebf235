"""Connection parameters: the timeouts are ours, TLS is verified, and no password shows."""

import ssl

import pytest

from notifier.queueing.rabbitmq import NotifierRabbitmqBroker
from notifier.queueing.rabbitmq_parameters import parameters, shuffled
from notifier.queueing.rabbitmq_publisher import RabbitmqPublisher

SECRET = "s3cr3t-p4ss"


def test_timeouts_are_the_designs_whatever_the_url_says():
    """heartbeat 15 s, blocked 10 s, connect 5 s, whole stack 10 s."""
    (made,) = parameters("amqp://u:p@broker:5673/v%2F1?heartbeat=600&socket_timeout=99")
    assert (made.heartbeat, made.blocked_connection_timeout) == (15, 10)
    assert (made.socket_timeout, made.stack_timeout) == (5, 10)
    assert (made.host, made.port, made.virtual_host) == ("broker", 5673, "v/1")
    assert made.ssl_options is None


def test_several_brokers_are_tried_in_a_new_order():
    """A fleet does not flock to the first broker of the list."""
    made = parameters("amqp://a/; amqp://b/;amqp://c/;")
    assert [one.host for one in made] == ["a", "b", "c"]
    orders = {tuple(one.host for one in shuffled(made)) for _ in range(200)}
    assert len(orders) == 6


def test_amqps_is_verified():
    """Certificate and host name are checked, TLS 1.2 or newer."""
    (made,) = parameters("amqps://u:p@broker.example.org/")
    context = made.ssl_options.context
    assert made.port == 5671
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert made.ssl_options.server_hostname == "broker.example.org"


@pytest.mark.parametrize(
    "url",
    ["", " ; ", f"http://u:{SECRET}@broker/", f"amqp://u:{SECRET}@:x/", f"amqp://u:{SECRET}@h/?heartbeat=x"],
)
def test_a_wrong_url_is_refused_without_showing_it(url):
    """The error says what is allowed, and holds no part of the URL."""
    with pytest.raises(ValueError, match="amqp://") as caught:
        parameters(url)
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None


def test_no_password_in_any_repr():
    """Broker, publisher and parameters can be printed."""
    url = f"amqp://user:{SECRET}@broker/"
    broker = NotifierRabbitmqBroker(url, prefix="n.v1", middleware=[])
    publisher = RabbitmqPublisher(url, prefix="n.v1")
    shown = f"{broker!r} {publisher!r} {broker.parameters!r} {publisher._options!r} {broker.publisher()!r}"
    assert SECRET not in shown
    assert "broker" in shown
