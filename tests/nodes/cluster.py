"""A private RabbitMQ cluster: its nodes are killed, frozen and brought back one by one or all at once."""

import contextlib
import secrets
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.nodes.epmd import Epmd
from tests.nodes.process import NodeError
from tests.nodes.rabbitmq import RabbitmqNode
from tests.nodes.rabbitmq_faults import Alarm, QueueState
from tests.nodes.waiting import wait_until

_NAMES = ("one", "two", "three", "four", "five")
_LEADER_SECONDS = 60.0
_WHOLE_SECONDS = 90.0


class RabbitmqCluster:
    """`size` nodes with one name server and one cookie; `url` names them all, as NOTIFIER_BROKER_URL takes it.

    The first begins alone and each of the others joins as it boots for the first time.
    """

    def __init__(self, *, size: int = 3) -> None:
        self._epmd = Epmd()
        cookie = secrets.token_hex(16)
        names = _NAMES[:size]
        joins = tuple(f"{name}@localhost" for name in names)
        self.nodes: list[RabbitmqNode] = [
            _Member(self.is_whole, name=name, cookie=cookie, epmd=self._epmd, joins=joins) for name in names
        ]

    @property
    def url(self) -> str:
        """The AMQP URLs of all nodes for the default virtual host, joined with ";"."""
        return self.vhost_url("%2F")

    @property
    def living(self) -> list[RabbitmqNode]:
        """The nodes that run and are not frozen."""
        return [node for node in self.nodes if node.lives]

    def vhost_url(self, vhost: str) -> str:
        """The AMQP URLs of all nodes for one virtual host, its name already percent-encoded."""
        return ";".join(node.vhost_url(vhost) for node in self.nodes)

    def start(self) -> None:
        """Start all and return when every node answers and knows every other."""
        self._epmd.start()
        try:
            # One joins after the other: a node that still boots refuses to go on when another joins it.
            for node in self.nodes:
                node.start()
            wait_until(self.is_whole, _WHOLE_SECONDS, "the nodes to know each other")
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End all nodes without order, for nobody needs their data any more, and remove them."""
        for node in self.nodes:
            node.kill()
        for node in self.nodes:
            node.stop()
        self._epmd.stop()

    def others(self, node: RabbitmqNode) -> list[RabbitmqNode]:
        """All nodes but this one."""
        return [other for other in self.nodes if other is not node]

    def kill(self, node: RabbitmqNode) -> None:
        """End one node with -9."""
        node.kill()

    def start_node(self, node: RabbitmqNode) -> None:
        """Bring back a node whose cluster lives; of several that are down see `start_all`."""
        node.start()

    def start_all(self, nodes: Sequence[RabbitmqNode]) -> None:
        """Start several at the same time: a node that was not the last to end waits for one that was."""
        _on_each(nodes, RabbitmqNode.start)

    @contextlib.contextmanager
    def fresh_vhost(self) -> Iterator[str]:
        """The URLs of all nodes for an empty virtual host, which is deleted at the end while a node lives."""
        vhost = f"test_{uuid.uuid4().hex[:12]}"
        self._any().create_vhost(vhost)
        try:
            yield self.vhost_url(vhost)
        finally:
            for node in self.nodes:
                if node.running and not node.lives:
                    node.thaw()
            if self.living:
                self._any().delete_vhost(vhost)

    def leader_of(self, queue: str, vhost: str) -> RabbitmqNode:
        """The living node that leads a quorum queue, in the eyes of all living nodes; waits for an election."""
        found: list[RabbitmqNode] = []

        def agreed() -> bool:
            leaders = {states[0].leader for states in self._seen([queue], vhost)}
            found[:] = [node for node in self.living if leaders == {node.name}]
            return bool(found)

        wait_until(agreed, _LEADER_SECONDS, f"a leader of {queue}")
        return found[0]

    def members_of(self, queue: str, vhost: str) -> int:
        """How many members of a quorum queue run now on nodes that can be reached."""
        return self._any().queue_states([queue], vhost)[0].online

    def wait_for_members(self, queues: Sequence[str], vhost: str, count: int, timeout: float = 60) -> None:
        """Until each quorum queue is led and has `count` running members whose nodes would find it again.

        Wait for it after the queues were declared, before the first fault, and after a node's return.
        """

        def complete() -> bool:
            seen = self._seen(queues, vhost)
            if not seen or any(
                not state.leader or state.online < count for states in seen for state in states
            ):
                return False
            # A node that was thawed a moment ago still believes what it saw before.
            agreed = all(states == seen[0] for states in seen)
            return agreed and sum(node.has_on_disk(queues, vhost) for node in self.living) >= count

        wait_until(complete, timeout, f"{len(queues)} queues to have {count} members each")

    def close_all_connections(self, reason: str = "a storm") -> None:
        """Have every living node close its clients' connections."""
        _on_each(self.living, lambda node: node.close_all_connections(reason))

    def set_alarm(self, kind: Alarm) -> None:
        """Raise an alarm on every living node: returns when publishers are blocked."""
        _on_each(self.living, lambda node: node.set_alarm(kind))

    def clear_alarm(self, kind: Alarm) -> None:
        """Take it back on every living node; one that was started anew has none."""
        _on_each(self.living, lambda node: node.clear_alarm(kind))

    def is_whole(self) -> bool:
        """Whether every living node counts every other among those that run."""
        try:
            seen = [node.evaluate("rabbit_nodes:all_running().") for node in self.living]
        except NodeError:
            return False
        return all(node.name in running for node in self.living for running in seen)

    def _seen(self, queues: Sequence[str], vhost: str) -> list[list[QueueState]]:
        """The queues as each living node sees them; nothing while one of them is booting or paused."""
        try:
            return [node.queue_states(queues, vhost) for node in self.living]
        except NodeError:
            return []

    def _any(self) -> RabbitmqNode:
        living = self.living
        if not living:
            raise NodeError("no node of the cluster lives")
        return living[0]


class _Member(RabbitmqNode):
    """A node that, once thawed, is seen back into its cluster as an operator would."""

    def __init__(self, is_whole: Callable[[], bool], **node: Any) -> None:
        super().__init__(**node)
        self._is_whole = is_whole

    def thaw(self) -> None:
        """Let a frozen node run on, and return when its cluster is whole again.

        One that was frozen for longer than its cluster waits (about 10 s) goes on to believe that it is the
        cluster and the others left it: RabbitMQ 3.10 says so in its log and stays apart. So its
        application is restarted.
        """
        super().thaw()
        wait_until(
            lambda: self._is_whole() or self._is_apart(), _WHOLE_SECONDS, f"{self.name} to look around"
        )
        if self._is_apart():
            self.evaluate("rabbit:stop().")
            self.evaluate("rabbit:start().")
            wait_until(self._is_whole, _WHOLE_SECONDS, f"{self.name} to be back in its cluster")

    def _is_apart(self) -> bool:
        try:
            return "@" in self.evaluate("rabbit_node_monitor:partitions().")
        except NodeError:
            return False


def _on_each(nodes: Sequence[RabbitmqNode], do: Callable[[RabbitmqNode], None]) -> None:
    """Do it on all nodes at the same time; the first error when any fails."""
    with ThreadPoolExecutor(max(1, len(nodes))) as pool:
        list(pool.map(do, nodes))
