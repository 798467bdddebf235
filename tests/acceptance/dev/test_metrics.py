"""`notifier dev` tells its metrics and answers probes, on a port beside its door's."""

import signal

import pytest

from tests.acceptance.dev.test_dev import Dev
from tests.acceptance.fleet import email, post_many
from tests.integration.metrics.launches import ask, values
from tests.nodes.ports import free_port
from tests.nodes.prometheus import promtool
from tests.nodes.waiting import wait_until


@pytest.mark.parametrize("environment", [{}, {"PROMETHEUS_MULTIPROC_DIR": "/nowhere/at/all"}])
def test_everything_in_one_process_is_told(tmp_path, environment):
    """Door, relay and worker; also where the environment names a directory of somebody else's."""
    port = free_port()
    dev = Dev(tmp_path, NOTIFIER_METRICS_PORT=str(port), **environment)
    try:
        door = int(dev.address.rpartition(":")[2])
        post_many([door], dev.key, [email(number) for number in range(6)])

        def sent():
            found = values(port)
            return sum(v for n, v in found.items() if n.startswith("notifier_end_to_end_seconds_count"))

        wait_until(lambda: sent() == 6, 30, "all to be told")
        found = values(port)
        assert sum(v for n, v in found.items() if n.startswith("notifier_accepted_total")) == 6
        assert found['notifier_processes{role="dev"}'] == 1
        assert (ask(port, "/livez")[0], ask(port, "/readyz")[0], ask(port, "/v1/lanes")[0]) == (200, 200, 404)
        assert promtool("check", "metrics", given=ask(port, "/metrics")[1].encode()) == ""
        assert ask(door, "/metrics")[0] == 404
    finally:
        dev.end(signal.SIGKILL)
