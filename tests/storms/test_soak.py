"""Faults of every kind, one after another at random moments (F30)."""

import os
import signal
from collections.abc import Callable

import psycopg2
import pytest

from notifier.domain.lanes import Lane
from tests.nodes.cluster import RabbitmqCluster
from tests.nodes.postgres import PostgresNode
from tests.nodes.waiting import wait_until
from tests.storms.kit import form
from tests.storms.kit.installation import PREFIX

THREADS = 8
#: Two workers' sends and unstored outcomes.
BOTH = 2 * 2 * THREADS


@pytest.fixture(scope="module")
def postgres():
    """A server that may be crashed."""
    node = PostgresNode()
    node.start()
    yield node
    node.stop()


@pytest.fixture(scope="module")
def storage_url(postgres):
    """A database on it."""
    with postgres.fresh_database() as url:
        yield url


@pytest.fixture(scope="module")
def cluster():
    """Three nodes that may be killed, one at a time."""
    made = RabbitmqCluster()
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def broker_url(cluster):
    """The cluster's nodes."""
    return cluster.url


class Faults:
    """What can happen; each leaves the installation able to become whole again."""

    def __init__(self, storm, installation, postgres, cluster) -> None:
        self.storm, self.installation = storm, installation
        self.postgres, self.cluster = postgres, cluster
        self.every: list[Callable[[], int]] = [
            self.worker_killed,
            self.worker_restarted,
            self.worker_frozen,
            self.door_killed,
            self.relay_killed,
            self.database_crashed,
            self.sessions_ended,
            self.connections_cut,
            self.broker_node_killed,
            self.broker_node_frozen,
        ]

    def any(self) -> str:
        """One of them; what it was."""
        chosen = self.storm.dice.choice(self.every)
        self.storm.hit(bound=chosen())
        return chosen.__name__

    def worker_killed(self) -> int:
        """-9; started again at once."""
        victim = self.storm.dice.choice(self.installation.crew)
        self.installation.kill_part(victim)
        self.installation.again(victim)
        return 2 * THREADS

    def worker_restarted(self) -> int:
        """SIGTERM. Storage may have been hit just before, so its sends may be cut short: bounded as a kill."""
        victim = self.storm.dice.choice(self.installation.crew)
        self.installation.stop_part(victim)
        self.installation.again(victim)
        return 2 * THREADS

    def worker_frozen(self) -> int:
        """Still for some seconds, shorter or longer than its calls may last."""
        victim = self.storm.dice.choice(self.installation.crew)
        self.installation.freeze_part(victim)
        self.wait(self.storm.dice.uniform(1, 6))
        self.installation.thaw_part(victim)
        return 2 * THREADS

    def door_killed(self) -> int:
        """-9; started again on its port."""
        victim = self.storm.dice.choice(self.installation.doors)
        self.installation.kill_part(victim)
        self.installation.again(victim)
        return 0

    def relay_killed(self) -> int:
        """-9 to one relay; its launcher may end with it, and is started again as an init system would."""
        relays = self.installation.children("relay")
        if relays:
            os.kill(self.storm.dice.choice(relays), signal.SIGKILL)
        return 2 * THREADS

    def database_crashed(self) -> int:
        """An immediate stop, and the recovery from the log."""
        self.postgres.crash()
        self.postgres.start()
        self.installation.engine.dispose()
        return BOTH

    def sessions_ended(self) -> int:
        """All sessions of ours, by the administrator."""
        with psycopg2.connect(self.postgres.url().replace("+psycopg2", "")) as connection:
            connection.cursor().execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'notifier-%'"
            )
        connection.close()
        return 0

    def connections_cut(self) -> int:
        """Every client connection of the broker."""
        self.cluster.close_all_connections("storm")
        return 0

    def broker_node_killed(self) -> int:
        """The leader of a lane, -9; back after some seconds."""
        victim = self._leader()
        self.cluster.kill(victim)
        self.wait(self.storm.dice.uniform(1, 4))
        self.cluster.start_node(victim)
        self._wait_for_members()
        return 0

    def broker_node_frozen(self) -> int:
        """The leader of a lane, still for some seconds."""
        victim = self._leader()
        victim.freeze()
        self.wait(self.storm.dice.uniform(2, 8))
        victim.thaw()
        self._wait_for_members()
        return 0

    def _leader(self):
        queue = self.storm.dice.choice(Lane.all()).queue(PREFIX)
        return self.cluster.leader_of(queue, "/")

    def _wait_for_members(self) -> None:
        queues = [lane.queue(PREFIX) for lane in Lane.all()]
        self.cluster.wait_for_members(queues, "/", 3, 60)

    def wait(self, seconds: float) -> None:
        """Let time pass under load: so many requests of the client are due."""
        before = self.storm.load.attempted
        wanted = seconds * self.storm.load.pace
        wait_until(lambda: self.storm.load.attempted - before >= wanted, 60, "time under load")

    def revive(self) -> None:
        """Start again whatever ended: the init system's part."""
        for part in [*self.installation.doors, *self.installation.crew]:
            if not part.running:
                self.installation.again(part)


@pytest.mark.full
def test_faults_of_every_kind(case, installation, postgres, cluster):
    """F30. Every 4 to 10 s one of ten faults: nothing lost, duplicates within the bound and marked."""
    queues = [lane.queue(PREFIX) for lane in Lane.all()]
    cluster.wait_for_members(queues, "/", 3, 60)
    with case("F30", "random faults", pace=30, settle=90) as storm:
        faults = Faults(storm, installation, postgres, cluster)
        seen = []
        while (storm.load.attempted or 0) < form.either(short=60, full=300) * storm.load.pace:
            seen.append(faults.any())
            faults.wait(storm.dice.uniform(4, 10) if form.FULL else storm.dice.uniform(2, 5))
            faults.revive()
        faults.revive()
        installation.wait_whole()
        assert len(seen) == storm.faults
    assert storm.faults >= form.either(short=5, full=20)
