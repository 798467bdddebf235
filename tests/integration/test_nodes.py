"""The private servers keep what real servers keep, and leave nothing behind."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import pika
import psycopg2
import pytest

from tests.nodes.epmd import Epmd
from tests.nodes.ports import free_port, is_free
from tests.nodes.postgres import PostgresNode
from tests.nodes.process import NodeError
from tests.nodes.rabbitmq import RabbitmqNode
from tests.nodes.state import Mark, State
from tests.nodes.waiting import wait_until

_ROOT = Path(__file__).parents[2]
_RUN_THAT_DIES = """
import sys
from tests.nodes.epmd import Epmd
from tests.nodes.postgres import PostgresNode
postgres, epmd = PostgresNode(fsync=False), Epmd()
postgres.start(); epmd.start()
print(postgres.pid, epmd.pid, postgres.folder, flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def postgres():
    """One server for these tests, which leave it running."""
    node = PostgresNode()
    node.start()
    yield node
    node.stop()


@pytest.fixture(scope="module")
def rabbitmq():
    """One server for these tests: its start takes seconds."""
    node = RabbitmqNode()
    node.start()
    yield node
    node.stop()


def _query(node, statement):
    return _run(node.url().replace("+psycopg2", ""), statement)


def _run(url, statement):
    connection = psycopg2.connect(url)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else None
    finally:
        connection.close()


def _family(pid):
    """The marks of a server and its children; a child that is just ending (a closed connection's) is left out."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [mark for mark in map(Mark.of, [pid, *map(int, children)]) if mark.lives]


@pytest.mark.parametrize("end", ["crash", "restart"])
def test_postgres_keeps_a_committed_row(postgres, end):
    """What was committed is there after an immediate stop, and after an orderly restart."""
    _query(postgres, f"CREATE TABLE kept_{end} (id int)")
    _query(postgres, f"INSERT INTO kept_{end} VALUES (7)")
    if end == "crash":
        postgres.crash()
        assert not postgres.answers()
        postgres.start()
    else:
        postgres.restart()
    assert _query(postgres, f"SELECT id FROM kept_{end}") == [(7,)]


def test_postgres_listens_on_loopback_with_real_durability(postgres):
    """The settings the promises rest on: fsync, synchronous commit; nobody outside can connect."""
    shown = [
        _query(postgres, f"SHOW {name}")[0][0] for name in ("fsync", "synchronous_commit", "listen_addresses")
    ]
    assert shown == ["on", "on", "127.0.0.1"]
    assert _query(postgres, "SHOW max_connections") == [("200",)]


def test_postgres_leaves_nothing_behind():
    """After stop: no process (children neither), no folder, no listener."""
    node = PostgresNode(fsync=False)
    node.start()
    try:
        marks = _family(node.pid)
        assert len(marks) > 3
    finally:
        node.stop()
    wait_until(lambda: not any(mark.lives for mark in marks), what="PostgreSQL's processes to be gone")
    assert not node.folder.exists()
    assert is_free(node.port)


def test_postgres_says_why_it_did_not_start(postgres):
    """A server that ends while starting is an error with its own words, and no process stays."""
    second = PostgresNode(max_connections=-1)
    with pytest.raises(NodeError, match="max_connections"):
        second.start()
    assert not second.running
    second.stop()
    assert not second.folder.exists()


@pytest.mark.parametrize("kind", [PostgresNode, RabbitmqNode])
def test_a_stranger_on_the_port_is_not_taken_for_the_node(postgres, kind):
    """A port that is taken is an error: the other server would answer in the node's place."""
    second = kind(port=postgres.port)
    with pytest.raises(NodeError, match=f"port {postgres.port} is taken"):
        second.start()
    second.stop()
    assert not second.folder.exists()
    assert postgres.answers()


def test_a_fresh_database_is_empty_and_dropped_even_when_in_use(postgres_node):
    """Tests never see each other's tables, and a connection left open does not keep the database."""
    with postgres_node.fresh_database() as url:
        name = url.rpartition("/")[2]
        left_open = psycopg2.connect(url.replace("+psycopg2", ""))
        assert postgres_node.has_database(name)
    assert not postgres_node.has_database(name)
    left_open.close()


def test_servers_end_with_a_run_that_is_killed():
    """kill -9 of the test run takes its servers and their folder along."""
    run = subprocess.Popen(
        [sys.executable, "-c", _RUN_THAT_DIES],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=_ROOT,
    )
    postgres, epmd, folder = run.stdout.readline().split()
    marks = [Mark.of(int(postgres)), Mark.of(int(epmd))]
    assert all(mark.lives for mark in marks)
    run.send_signal(signal.SIGKILL)
    run.communicate()
    wait_until(lambda: not any(mark.lives for mark in marks), what="the servers to end")
    wait_until(lambda: not Path(folder).exists(), what="the data folder to be removed")


@pytest.mark.parametrize("end", ["kill", "restart"])
def test_a_confirmed_message_on_a_quorum_queue_is_kept(rabbitmq, end):
    """What was confirmed is there after kill -9, and after an orderly restart."""
    queue = f"kept.{end}"
    _publish(rabbitmq, queue, b"bell")
    if end == "kill":
        rabbitmq.kill()
        assert not rabbitmq.answers()
        rabbitmq.start()
    else:
        rabbitmq.restart()
    assert _take(rabbitmq, queue) == b"bell"


def test_a_frozen_node_is_silent_and_thaws(rabbitmq):
    """Frozen: its port takes connections, but no word comes. Thawed: all as before."""
    rabbitmq.freeze()
    assert not rabbitmq.answers()
    rabbitmq.thaw()
    wait_until(rabbitmq.answers, what="the thawed node to answer")


def test_ctl_reaches_this_node_and_says_what_went_wrong(rabbitmq):
    """`ctl` gives rabbitmqctl's output, and its complaint as the error."""
    assert rabbitmq.ctl("eval", "node().").strip() == rabbitmq.name
    with pytest.raises(NodeError, match="delete_vhost"):
        rabbitmq.ctl("delete_vhost", "never-made")
    with pytest.raises(NodeError, match="no_such_vhost"):
        rabbitmq.delete_vhost("never-made")


def test_a_fresh_vhost_is_deleted_with_its_queues(rabbitmq):
    """Tests never see each other's queues."""
    with rabbitmq.fresh_vhost() as url:
        vhost = url.rpartition("/")[2]
        connection = pika.BlockingConnection(pika.URLParameters(url))
        connection.channel().queue_declare("q", durable=True, arguments={"x-queue-type": "quorum"})
        connection.close()
        assert vhost in rabbitmq.vhosts()
        assert rabbitmq.queues(vhost) == {"q"}
    assert vhost not in rabbitmq.vhosts()


def test_rabbitmq_leaves_nothing_behind():
    """After stop: neither server nor name server, no folder, no listener; loopback only while it ran."""
    node = RabbitmqNode()
    node.start()
    try:
        marks = [*_family(node.pid), *_family(node.epmd.pid)]
        assert len(marks) >= 3
        addresses = set(_listening_addresses(node.port, node.epmd.port))
        assert {"127.0.0.1"} <= addresses <= {"127.0.0.1", "::1"}  # a machine may have no IPv6
    finally:
        node.stop()
    wait_until(lambda: not any(mark.lives for mark in marks), what="RabbitMQ's processes to be gone")
    assert not node.folder.exists()
    assert is_free(node.port)
    assert is_free(node.epmd.port)


def test_two_nodes_may_share_a_name_server_and_a_cookie():
    """What a cluster needs: different names, one epmd that outlives each, one cookie; they join."""
    epmd = Epmd()
    epmd.start()
    nodes = [RabbitmqNode(name=name, cookie="shared", epmd=epmd) for name in ("one", "two")]
    try:
        for node in nodes:
            node.start()
        joins = f"rabbit_mnesia:join_cluster('{nodes[0].name}', disc)."
        for command in ("rabbit:stop().", joins, "rabbit:start()."):  # as rabbitmqctl does
            nodes[1].evaluate(command)
        running = nodes[0].evaluate("lists:sort(rabbit_nodes:all_running()).")
        assert "one@localhost" in running
        assert "two@localhost" in running
    finally:
        for node in reversed(nodes):
            node.stop()
        assert epmd.answers()
        epmd.stop()
    assert is_free(epmd.port)


def test_services_start_once_stop_wholly_and_keep_their_data(tmp_path):
    """`make services` twice is one pair of servers; stopped and started again they hold the same data."""
    folder = tmp_path / "services"
    try:
        exports = _services(folder, "start")
        marks = State.load(folder / "state.json").marks
        assert set(marks) == {"postgres", "rabbitmq", "epmd"}
        assert all(mark.lives for mark in marks.values()), "they outlive the command that started them"
        assert _services(folder, "start") == exports
        assert State.load(folder / "state.json").marks == marks
        url = re.search(r"postgresql\+psycopg2(\S+)", exports)[1]
        _run(f"postgresql{url}", "CREATE TABLE kept (id int)")
        _services(folder, "stop")
        assert not any(mark.lives for mark in marks.values())
        assert _services(folder, "start") == exports
        assert _run(f"postgresql{url}", "SELECT count(*) FROM kept") == [(0,)]
        with pytest.raises(psycopg2.OperationalError, match="password"):
            psycopg2.connect(re.sub(r":\w+@", ":wrong@", f"postgresql{url}"))
    finally:
        _services(folder, "stop", "--purge")
    assert not folder.exists()


def _services(folder, *command):
    """What the command prints to standard output, as `eval` would read it."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.nodes", "--folder", str(folder), *command],
        cwd=_ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout


def test_a_process_that_inherited_an_id_is_never_ended():
    """The state file may be older than a reboot: a process with the same id but another start is left alone."""
    stranger = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        mark = Mark.of(stranger.pid)
        assert mark.lives
        stale = Mark(mark.pid, mark.started - 1)
        assert not stale.lives
        stale.end(signal.SIGKILL)
        assert mark.lives
    finally:
        stranger.communicate(b"\n")
    assert stranger.returncode == 0
    assert not mark.lives


def test_ports_are_given_once():
    """Two nodes made at the same moment never get one port."""
    ports = [free_port() for _ in range(100)]
    assert len(set(ports)) == len(ports)


def test_waiting_in_vain_says_for_what():
    """A deadline that passes names what was awaited."""
    with pytest.raises(AssertionError, match=r"waited 0\.05 s in vain for the moon"):
        wait_until(lambda: False, timeout=0.05, what="the moon")


def _publish(node, queue, body):
    connection = pika.BlockingConnection(pika.URLParameters(node.url))
    channel = connection.channel()
    channel.confirm_delivery()
    channel.queue_declare(queue, durable=True, arguments={"x-queue-type": "quorum"})
    node.wait_for_queue_on_disk(queue)
    channel.basic_publish("", queue, body, pika.BasicProperties(delivery_mode=2), mandatory=True)
    connection.close()


def _take(node, queue):
    """The body of the queue's next message; None when none comes in ten seconds."""
    connection = pika.BlockingConnection(pika.URLParameters(node.url))
    for _, _, body in connection.channel().consume(queue, auto_ack=True, inactivity_timeout=10):
        connection.close()
        return body
    return None


def _listening_addresses(*ports):
    """The addresses (written as text) that servers listen on at these ports, by the kernel's tables."""
    names = {"0100007F": "127.0.0.1", "00000000000000000000000001000000": "::1"}
    for table in ("tcp", "tcp6"):
        for row in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            local, state = row.split()[1], row.split()[3]
            address, port = local.split(":")
            if state == "0A" and int(port, 16) in ports:
                yield names.get(address, address)
