"""Three RabbitMQ nodes that are killed, frozen and cut off under load (F4 to F7; promises 7 and 8).

In the full form the long outages of F6 last a minute once and a quarter of one else.
"""

import pytest

from tests.nodes.cluster import RabbitmqCluster
from tests.storms.kit.form import FULL
from tests.storms.kit.lanes import BUSY, QUEUES, provider, wait_degraded, wait_drained, watched
from tests.storms.kit.outages import last

#: Three brokers, the database and the installation share two cores.
PACE = 60.0
#: Seconds: promises 7 and 8, and what a door may take to say no or yes.
START_GAP, SILENCE, DRAINED = 10.0, 2.0, 60.0
DEAD = 8.0
FROZEN = 25.0 if FULL else 12.0


@pytest.fixture(scope="module")
def cluster():
    """Three nodes of this file's own."""
    made = RabbitmqCluster()
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def broker_url(cluster):
    """All three nodes."""
    with cluster.fresh_vhost() as urls:
        yield urls


@pytest.fixture(scope="module")
def vhost(broker_url):
    """The name of the installation's virtual host."""
    return broker_url.rpartition("/")[2]


@pytest.fixture
def whole_cluster(cluster, installation, vhost):
    """Waits until each queue has three members, so that the next fault finds it whole."""

    def wait() -> None:
        cluster.wait_for_members(QUEUES, vhost, 3, 90)

    wait()
    return wait


def test_a_leader_is_killed(case, cluster, vhost, whole_cluster):
    """F4. -9 to the node that leads a busy lane, back after 8 s: doors and lanes hardly notice."""
    with case("F4", "leader kill -9, back after 8 s", pace=PACE) as storm:
        for _ in storm.repeats(short=2, full=10):
            victim = cluster.leader_of(storm.dice.choice(BUSY), vhost)
            with watched(storm, gap=START_GAP, silence=SILENCE):
                cluster.kill(victim)
                storm.hit()
                last(storm, DEAD)
                cluster.start_node(victim)
                whole_cluster()


def test_a_leader_is_frozen(case, cluster, vhost, whole_cluster):
    """F5. The node that leads a busy lane stands still while its connections stay open."""
    with case("F5", f"leader frozen {FROZEN:.0f} s", pace=PACE) as storm:
        for _ in storm.repeats(short=1, full=5):
            victim = cluster.leader_of(storm.dice.choice(BUSY), vhost)
            with watched(storm, gap=START_GAP, silence=SILENCE):
                victim.freeze()
                storm.hit()
                try:
                    last(storm, FROZEN)
                finally:
                    cluster.thaw(victim)
                whole_cluster()


@pytest.mark.parametrize("number", [2, 3], ids=["two of three", "all three"])
def test_nodes_are_down(case, cluster, installation, number, whole_cluster):
    """F6. Without a majority, or without any node, the doors say 202; on return all is sent in a minute."""
    words = {2: "two of three nodes down", 3: "all nodes down"}[number]
    lasts = [60.0, 15.0, 15.0] if FULL else [10.0]
    with case("F6", words, pace=PACE) as storm:
        for turn in storm.repeats(short=number - 2, full=3):
            victims = storm.dice.sample(cluster.nodes, number)
            with watched(storm, silence=SILENCE):
                for victim in victims:
                    cluster.kill(victim)
                storm.hit(faults=number)
                wait_degraded(installation, ["broker"])
                last(storm, lasts[turn])
                wait_degraded(installation, ["broker"])
            cluster.start_all(victims)
            wait_drained(storm, within=DRAINED)
            wait_degraded(installation, [])
            whole_cluster()


def test_all_connections_are_cut(case, cluster, installation, whole_cluster):
    """F7. What was being sent is settled on a connection that is gone: no ack ends another's message."""
    with (
        case("F7", "all connections closed by the broker", pace=PACE) as storm,
        provider(installation, 0.1, 0.25),
    ):
        for _ in storm.repeats(short=3, full=20):
            with watched(storm, gap=START_GAP, silence=SILENCE):
                cluster.close_all_connections("storm F7")
                storm.hit()
                storm.wait_for_sending()
                installation.wait_whole()
