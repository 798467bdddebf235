"""`notifier failures replay`, `discard`, `operation` and `stop`: asked first, and followed to the end."""

import json
import sys
from typing import Any

import click

from notifier.cli import failure_words
from notifier.cli.answers import Answer
from notifier.cli.failure_options import (
    ask,
    dry_run_option,
    everything_option,
    filters,
    given,
    limit_option,
    operation_argument,
    yes_option,
)
from notifier.cli.send import tenant_option
from notifier.cli.support import json_option, say
from notifier.cli.watching import watch
from notifier.domain.lanes import Priority
from notifier.domain.replays import DEFAULT_RATE, OperationKind, OperationState


@click.command()
@filters
@everything_option
@limit_option
@click.option(
    "--rate", type=float, metavar="NUMBER", help=f"At most so many a second; {DEFAULT_RATE:g} unless given."
)
@click.option(
    "--as-priority",
    type=click.Choice([one.value for one in Priority]),
    help="Send all of them down this priority's lanes.",
)
@click.option(
    "--ttl",
    type=int,
    metavar="SECONDS",
    help="How long each is worth sending from its turn on, expired or not.",
)
@dry_run_option
@yes_option
@click.option("--no-wait", is_flag=True, help="Do not wait for the end.")
@tenant_option
@json_option
def replay(no_wait: bool, tenant: str | None, as_json: bool, **options: Any) -> None:
    """Send failures again, one after another, each once and as a new notification.

    What has expired is dropped, unless --ttl gives it a new time. Ends when all had their turn; Ctrl-C ends
    the waiting, not the replay.
    """
    how = {name: options.pop(name) for name in ("rate", "ttl")} | {"priority": options.pop("as_priority")}
    begun = _begin(OperationKind.REPLAY, options, how, tenant, as_json)
    if begun is None:
        return
    found = begun.document
    # A note says that nobody carries it on now: there is no end to wait for.
    if not no_wait and not begun.notes and found["state"] == OperationState.RUNNING:
        found = watch(found, tenant, as_json)
    _tell(found, as_json)


@click.command()
@filters
@everything_option
@limit_option
@dry_run_option
@yes_option
@tenant_option
@json_option
def discard(tenant: str | None, as_json: bool, **options: Any) -> None:
    """Put failures aside: no list shows them unless asked, and no replay takes them."""
    done = _begin(OperationKind.DISCARD, options, {}, tenant, as_json)
    if done is not None:
        _tell(done.document, as_json)


@click.command()
@operation_argument
@click.option("--wait", is_flag=True, help="Wait for its end.")
@tenant_option
@json_option
def operation(name: str, wait: bool, tenant: str | None, as_json: bool) -> None:
    """Show how far the replay ID has come."""
    found = ask(lambda door: door.operation(name), tenant, as_json).document
    if wait and found["state"] == OperationState.RUNNING:
        found = watch(found, tenant, as_json)
    _tell(found, as_json)


@click.command()
@operation_argument
@tenant_option
@json_option
def stop(name: str, tenant: str | None, as_json: bool) -> None:
    """Replay no more of ID; what had no turn yet is open again."""
    found = ask(lambda door: door.stop_operation(name), tenant, as_json).document
    say(as_json, found, failure_words.told(found))


def _begin(
    kind: OperationKind, options: dict[str, Any], how: dict[str, Any], tenant: str | None, as_json: bool
) -> Answer | None:
    """The operation, once it was agreed to; None after a dry run, which was told of."""
    dry_run, yes, everything = (options.pop(name) for name in ("dry_run", "yes", "everything"))
    how["limit"] = options.pop("limit")
    wanted = given(options)
    if bool(wanted) == everything:
        raise click.UsageError("give a filter, or --all for every open failure")
    body = {"filter": wanted, **given(how)}

    def asked(**more: object) -> Answer:
        sent = json.dumps({**body, **more}).encode()
        answer = ask(lambda door: door.work_on_failures(kind, sent), tenant, as_json)
        for note in answer.notes:
            click.echo(note, err=True)
        return answer

    if dry_run:
        found = asked(dry_run=True).document
        say(as_json, found, failure_words.counted(found))
        return None
    if not yes:
        if not sys.stdin.isatty():
            raise click.UsageError("--yes must be given where nobody can be asked")
        told = failure_words.counted(asked(dry_run=True).document)
        click.confirm(f"{told}; {kind} them?", abort=True, err=True)
    return asked()


def _tell(found: dict[str, Any], as_json: bool) -> None:
    """What became of it; exit 1 if somebody stopped it before its end."""
    say(as_json, found, failure_words.told(found))
    if found["state"] == OperationState.CANCELLED:
        sys.exit(1)
