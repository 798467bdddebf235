"""`notifier failures`: look at what finally failed, send it again or put it aside."""

from typing import Any

import click

from notifier.cli import failure_words, operations
from notifier.cli.answers import Answer, Door
from notifier.cli.failure_options import ask, filters, given, state_option
from notifier.cli.send import tenant_option
from notifier.cli.support import json_option, say

#: Rows of one page that is asked for.
_PAGE = 250


@click.group()
def command() -> None:
    """Work with what finally failed: list, count, replay, discard.

    Through the service at NOTIFIER_URL with NOTIFIER_API_KEY when they are set, else in the database of
    Settings.
    """


@command.command(name="list")
@filters
@state_option
@click.option(
    "--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="Rows at the most."
)
@tenant_option
@json_option
def list_failures(limit: int, tenant: str | None, as_json: bool, **options: str | None) -> None:
    """List failures, newest first."""
    rows: list[dict[str, Any]] = []
    cursor: str | None = None
    query = given(options)

    def next_page(door: Door) -> Answer:
        page = {**query, "limit": str(min(_PAGE, limit - len(rows)))}
        return door.failures(page if cursor is None else {**page, "cursor": cursor})

    while True:
        found = ask(next_page, tenant, as_json).document
        rows, cursor = rows + found["data"], found["next_cursor"]
        if cursor is None or len(rows) >= limit:
            break
    say(
        as_json,
        {"data": rows, "next_cursor": cursor},
        failure_words.listed(rows, more=cursor is not None),
    )


@command.command()
@filters
@state_option
@click.option("--by", metavar="NAMES", help="What to count by; reason,provider unless given.")
@tenant_option
@json_option
def summary(by: str | None, tenant: str | None, as_json: bool, **options: str | None) -> None:
    """Count failures by reason and provider, or by what --by names."""
    query = given({**options, "group_by": by})
    found = ask(lambda door: door.failure_summary(query), tenant, as_json).document
    say(as_json, found, failure_words.summed(found))


for one in (operations.replay, operations.discard, operations.operation, operations.stop):
    command.add_command(one)
