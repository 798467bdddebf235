"""The nodes of a cluster: each attempt in a new order, the ones that failed lately last."""

import itertools

import pytest

from notifier.queueing.rabbitmq_hosts import SHUNNED, Hosts
from notifier.queueing.rabbitmq_parameters import parameters


@pytest.fixture
def nodes():
    return parameters("amqp://a/;amqp://b/;amqp://c/")


def orders(hosts, number=200):
    """Many attempts that all fail for no fault of the nodes: nothing is remembered of them."""
    hosts.failed = lambda _: None
    return {"".join(one.host for one in hosts) for _ in range(number)}


def test_a_fleet_spreads_over_the_nodes(nodes):
    assert orders(Hosts(nodes)) == {"".join(order) for order in itertools.permutations("abc")}


def test_a_node_whose_connection_was_lost_is_asked_last(nodes):
    hosts = Hosts(nodes)
    hosts.failed(nodes[1])
    assert orders(hosts) == {"acb", "cab"}


def test_a_node_that_did_not_answer_is_last_for_the_next_consumer(nodes):
    """Whoever asks for the next one found the one before wanting; the one that answered keeps its place."""
    hosts = Hosts(nodes)
    attempt = iter(hosts)
    silent, good = next(attempt), next(attempt)
    attempt.close()
    assert good is not silent
    assert {order[-1] for order in orders(hosts)} == {silent.host}


def test_it_is_forgiven_in_time(nodes):
    now = [100.0]
    hosts = Hosts(nodes, clock=lambda: now[0])
    hosts.failed(nodes[0])
    now[0] += SHUNNED + 0.1
    assert len(orders(hosts)) == 6


def test_all_are_asked_although_all_failed(nodes):
    hosts = Hosts(nodes)
    for node in nodes:
        hosts.failed(node)
    assert len(orders(hosts)) == 6
