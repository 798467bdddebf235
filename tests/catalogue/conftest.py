"""One real door for each table: its cases change nothing, so they can share it."""

import dataclasses
import shutil

import pytest
import pytest_asyncio

from notifier.storage import migrations
from tests.acceptance.http.conftest import CONFIG, Door
from tests.catalogue.kit import add_keys

PATIENT = dataclasses.replace(
    CONFIG, key_ttl=60.0, read_deadline=30.0, body_deadline=60.0, header_deadline=60.0
)


@pytest.fixture(scope="session")
def migrated(tmp_path_factory):
    """A migrated SQLite file."""
    path = tmp_path_factory.mktemp("catalogue") / "empty.db"
    migrations.upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="module")
def config():
    """The door's settings, patient where other tests crowd the machine: its deadlines are held elsewhere."""
    return PATIENT


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def door(migrated, tmp_path_factory, config):
    """A door that serves until the module's tests have ended."""
    path = tmp_path_factory.mktemp("door") / "notifier.db"
    shutil.copy(migrated, path)
    made = Door(f"sqlite:///{path}", config, wait=30.0)
    add_keys(made.engine)
    await made.start()
    yield made
    await made.close()
