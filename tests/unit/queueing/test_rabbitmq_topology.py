"""The arguments of the queues, each of which was measured; see the design's table."""

import pytest

from notifier.queueing.rabbitmq_topology import Topology


def test_a_quorum_lane_loses_nothing_to_its_dead_letters():
    """At-least-once dead-lettering, a delivery limit, three replicas, no priorities."""
    assert Topology().main_arguments("n.v1.email.high") == {
        "x-queue-type": "quorum",
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": "n.v1.email.high.XQ",
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
        "x-delivery-limit": 50,
        "x-quorum-initial-group-size": 3,
        "x-queue-leader-locator": "balanced",
    }


def test_dead_letters_stay_seven_days():
    """Long enough for the relay to find them."""
    assert Topology().dead_arguments() == {
        "x-queue-type": "quorum",
        "x-message-ttl": 604_800_000,
        "x-quorum-initial-group-size": 3,
        "x-queue-leader-locator": "balanced",
    }


def test_classic_queues_have_classic_arguments_only():
    """Quorum's arguments are refused by a classic queue."""
    assert Topology("classic").main_arguments("q") == {
        "x-queue-type": "classic",
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": "q.XQ",
    }
    assert Topology("classic").dead_arguments() == {"x-queue-type": "classic", "x-message-ttl": 604_800_000}


@pytest.mark.parametrize("limit", [-1, 0])
def test_no_delivery_limit_below_one(limit):
    """-1 drops a message on its first redelivery before RabbitMQ 4.0."""
    with pytest.raises(ValueError, match="positive"):
        Topology(delivery_limit=limit)


def test_an_unknown_type_is_refused():
    """Only quorum and classic queues keep our promises."""
    with pytest.raises(ValueError, match="quorum or classic"):
        Topology("stream")
