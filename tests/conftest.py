"""Private servers for the tests: started once, at the first test that asks; a fresh corner for each test."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from notifier.storage import migrations
from tests import order
from tests.nodes import folders
from tests.nodes.postgres import PostgresNode
from tests.nodes.rabbitmq import RabbitmqNode
from tests.storms.kit import form, summary

ROOT = Path(__file__).parents[1]


def pytest_configure(config):
    """One seed for the run, and one place for its files: the processes that share its tests inherit both."""
    os.environ["STORM_SEED"] = str(form.SEED)
    if form.FULL:
        config.pluginmanager.register(SaidAtOnce(config))
    memory = folders.in_memory()
    if "TMPDIR" not in os.environ and memory is not None:
        os.environ["TMPDIR"] = str(memory)
        tempfile.tempdir = None  # ask again


def pytest_collection_modifyitems(items):
    """The longest files first, so that no core waits for them at the end; within a file as ever."""
    items.sort(key=lambda item: order.place(item.path.relative_to(ROOT).as_posix()))


class SaidAtOnce:
    """A run of an hour does not keep its failures to itself."""

    def __init__(self, config):
        self._plugins = config.pluginmanager

    def pytest_runtest_logreport(self, report):
        """The reason of each failure, when it has failed."""
        # Asked for now: it is not there yet when this is made.
        terminal = self._plugins.getplugin("terminalreporter")
        if report.failed and terminal is not None:
            reason = getattr(getattr(report.longrepr, "reprcrash", None), "message", str(report.longrepr))
            terminal.write_line(f"{report.nodeid}: {reason[:1000]}", red=True)
            terminal.flush()


def pytest_terminal_summary(terminalreporter):
    """The counts of every storm's case, and the seed that repeats them."""
    reports = [one for kind in ("passed", "failed") for one in terminalreporter.getreports(kind)]
    cases = summary.recorded(one for one in reports if one.when == "call")
    if cases:
        name = "full" if form.FULL else "short"
        terminalreporter.section(f"storms, {name} form, seed {form.SEED}")
        for line in summary.table(cases):
            terminalreporter.write_line(line)
        path = Path(terminalreporter.config.rootpath) / "build" / "storm.json"
        summary.write(cases, path, form=name, seed=form.SEED)


@pytest.fixture(scope="session")
def postgres_node():
    """The run's PostgreSQL server. A test that crashes it must start its own or bring it back."""
    node = PostgresNode()
    node.start()
    yield node
    node.stop()


@pytest.fixture(scope="session")
def rabbitmq_node():
    """The run's RabbitMQ server. A test that kills or freezes it must start its own or bring it back."""
    node = RabbitmqNode()
    node.start()
    yield node
    node.stop()


@pytest.fixture
def postgres_url(postgres_node):
    """The SQLAlchemy URL of an empty PostgreSQL database, dropped after the test."""
    with postgres_node.fresh_database() as url:
        yield url


@pytest.fixture(scope="module")
def module_postgres_url(postgres_node):
    """The SQLAlchemy URL of a PostgreSQL database that a module's tests share, dropped after them."""
    with postgres_node.fresh_database() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request, tmp_path):
    """An empty database of each kind in turn: what is promised is promised on both."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'notifier.db'}"
    return request.getfixturevalue("postgres_url")


@pytest.fixture(scope="session")
def migrated_database(postgres_node):
    """The name of a migrated database to make others like: a migration costs more than most tests."""
    postgres_node.create_database("migrated")
    migrations.upgrade(postgres_node.url("migrated"))
    return "migrated"


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory):
    """A migrated SQLite file to copy."""
    path = tmp_path_factory.mktemp("migrated") / "notifier.db"
    migrations.upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture
def migrated_postgres_url(postgres_node, migrated_database):
    """The SQLAlchemy URL of a migrated PostgreSQL database, dropped after the test."""
    with postgres_node.fresh_database(migrated_database) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def migrated_url(request, tmp_path):
    """A migrated database of each kind in turn."""
    if request.param == "postgresql":
        return request.getfixturevalue("migrated_postgres_url")
    path = tmp_path / "notifier.db"
    shutil.copy(request.getfixturevalue("migrated_file"), path)
    return f"sqlite:///{path}"


@pytest.fixture
def rabbitmq_vhost_url(rabbitmq_node):
    """The AMQP URL of an empty virtual host, deleted after the test."""
    with rabbitmq_node.fresh_vhost() as url:
        yield url


@pytest.fixture(scope="module")
def module_rabbitmq_vhost_url(rabbitmq_node):
    """The AMQP URL of a virtual host that a module's tests share, deleted after them."""
    with rabbitmq_node.fresh_vhost() as url:
        yield url
