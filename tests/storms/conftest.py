"""The installation that a file's cases share, and the case itself."""

import contextlib

import pytest

from tests.storms.kit import form
from tests.storms.kit.case import Case
from tests.storms.kit.installation import Installation


def pytest_collection_modifyitems(config, items):
    """The short form leaves out what is marked `full`: each fault has another case, or lasts too long."""
    if not form.FULL:
        left_out = [item for item in items if item.get_closest_marker("full")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not item.get_closest_marker("full")]


@pytest.fixture(scope="module")
def broker_url(module_rabbitmq_vhost_url):
    """The broker of the file's installation; a file that hurts the broker gives its own."""
    return module_rabbitmq_vhost_url


@pytest.fixture(scope="module")
def storage_url(module_postgres_url):
    """The database of the file's installation; a file that hurts the database gives its own."""
    return module_postgres_url


@pytest.fixture(scope="module")
def make_installation(tmp_path_factory, storage_url, broker_url):
    """Starts installations on the file's broker and database; all end with the file."""
    with contextlib.ExitStack() as stack:

        def make(*, doors: int = 2, workers: int = 2, threads: int = 8, **settings: str) -> Installation:
            folder = tmp_path_factory.mktemp("storm")
            made = Installation(folder, storage_url, broker_url, threads=threads, **settings)
            stack.enter_context(made)
            made.begin(doors=doors, workers=workers)
            return made

        yield make


@pytest.fixture(scope="module")
def installation(make_installation):
    """Two doors, two workers of eight threads, their relays and an SMTP server; each case leaves it whole."""
    return make_installation()


@pytest.fixture
def case(installation, record_property):
    """Makes the cases of one test: `with case("F1", "worker killed") as one: …`."""

    def make(fault: str, words: str, **more) -> Case:
        return Case(more.pop("on", installation), record_property, fault, words, **more)

    return make
