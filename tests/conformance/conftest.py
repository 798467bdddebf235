"""What every conformance suite may ask for."""

import pytest

from tests.conformance.storage_kit import engine_at, migrate


@pytest.fixture
def engine(database_url, tmp_path_factory):
    """A migrated database of each kind in turn."""
    migrate(database_url, tmp_path_factory.getbasetemp() / "storage-template")
    with engine_at(database_url, pool_size=20) as made:
        yield made


@pytest.fixture
def postgres_engine(postgres_url, tmp_path_factory):
    """A migrated PostgreSQL database, for what only it has."""
    migrate(postgres_url, tmp_path_factory.getbasetemp() / "storage-template")
    with engine_at(postgres_url, pool_size=20) as made:
        yield made
