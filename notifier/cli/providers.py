"""`notifier providers`: a table of the accounts; `disable` and `enable` steer them, `events` tells what happened."""

from collections.abc import Callable
from typing import Any

import click

from notifier.cli.answers import Answer, Door
from notifier.cli.doors import ask
from notifier.cli.operator_events import events
from notifier.cli.support import json_option, say
from notifier.cli.words import printable, table
from notifier.domain.lanes import Channel

_HEAD = ("channel", "", "provider", "breaker", "why", "calls", "errors", "slow", "p95", "disabled")

channel_option = click.option(
    "--channel",
    type=click.Choice([str(one) for one in Channel]),
    help="Which, where several channels have one of this name.",
)


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def command(context: click.Context, as_json: bool) -> None:
    """Show every provider account: its breaker, and its calls of the last 30 seconds over all workers.

    Asks the service at NOTIFIER_URL with NOTIFIER_API_KEY when they are set, else the database of Settings.
    """
    if context.invoked_subcommand is None:
        document = _asked(lambda door: door.providers(), as_json)
        say(as_json, document, in_words(document["data"]))


@command.command()
@click.argument("name")
@channel_option
@json_option
def disable(name: str, channel: str | None, as_json: bool) -> None:
    """Send nothing more through NAME, within two seconds on every worker; what runs goes on.

    The channel's other accounts take over; without any its messages wait, and expire when their time is over.
    """
    found = _asked(lambda door: door.set_disabled(name, _channel(channel), True), as_json)
    say(as_json, found, f"{name} is disabled; to let it send again: notifier providers enable {name}")


@command.command()
@click.argument("name")
@channel_option
@json_option
def enable(name: str, channel: str | None, as_json: bool) -> None:
    """Let NAME send again, within two seconds on every worker; its breaker judges it as before."""
    found = _asked(lambda door: door.set_disabled(name, _channel(channel), False), as_json)
    say(as_json, found, f"{name} may send again")


def in_words(accounts: list[dict[str, Any]]) -> str:
    """The table for a person."""
    return table(_HEAD, [_line(one) for one in accounts])


def _line(one: dict[str, Any]) -> list[str]:
    probe = one["probe_in_seconds"]
    cells = [
        one["channel"],
        f"{one['preference']}",
        one["name"],
        one["breaker"].replace("_", "-") + (f", probe in {probe:.0f} s" if probe else ""),
        one["why"] or "-",
        f"{one['calls']}",
        *("-" if one[name] is None else f"{one[name]:.0%}" for name in ("error_rate", "slow_rate")),
        "-" if one["p95_seconds"] is None else f"{one['p95_seconds']:.2f} s",
        f"by {one['disabled_by'] or 'the command line'}" if one["disabled"] else "-",
    ]
    return [printable(cell) for cell in cells]


def _channel(text: str | None) -> Channel | None:
    return None if text is None else Channel(text)


def _asked(question: Callable[[Door], Answer], as_json: bool) -> dict[str, Any]:
    """The document, or the command's end."""
    return ask(question, as_json).document


command.add_command(events)
