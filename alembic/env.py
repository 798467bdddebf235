"""Runs migrations on the database that Settings name (or the one handed over by the caller)."""

from alembic import context

from notifier.settings import load_settings
from notifier.storage.engine import Use, make_engine
from notifier.storage.tables import metadata


def database_url() -> str:
    """The URL in the configuration object, where `notifier migrate` puts it, else from Settings."""
    given = context.config.get_main_option("sqlalchemy.url")
    return given or load_settings().database_url


def run_offline() -> None:
    """Print the SQL instead of running it (`--sql`)."""
    context.configure(url=database_url(), target_metadata=metadata, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()


def run_online() -> None:
    """Run on a connection of our own kind, with room for long statements."""
    engine = make_engine(database_url(), Use(name="migrate", pool_size=1, statement_timeout=600))
    with engine.connect() as connection:
        context.configure(
            connection=connection,
            target_metadata=metadata,
            render_as_batch=connection.dialect.name == "sqlite",
        )
        with context.begin_transaction():
            context.run_migrations()
    engine.dispose()


if context.is_offline_mode():
    run_offline()
else:
    run_online()
