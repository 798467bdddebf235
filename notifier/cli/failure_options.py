"""What the subcommands of `notifier failures` share: options, and asking the door."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from notifier.cli import doors
from notifier.cli.answers import Answer, Door
from notifier.domain.ids import parse_operation_id
from notifier.domain.lanes import Channel, Priority
from notifier.domain.lifecycle import Reason
from notifier.domain.replays import MAX_LIMIT, FailureState, FailureStatus

Command = TypeVar("Command", bound=Callable[..., Any])

#: Which option a wrong field came from.
SOURCES = {
    **{f"/filter/{name}": f"--{name}" for name in ("since", "until", "provider")},
    **{f"?{name}": f"--{name}" for name in ("since", "until", "provider")},
    "?group_by": "--by",
    "/limit": "--limit",
    "/rate": "--rate",
    "/ttl": "--ttl",
}
_FILTERS = (
    click.option("--since", metavar="TIME", help="Ended at this time or later, as 2027-01-01T09:00:00Z."),
    click.option("--until", metavar="TIME", help="Ended before this time."),
    click.option("--status", type=click.Choice([one.value for one in FailureStatus]), help="How they ended."),
    click.option(
        "--reason", type=click.Choice([one.value for one in Reason]), metavar="REASON", help="Why they ended."
    ),
    click.option("--channel", type=click.Choice([one.value for one in Channel]), help="Of this channel."),
    click.option("--priority", type=click.Choice([one.value for one in Priority]), help="Of this priority."),
    click.option("--provider", metavar="NAME", help="Of this provider, which made the last attempt."),
)
state_option = click.option(
    "--state",
    type=click.Choice([*(one.value for one in FailureState), "all"]),
    help="What became of them; open unless given: nobody has decided.",
)
everything_option = click.option(
    "--all", "everything", is_flag=True, help="Every open failure, where no filter is given."
)
limit_option = click.option(
    "--limit", type=int, metavar="NUMBER", help=f"The oldest so many of them; {MAX_LIMIT} unless given."
)
dry_run_option = click.option("--dry-run", is_flag=True, help="Say how many, and change nothing.")
yes_option = click.option("--yes", is_flag=True, help="Do not ask.")


def filters(command: Command) -> Command:
    """The options that say which failures are meant."""
    for option in reversed(_FILTERS):
        command = option(command)
    return command


def _operation(_context: click.Context, _parameter: click.Parameter, text: str) -> str:
    if parse_operation_id(text) is None:
        raise click.BadParameter("must be an operation's id: opn_ and a UUID in lower case")
    return text


operation_argument = click.argument("name", metavar="ID", callback=_operation)


def given(options: dict[str, Any]) -> dict[str, Any]:
    """Those that were given."""
    return {name: value for name, value in options.items() if value is not None}


def ask(question: Callable[[Door], Answer], tenant: str | None, as_json: bool) -> Answer:
    """The door's good answer, or the command's end, which names these options."""
    return doors.ask(question, as_json, tenant=tenant, options=SOURCES)
