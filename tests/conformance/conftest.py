"""What every conformance suite may ask for."""

import pytest

from tests.conformance.storage_kit import engine_at


@pytest.fixture
def engine(migrated_url):
    """A migrated database of each kind in turn."""
    with engine_at(migrated_url, pool_size=20) as made:
        yield made


@pytest.fixture
def postgres_engine(migrated_postgres_url):
    """A migrated PostgreSQL database, for what only it has."""
    with engine_at(migrated_postgres_url, pool_size=20) as made:
        yield made
