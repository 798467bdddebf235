"""What every command shares: settings with a clear end, JSON or words, and exit codes.

Exit codes: 0 done · 1 it could not be done · 2 wrong usage or settings.
"""

import json
import sys
from typing import TYPE_CHECKING, Any, NoReturn

import click

if TYPE_CHECKING:  # environs takes its time to import, which `--help` need not wait for
    from notifier.settings import Settings
    from notifier.telemetry.tracing import Tracing

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document instead of words."
)


def settings_or_exit(**overrides: object) -> "Settings":
    """The settings in force; exits with 2 and every wrong one named."""
    from notifier.settings import SettingsError, load_settings

    try:
        return load_settings(overrides=overrides or None)
    except SettingsError as error:
        click.echo(str(error), err=True)
        sys.exit(2)


def traces_or_exit(settings: "Settings", role: str) -> "Tracing | None":
    """The traces of this process, if Settings ask for them; exits with 2 where their extra is missing."""
    from notifier.bootstrap.tracing import make_tracing
    from notifier.settings import SettingsError

    try:
        return make_tracing(settings, role)
    except SettingsError as error:
        fail(str(error), 2)


def say(as_json: bool, document: Any, words: str) -> None:
    """The result, for a program or for a person."""
    click.echo(json.dumps(document, ensure_ascii=False) if as_json else words)


def fail(message: str, code: int = 1) -> NoReturn:
    """End with a message on standard error."""
    click.echo(message, err=True)
    sys.exit(code)
