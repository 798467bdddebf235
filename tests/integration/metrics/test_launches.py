"""Several processes, one place where they are told: a `dramatiq` launch and `notifier serve --processes`."""

import os
import signal

import pytest

from tests.acceptance.fleet import email, post_many
from tests.integration.metrics.launches import MeasuredFleet, ask, values, wrong
from tests.nodes.prometheus import promtool
from tests.nodes.waiting import wait_until

NUMBER = 60


@pytest.fixture
def fleet(tmp_path, postgres_url, rabbitmq_vhost_url):
    with MeasuredFleet(tmp_path, postgres_url, rabbitmq_vhost_url) as found:
        found.run("alembic", "upgrade", "head")
        found.sink()
        yield found


def test_all_of_a_launch_and_of_a_door_are_told_in_one_place(fleet):
    """Two workers and a relay on one port; each HTTP process on its own, all with the sum; promtool finds no fault."""
    door = fleet.serve(processes=2)
    wait_until(lambda: len(fleet.told_on) == 2, 30, "both probe ports")
    doors = fleet.told_on
    launch = fleet.work(processes=2, threads=4)
    fleet.wait_for_workers(2, 60)
    wait_until(fleet.worker_port, 30, "the port in the beats")
    port = fleet.worker_port()
    assert port not in doors
    wait_until(lambda: ask(port, "/readyz")[0] == 200, 30, "the launch to be ready")
    assert ask(port, "/livez") == (200, '{"status":"alive"}')
    for one in doors:
        assert (ask(one, "/livez")[0], ask(one, "/readyz")[0], ask(one, "/metrics")[0]) == (200, 200, 200)

    post_many(fleet.ports, fleet.key(), [email(number) for number in range(NUMBER)])
    assert fleet.wait_for_final(NUMBER, 60) == {"sent": NUMBER}

    def delivered(told):
        return sum(value for name, value in told.items() if name.startswith("notifier_deliveries_total"))

    wait_until(lambda: delivered(values(port)) == NUMBER, 10, "every delivery to be told")
    relay = 'notifier_processes{role="relay"}'
    wait_until(lambda: values(port).get(relay) == 1, 30, "the relay to be told")
    told = values(port)
    assert told['notifier_processes{role="worker"}'] == 2
    assert told['notifier_worker_threads{state="alive"}'] == 8
    assert sum(v for n, v in told.items() if n.startswith("notifier_end_to_end_seconds_count")) == NUMBER
    for (
        one
    ) in doors:  # a process tells what it noted once a second, and on a full machine later than all was sent
        wait_until(lambda one=one: accepted(one) == NUMBER, 10, "every acceptance to be told")
    for one in (port, *doors):
        assert promtool("check", "metrics", given=ask(one, "/metrics")[1].encode()) == ""
    assert "example.com" not in "".join(ask(one, "/metrics")[1] for one in (port, *doors))
    assert fleet.stop([launch, door]) == [0, 0]
    assert [ask(one, "/livez")[0] for one in (port, *doors)] == [0, 0, 0]


def test_an_http_process_that_died_goes_on_counting_and_its_successor_has_its_port(fleet):
    """The sum does not fall, and the probe of that number answers again."""
    fleet.serve(processes=2)
    wait_until(lambda: len(fleet.told_on) == 2, 30, "both probe ports")
    doors = sorted(fleet.told_on)
    post_many(fleet.ports, fleet.key(), [email(number) for number in range(10)])

    wait_until(lambda: accepted(doors[0]) == 10, 10, "all to be counted")
    (pid, *_) = (p.pid for p in workers_of(fleet, "http"))
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: len(fleet.told_on) == 3, 30, "the successor's port")
    assert sorted(fleet.told_on[:2]) == doors
    assert fleet.told_on[2] in range(doors[0], doors[0] + 11)
    wait_until(lambda: accepted(fleet.told_on[2]) == 10, 10, "what the dead one counted")
    wait_until(lambda: values(fleet.told_on[2])['notifier_processes{role="http"}'] == 2, 10, "two that live")


def accepted(port):
    """Of all processes that are told on the port."""
    return sum(v for n, v in values(port).items() if n.startswith("notifier_accepted_total"))


def workers_of(fleet, role):
    from notifier.storage import workers

    return workers.living(fleet.engine, 3, role)


def test_livez_tells_a_worker_that_hangs_and_asks_no_dependency(fleet, postgres_node):
    """Stopped by a signal, as a process that hangs is: named after its silence, well again when it goes on."""
    fleet.work(threads=4)
    fleet.wait_for_workers(1, 60)
    wait_until(fleet.worker_port, 30, "the port in the beats")
    port = fleet.worker_port()
    wait_until(lambda: ask(port, "/readyz")[0] == 200, 30, "the launch to be ready")
    (worker,) = workers_of(fleet, "worker")
    os.kill(worker.pid, signal.SIGSTOP)
    try:
        wait_until(lambda: ask(port, "/livez")[0] == 503, 40, "the silence to be heard")
        assert wrong(port, "/livez") == [f"worker {worker.pid}: silent"]
    finally:
        os.kill(worker.pid, signal.SIGCONT)
    wait_until(lambda: ask(port, "/livez")[0] == 200, 20, "it to speak again")


def test_a_launcher_killed_leaves_no_teller_behind(fleet):
    """-9 reaches nobody but the launcher."""
    launch = fleet.work(threads=2)
    fleet.wait_for_workers(1, 60)
    wait_until(fleet.worker_port, 30, "the port in the beats")
    port = fleet.worker_port()
    os.kill(launch.pid, signal.SIGKILL)
    launch.wait(10)
    wait_until(lambda: ask(port, "/metrics")[0] == 0, 20, "the teller to end")


def test_turned_off_nothing_is_told(fleet):
    """Port 0: no fork, no port in the beats."""
    fleet.settings["NOTIFIER_METRICS_PORT"] = "0"
    fleet.serve()
    fleet.work(threads=2)
    fleet.wait_for_workers(1, 60)
    post_many(fleet.ports, fleet.key(), [email(1)])
    assert fleet.wait_for_final(1, 60) == {"sent": 1}
    assert fleet.told_on == []
    assert fleet.worker_port() is None
