"""`notifier providers events`: what happened to providers and lanes, newest first."""

from typing import Any

import click

from notifier.cli.answers import Answer, Door
from notifier.cli.doors import ask
from notifier.cli.lanes import age
from notifier.cli.support import json_option, say
from notifier.cli.words import printable, table
from notifier.domain.lanes import Channel
from notifier.domain.operator_events import EventKind

_HEAD = ("at", "what", "about", "why", "by", "more")
_BREAKERS = (EventKind.BREAKER_OPENED, EventKind.BREAKER_CLOSED)
#: Rows of one page that is asked for.
_PAGE = 250


@click.command()
@click.option("--kind", type=click.Choice([str(one) for one in EventKind]), help="Only what is of this kind.")
@click.option("--channel", type=click.Choice([str(one) for one in Channel]), help="Only this channel's.")
@click.option("--provider", metavar="NAME", help="Only this account's.")
@click.option("--after", type=int, metavar="ID", help="Only what came after the event of this id.")
@click.option(
    "--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="Rows at the most."
)
@json_option
def events(limit: int, as_json: bool, **options: object) -> None:
    """Show what happened to providers and lanes, newest first: breakers, and what operators said."""
    query = {name: str(value) for name, value in options.items() if value is not None}
    rows: list[dict[str, Any]] = []
    cursor: str | None = None

    def next_page(door: Door) -> Answer:
        page = {**query, "limit": str(min(_PAGE, limit - len(rows)))}
        return door.operator_events(page if cursor is None else {**page, "cursor": cursor})

    while True:
        found = ask(next_page, as_json).document
        rows, cursor = rows + found["data"], found["next_cursor"]
        if cursor is None or len(rows) >= limit:
            break
    say(as_json, {"data": rows, "next_cursor": cursor}, in_words(rows, more=cursor is not None))


def in_words(rows: list[dict[str, Any]], *, more: bool = False) -> str:
    """The table for a person."""
    if not rows:
        return "none"
    told = table(_HEAD, [_line(one) for one in rows])
    return f"{told}\nThere may be more: a higher --limit shows them." if more else told


def _line(one: dict[str, Any]) -> list[str]:
    about = (
        f"{one['channel']}/{one['provider']}" if one["provider"] else f"{one['channel']}.{one['priority']}"
    )
    by = "-" if one["kind"] in _BREAKERS else one["by"] or "the command line"
    cells = (one["at"], one["kind"].replace("_", " "), about, one["reason"] or "-", by, _more(one["facts"]))
    return [printable(cell) for cell in cells]


def _more(facts: dict[str, Any]) -> str:
    """A later version's facts are in the JSON."""
    if "out_seconds" not in facts:
        return "-"
    return f"out for {age(facts['out_seconds'])}, failed probes: {facts.get('failed_probes', 0)}"
