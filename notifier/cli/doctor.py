"""`notifier doctor`: checks everything the service needs and says what to do."""

import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

from notifier.cli.support import json_option, say

if TYPE_CHECKING:
    from notifier.cli.checks import Finding
    from notifier.settings import Settings

_NEIGHBOURS = ("database", "broker", "providers")


@click.command()
@json_option
def command(as_json: bool) -> None:
    """Check settings, database, broker, providers and processes, and say what to do.

    Sends nothing. Declares the queues, as every start of the service does. Exit 1 when anything failed.
    """
    found = []
    for finding in examine():
        found.append(finding)
        if not as_json:
            click.echo(_line(finding))
    bad = any(finding.state == "failed" for finding in found)
    if as_json:
        say(as_json, {"ok": not bad, "checks": [_document(finding) for finding in found]}, "")
    sys.exit(1 if bad else 0)


def examine() -> "Iterator[Finding]":
    """Every finding, as it is made; without right settings there is nothing more to look at."""
    from notifier.cli.checks import check_settings
    from notifier.settings import SettingsError, load_settings
    from notifier.telemetry.logs import configure_logs

    configure_logs("console", "critical")
    yield from check_settings()
    try:
        settings = load_settings()
    except SettingsError:
        return
    for name in _NEIGHBOURS:
        look = getattr(import_module(f"notifier.cli.check_{name}"), f"check_{name}")
        yield from _guarded(name, look, settings)


def _guarded(
    name: str, look: "Callable[[Settings], Iterator[Finding]]", settings: "Settings"
) -> "Iterator[Finding]":
    from notifier.cli.checks import failed

    try:
        yield from look(settings)
    except Exception as error:  # noqa: BLE001 - one broken check must not hide the others
        # Its text may hold anything, a secret too.
        yield failed(
            name, f"could not be checked: {type(error).__name__}", "report this as a fault of notifier"
        )


def _line(finding: "Finding") -> str:
    advice = f"\n{'':27}-> {finding.advice}" if finding.advice else ""
    return f"{finding.state:<9}{finding.check:<18}{finding.detail}{advice}"


def _document(finding: "Finding") -> dict[str, Any]:
    return {
        "check": finding.check,
        "state": str(finding.state),
        "detail": finding.detail,
        "advice": finding.advice or None,
    }
