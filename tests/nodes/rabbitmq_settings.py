"""The files and the environment that keep one RabbitMQ server apart from every other on the machine."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from tests.nodes.ports import free_port

_LOOPBACK = "-kernel inet_dist_use_interface {127,0,0,1}"
# One thread for Erlang's work, and none that spins while it waits: the nodes of a cluster share few cores.
_SMALL = "+S 1:1 +sbwt none +sbwtdcpu none +sbwtdio none"
# Node names a lost node out of the cluster after 6 to 10 s of silence (60 s by default): what a frozen one costs.
_TICK_SECONDS = 8

#: What frees publishers again after an alarm: the values every node starts with.
MEMORY_WATERMARK = 0.4
# A private node is no reason to block publishers because a laptop's disk is nearly full.
DISK_FREE_LIMIT = "50MB"


@dataclass(frozen=True)
class RabbitmqSettings:
    """What one node is told. `distribution_port` is where other nodes and rabbitmqctl reach it.

    `joins`: the names of its cluster's nodes, the first of them the one that begins alone; it is looked
    for at a new node's first start only.
    """

    node: str
    folder: Path
    port: int
    epmd_port: int
    user: str
    password: str
    cookie: str = field(repr=False)
    distribution_port: int = field(default_factory=free_port)
    joins: tuple[str, ...] = ()

    def write(self) -> None:
        """Put the files in place; an existing cookie stays, for the data were made under it."""
        home = self.folder / "home"
        home.mkdir(parents=True, exist_ok=True)
        cookie = home / ".erlang.cookie"
        if not cookie.exists():
            cookie.touch(mode=0o600)
            cookie.write_text(self.cookie)
            cookie.chmod(0o400)  # Erlang refuses a cookie others may read
        configuration = self.folder / "rabbitmq.conf"
        configuration.touch(mode=0o600)
        configuration.write_text(self._configuration())
        (self.folder / "enabled_plugins").write_text("[].\n")

    def server_environment(self) -> dict[str, str]:
        """The environment of the server."""
        return {
            **self._shared_environment(),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(self.folder / "advanced.config"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.folder / "log"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(self.folder / "generated"),
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self.distribution_port),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": f"{_LOOPBACK} {_SMALL}" if self.joins else _LOOPBACK,
            # Unbound schedulers: several nodes share few cores.
            "RABBITMQ_SCHEDULER_BIND_TYPE": "u",
            # The start script then becomes the Erlang machine, so our signals reach it directly.
            "RUNNING_UNDER_SYSTEMD": "true",
        }

    def command_environment(self) -> dict[str, str]:
        """The environment of `rabbitmqctl`, which for a moment is an Erlang node with a port itself."""
        first = free_port()
        return {
            **self._shared_environment(),
            "RABBITMQ_CTL_ERL_ARGS": _LOOPBACK,
            "RABBITMQ_CTL_DIST_PORT_MIN": str(first),
            "RABBITMQ_CTL_DIST_PORT_MAX": str(first + 20),
        }

    def _shared_environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "LANG": "C.UTF-8",
            "HOME": str(self.folder / "home"),
            "RABBITMQ_CONF_ENV_FILE": str(self.folder / "rabbitmq-env.conf"),  # not the system's
            "RABBITMQ_NODENAME": self.node,
            "ERL_EPMD_PORT": str(self.epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
        }

    def _configuration(self) -> str:
        lines = [
            f"listeners.tcp.1 = 127.0.0.1:{self.port}",
            f"default_user = {self.user}",
            f"default_pass = {self.password}",
            "log.file.level = info",
            # Quorum queues keep this much of their log in memory; the default, 512 MiB, is for big machines.
            "raft.wal_max_size_bytes = 67108864",
            f"vm_memory_high_watermark.relative = {MEMORY_WATERMARK}",
            f"disk_free_limit.absolute = {DISK_FREE_LIMIT}",
            *self._cluster(),
        ]
        return "\n".join(lines) + "\n"

    def _cluster(self) -> list[str]:
        if not self.joins:
            return []
        # The first begins at once; the others wait for it, for two that begin are two clusters.
        known = () if self.node == self.joins[0] else self.joins
        return [
            *(f"cluster_formation.classic_config.nodes.{n} = {name}" for n, name in enumerate(known, 1)),
            "cluster_formation.discovery_retry_limit = 300",
            "cluster_formation.discovery_retry_interval = 200",
            # Of three nodes two go on and the third waits for them, so that there is one truth about queues
            # and users; `ignore` would let the third go its own way. It does not help a node that was
            # frozen: when it wakes the others are there, and it stays apart until its restart (with
            # `autoheal` it stops for good). `cluster.py` restarts it.
            "cluster_partition_handling = pause_minority",
            f"net_ticktime = {_TICK_SECONDS}",
        ]
