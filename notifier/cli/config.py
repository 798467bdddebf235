"""`notifier config`: the settings in force, without secrets."""

import sys

import click

from notifier.cli.support import json_option, say, settings_or_exit


@click.group()
def command() -> None:
    """Show or check the settings in force."""


@command.command()
@json_option
def show(as_json: bool) -> None:
    """Show every setting and its value, as NAME=VALUE; secrets are masked."""
    shown = settings_or_exit().shown()
    say(as_json, shown, "\n".join(f"{name}={value}" for name, value in shown.items()))


@command.command()
@json_option
def check(as_json: bool) -> None:
    """Check every setting; exit 2 with all that are wrong."""
    from notifier.settings import SettingsError, load_settings

    problems: list[tuple[str, str]] = []
    try:
        load_settings()
    except SettingsError as error:
        problems = error.problems
    found = [{"setting": name, "allowed": allowed} for name, allowed in problems]
    words = "\n".join(f"{name}: {allowed}" for name, allowed in problems) or "all settings are right"
    say(as_json, {"ok": not problems, "problems": found}, words)
    sys.exit(2 if problems else 0)
