"""`notifier send`: one notification, through a running service or through intake in this process."""

import json
import time
from collections.abc import Sequence
from typing import Any

import click

from notifier.cli.answers import Answer, Door, NoAnswer
from notifier.cli.doors import end_with_problem, open_door
from notifier.cli.keys import check_tenant
from notifier.cli.support import fail, json_option, say
from notifier.domain.keys import parse_tenant, tenant_of
from notifier.domain.lanes import Priority
from notifier.domain.lifecycle import FINAL, Status
from notifier.domain.texts import CHAT_FORMATS

_WAIT = 60.0
_POLL = 0.2
_SLOWEST_POLL = 1.0
_ENDINGS = FINAL | {Status.HELD}
_GOOD = {Status.SENT, Status.DELIVERED}

#: Which option a wrong field came from.
OPTIONS = {
    "/to/email": "--email",
    "/to/name": "--name",
    "/to/phone": "--phone",
    "/to/push_token": "--push-token",
    "/to/platform": "--platform",
    "/to/chat": "--chat",
    "/content/subject": "--subject",
    "/content/title": "--title",
    "/content/text": "--text",
    "/content/html": "--html",
    "/options/chat/format": "--format",
    "/priority": "--priority",
    "/send_at": "--send-at",
    "/ttl": "--ttl",
    "/reference": "--reference",
    "/provider": "--provider",
    "/tags": "--tag",
}


def _key(_context: click.Context, _parameter: click.Parameter, text: str | None) -> str | None:
    if text is not None and not (1 <= len(text) <= 255 and text.isascii() and text.isprintable()):  # noqa: PLR2004
        raise click.BadParameter("must be 1 to 255 printable ASCII characters")
    return text


def _tenant(context: click.Context, parameter: click.Parameter, text: str | None) -> str | None:
    if text is None:
        return None
    name, mode = parse_tenant(text)
    return tenant_of(check_tenant(context, parameter, name), mode)


tenant_option = click.option(
    "--tenant",
    callback=_tenant,
    help='Whose it is, without NOTIFIER_URL; "default" unless given. NAME/test is what its test keys see.',
)


@click.command()
@click.option(
    "--email", metavar="ADDRESS", help="To this e-mail address; needs --subject and --text or --html."
)
@click.option("--name", help="The name shown beside the address.")
@click.option("--phone", metavar="NUMBER", help="To this number in E.164, as +14155552671; needs --text.")
@click.option("--push-token", metavar="TOKEN", help="To this device; needs --platform and --text.")
@click.option("--platform", metavar="fcm|apns|webpush", help="Whose push token it is.")
@click.option("--chat", metavar="NAME", help="To this destination of NOTIFIER_CHAT_PROVIDERS; needs --text.")
@click.option("--subject", help="The e-mail's subject.")
@click.option("--title", help="The push or chat message's title.")
@click.option("--text", help="What to say.")
@click.option(
    "--format", type=click.Choice(CHAT_FORMATS), help="How a chat's text is written; plain unless given."
)
@click.option("--html", help="The same as HTML, for an e-mail.")
@click.option("--priority", type=click.Choice([one.value for one in Priority]), help="medium unless given.")
@click.option("--send-at", metavar="TIME", help="When to send, as 2027-01-01T09:00:00Z; now unless given.")
@click.option(
    "--ttl", type=int, metavar="SECONDS", help="How long it is worth sending; by priority unless given."
)
@click.option("--reference", help="Your own name for it.")
@click.option(
    "--provider",
    metavar="NAME",
    help="Through this account of the channel and no other; `notifier providers` names them.",
)
@click.option("--tag", "tags", multiple=True, help="A tag; may be given several times.")
@click.option(
    "--idempotency-key", callback=_key, metavar="KEY", help="The same key never sends twice (24 h)."
)
@click.option("--dry-run", is_flag=True, help="Check it and say what would be done; keep nothing.")
@click.option(
    "--wait",
    type=click.FloatRange(0.1, 86_400),
    is_flag=False,
    flag_value=_WAIT,
    metavar="[SECONDS]",
    help=f"Wait for its ending, {_WAIT:g} seconds unless said; exit 1 unless it was sent.",
)
@tenant_option
@json_option
def command(
    *,
    tenant: str | None,
    idempotency_key: str | None,
    dry_run: bool,
    wait: float | None,
    as_json: bool,
    **given: Any,
) -> None:
    """Send one notification and print its id.

    Through the service at NOTIFIER_URL with NOTIFIER_API_KEY when they are set; else through the
    database and broker of Settings.
    """
    if dry_run and wait is not None:
        raise click.UsageError("--wait can't be given with --dry-run: nothing would be sent")
    body = json.dumps(request_of(given)).encode()
    door = open_door(tenant)
    try:
        answer = door.send(body, idempotency_key=idempotency_key, dry_run=dry_run)
        for note in answer.notes:
            click.echo(note, err=True)
        if not answer.good:
            end_with_problem(answer, as_json, OPTIONS)
        if dry_run:
            say(as_json, answer.document, _would(answer.document))
        elif wait is None:
            say(as_json, answer.document, answer.document["id"])
        else:
            _await(door, answer, wait, as_json)
    except NoAnswer as error:
        fail(str(error))
    finally:
        door.close()


def request_of(given: dict[str, Any]) -> dict[str, Any]:
    """The request's JSON from the options; raises `UsageError` unless there is exactly one recipient."""
    channels = {"email": "email", "phone": "sms", "push_token": "push", "chat": "chat"}
    found = [name for name in channels if given.get(name) is not None]
    if len(found) != 1:
        what = "only one" if found else "one"
        raise click.UsageError(f"give {what} of --email, --phone, --push-token and --chat")
    to = _set(given, ("email", "name", "phone", "push_token", "platform", "chat"))
    if given.get("platform") == "webpush":
        to["push_token"] = _subscription(str(to.get("push_token")))
    request = {
        "channel": channels[found[0]],
        "to": to,
        "content": _set(given, ("subject", "title", "text", "html")),
        **_set(given, ("priority", "send_at", "ttl", "reference", "provider")),
    }
    if given.get("format") is not None:
        request["options"] = {"chat": {"format": given["format"]}}
    if tags := list(given.get("tags") or ()):
        request["tags"] = tags
    return request


def _set(given: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: given[name] for name in names if given.get(name) is not None}


def _subscription(text: str) -> Any:
    """A Web Push subscription is given as JSON; what is none is left to the door to refuse."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _would(plan: dict[str, Any]) -> str:
    units = "1 unit" if plan["units"] == 1 else f"{plan['units']} units"
    return (
        f"would go to {plan['channel']}.{plan['priority']} through {plan['provider']}, {units}, "
        f"expiring {plan['expires_at']}"
    )


def _await(door: "Door", accepted: Answer, seconds: float, as_json: bool) -> None:
    """Ask until it has ended or time is up, then print the last that was seen."""
    name = str(accepted.document["id"])
    if not as_json:
        click.echo(name)
    document = _last(door, name, seconds)
    status = document.get("status", accepted.document["status"])
    ended = status in _ENDINGS
    reason = f": {document['reason']}" if document.get("reason") else ""
    words = f"{status}{reason}" if ended else f"still {status} after {seconds:g} s"
    say(as_json, document or accepted.document, words)
    if status not in _GOOD:
        raise SystemExit(1)


def _last(door: "Door", name: str, seconds: float) -> dict[str, Any]:
    """The notification once it has ended, or as it was last seen; {} if nobody ever told."""
    until, pause, seen = time.monotonic() + seconds, _POLL, dict[str, Any]()
    while True:
        try:
            answer = door.show(name)
        except NoAnswer as error:
            # A service that restarts is worth waiting for; the notification itself is kept.
            problem = str(error)
        else:
            problem = "" if answer.good else str(answer.document.get("title", answer.status))
            seen = answer.document if answer.good else seen
        if seen.get("status") in _ENDINGS or time.monotonic() >= until:
            if problem:
                click.echo(problem, err=True)
            return seen
        time.sleep(max(0.0, min(pause, until - time.monotonic())))
        pause = min(pause * 1.5, _SLOWEST_POLL)
