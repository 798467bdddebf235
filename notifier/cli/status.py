"""`notifier status ID`: what became of a notification."""

from typing import Any

import click

from notifier.cli.doors import ask
from notifier.cli.send import tenant_option
from notifier.cli.support import json_option, say
from notifier.cli.words import printable, table
from notifier.domain.ids import parse_notification_id


def _id(_context: click.Context, _parameter: click.Parameter, text: str) -> str:
    if parse_notification_id(text) is None:
        raise click.BadParameter("must be a notification's id: ntf_ and a UUID in lower case")
    return text


@click.command()
@click.argument("notification", metavar="ID", callback=_id)
@tenant_option
@json_option
def command(notification: str, tenant: str | None, as_json: bool) -> None:
    """Show the state of the notification ID, its attempts and its timeline.

    Asks the service at NOTIFIER_URL with NOTIFIER_API_KEY when they are set, else the database of
    Settings.
    """
    answer = ask(lambda door: door.show(notification), as_json, tenant=tenant)
    say(as_json, answer.document, in_words(answer.document))


def in_words(found: dict[str, Any]) -> str:
    """A notification for a person."""
    reason = f": {found['reason']}" if found.get("reason") else ""
    lines = [f"{found['id']}  {found['channel']}.{found['priority']}  {found['status']}{reason}"]
    for name in ("reference", "send_at", "next_attempt_at", "expires_at", "resent_from"):
        if found.get(name):
            lines.append(f"{name.replace('_', ' ')}: {found[name]}")
    if found["attempts"]:
        lines += ["", table(_HEAD, [_attempt(one) for one in found["attempts"]])]
    lines += ["", *map(_moment, found["timeline"])]
    # What a provider answered is a stranger's text, and a reference the caller's.
    return "\n".join(part for line in lines for part in map(printable, line.split("\n")))


def _moment(one: dict[str, Any]) -> str:
    """What happened; of a receipt also whose it was, and the provider's own code."""
    said = " ".join(one[name] for name in ("provider", "code") if one.get(name))
    return f"{one['at']}  {one['event']}{f'  ({said})' if said else ''}"


_HEAD = ("n", "provider", "outcome", "reason", "ms", "answer")


def _attempt(one: dict[str, Any]) -> list[str]:
    took = one.get("duration_ms")
    answer = " ".join(str(one[name]) for name in ("code", "answer") if one.get(name))
    outcome = f"{one['outcome']}{' (possible duplicate)' if one.get('possible_duplicate') else ''}"
    cells = [one["n"], one.get("provider"), outcome, one.get("reason"), took, answer]
    return [printable("-" if cell in {None, ""} else str(cell)) for cell in cells]
