"""Migrations by alembic, from the wheel's own copy or the checkout's, and what revision stands."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine

from notifier.storage.engine import reading

_PACKAGE = Path(__file__).resolve().parent.parent


def ini_path() -> Path:
    """The `alembic.ini` that belongs to this code."""
    packaged = _PACKAGE / "_migrations" / "alembic.ini"
    return packaged if packaged.exists() else _PACKAGE.parent / "alembic.ini"


def _config(url: str) -> Config:
    config = Config(str(ini_path()))
    # '%' begins an interpolation in an ini file.
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    return config


def upgrade(url: str, revision: str = "head") -> None:
    """Bring the database at `url` up to `revision`."""
    command.upgrade(_config(url), revision)


def downgrade(url: str, revision: str) -> None:
    """Take the database at `url` back to `revision` ("base": nothing is left)."""
    command.downgrade(_config(url), revision)


def head() -> str:
    """The newest revision this code knows."""
    found = ScriptDirectory.from_config(Config(str(ini_path()))).get_current_head()
    return found or "base"


def current(engine: Engine) -> str | None:
    """The revision the database stands at; None before the first."""
    with reading(engine) as connection:
        return MigrationContext.configure(connection).get_current_revision()
