"""`notifier migrate`: bring the database to this version's schema, or back."""

import time
from typing import TYPE_CHECKING

import click

from notifier.cli.support import fail, json_option, say, settings_or_exit

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from notifier.settings import Settings

#: Seconds for another `migrate` to end, and between two looks.
_PATIENCE, _PAUSE = 60.0, 0.2


@click.command()
@click.option("--to", metavar="REVISION", help="Up to this revision instead of the newest.")
@click.option("--down", metavar="REVISION", help='Back to this revision; "base" removes everything.')
@click.option(
    "--ini", is_flag=True, help='Print where alembic.ini is and end: alembic -c "$(notifier migrate --ini)".'
)
@json_option
def command(to: str | None, down: str | None, ini: bool, as_json: bool) -> None:
    """Bring the database of NOTIFIER_DATABASE_URL to this version's schema.

    Running it again, or on several machines at once, does no harm.
    """
    if sum((to is not None, down is not None, ini)) > 1:
        raise click.UsageError("only one of --to, --down and --ini can be given")
    if ini:
        from notifier.storage.migrations import ini_path

        say(as_json, {"ini": str(ini_path())}, str(ini_path()))
        return
    before, after = _migrate(settings_or_exit(), to or "head", down)
    words = f"{before} -> {after}" if before != after else f"{after}: nothing to do"
    say(as_json, {"from": before, "to": after}, words)


def _migrate(settings: "Settings", to: str, down: str | None) -> tuple[str, str]:
    """The revisions before and after ("base" for an empty database)."""
    from alembic.util import CommandError
    from sqlalchemy.exc import SQLAlchemyError

    from notifier.cli.database import connect, reason_of

    engine = connect(settings)
    try:
        return _move_in_turn(engine, settings.database_url, to, down)
    except CommandError as error:
        fail(f"{'--to' if down is None else '--down'}: {error}", 2)
    except SQLAlchemyError as error:
        fail(f"the database can't be migrated: {reason_of(error)}")
    finally:
        engine.dispose()


def _move_in_turn(engine: "Engine", url: str, to: str, down: str | None) -> tuple[str, str]:
    """Move; while somebody else migrates, wait for them, then do what is left."""
    from sqlalchemy.exc import SQLAlchemyError

    from notifier.storage import migrations

    until = time.monotonic() + _PATIENCE
    seen: list[str] = []
    while True:
        try:
            seen.append(migrations.current(engine) or "base")
            _move(url, to, down)
            return seen[0], migrations.current(engine) or "base"
        except SQLAlchemyError as error:
            in_use = _locked(error) or (migrations.current(engine) or "base") != seen[-1]
            if not in_use or time.monotonic() > until:
                raise
            time.sleep(_PAUSE)


def _locked(error: Exception) -> bool:
    from notifier.storage import faults

    return faults.is_clash(error) or faults.is_lock_timeout(error) or "is locked" in str(error)


def _move(url: str, to: str, down: str | None) -> None:
    from notifier.storage import migrations

    if down is None:
        migrations.upgrade(url, to)
    else:
        migrations.downgrade(url, down)
