"""What can be done to a running RabbitMQ from within: connections closed, alarms raised, queues looked at."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tests.nodes.process import NodeError
from tests.nodes.rabbitmq_settings import DISK_FREE_LIMIT, MEMORY_WATERMARK
from tests.nodes.waiting import wait_until

Alarm = Literal["memory", "disk"]

# No machine is allowed this little memory, or has this much room.
_SET = {
    "memory": "vm_memory_monitor:set_vm_memory_high_watermark(0.0).",
    "disk": f"rabbit_disk_monitor:set_disk_free_limit({10**18}).",
}
_CLEAR = {
    "memory": f"vm_memory_monitor:set_vm_memory_high_watermark({MEMORY_WATERMARK}).",
    "disk": f'rabbit_disk_monitor:set_disk_free_limit("{DISK_FREE_LIMIT}").',
}
_ALARM_SECONDS = 20.0
_STATES = """
[case rabbit_amqqueue:lookup(rabbit_misc:r(<<"{vhost}">>, queue, Name)) of
   {{ok, Queue}} ->
     [{{leader, Leader}}, {{online, Online}}] = rabbit_amqqueue:info(Queue, [leader, online]),
     {{Leader, length(Online)}};
   _ -> {{'', 0}}
 end || Name <- [{names}]].
"""
_STATE = re.compile(r"\{\s*'?([\w.@-]*)'?\s*,\s*(\d+)\s*\}")


@dataclass(frozen=True, slots=True)
class QueueState:
    """A quorum queue as one node sees it."""

    #: The leader's node, "" while there is none.
    leader: str
    #: How many members run on nodes that can be reached.
    online: int


class RabbitmqFaults:
    """What a node can be asked; the node brings `evaluate` and `folder`."""

    folder: Path

    def evaluate(self, expression: str) -> str:
        """What the node answers to an Erlang expression."""
        raise NotImplementedError

    def close_all_connections(self, reason: str = "a storm") -> None:
        """Have the node close its clients' connections, as an operator does (320 CONNECTION_FORCED)."""
        self.evaluate(
            f'rabbit_networking:close_connections(rabbit_networking:local_connections(), "{reason}").'
        )

    def set_alarm(self, kind: Alarm) -> None:
        """Raise an alarm, in its whole cluster: returns when publishers are blocked."""
        self.evaluate(_SET[kind])
        wait_until(lambda: kind in self._alarms(), _ALARM_SECONDS, f"the {kind} alarm to be raised")

    def clear_alarm(self, kind: Alarm) -> None:
        """Take back the alarm that this node raised."""
        self.evaluate(_CLEAR[kind])
        wait_until(lambda: kind not in self._alarms(), _ALARM_SECONDS, f"the {kind} alarm to be cleared")

    def queue_states(self, queues: Sequence[str], vhost: str) -> list[QueueState]:
        """The states of quorum queues, in their order; one that does not exist has no members."""
        names = ", ".join(f'<<"{queue}">>' for queue in queues)
        answer = self.evaluate(_STATES.format(vhost=vhost, names=names).replace("\n", " "))
        found = [QueueState(leader, int(online)) for leader, online in _STATE.findall(answer)]
        if len(found) != len(queues):
            raise NodeError(f"asked for {len(queues)} queues, understood {len(found)}: {answer}")
        return found

    def has_on_disk(self, queues: Sequence[str], vhost: str) -> bool:
        """Whether each of these quorum queues would be found again after `kill()`.

        RabbitMQ 3.10 answers the declaration before its register of quorum queues reaches the disk
        (up to about a second later). Killed in between, it forgets the queue's log: the queue comes
        back empty and, on a single node, without a leader for ever.
        """
        register = next(self.folder.glob("mnesia/*/quorum/*/names.dets"), None)
        if register is None:
            raise NodeError("this RabbitMQ keeps its register of quorum queues elsewhere")
        kept = register.read_bytes()
        # The register's name is the virtual host, an underscore, the queue.
        prefix = "%2F" if vhost == "/" else vhost
        return all(f"{prefix}_{queue}".encode() in kept for queue in queues)

    def _alarms(self) -> str:
        """The alarms this node itself raised, as Erlang writes them."""
        return self.evaluate("rabbit_alarm:get_local_alarms().")
