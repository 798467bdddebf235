"""`notifier lanes`: a live table of the lanes; `lanes pause` and `lanes resume` steer them."""

import os
import sys
import threading
from collections.abc import Callable
from typing import Any

import click

from notifier.cli.answers import Answer, Door
from notifier.cli.doors import ask
from notifier.cli.support import json_option, say
from notifier.cli.words import printable, table
from notifier.domain.lanes import Channel, Lane

#: Seconds between two looks: workers tell no more often.
_EVERY = 1.0
#: Home, and clear what a line, and the screen below it, had before.
_HOME, _TO_LINE_END, _TO_END = "\x1b[H", "\x1b[K", "\x1b[J"


def _lane(_context: click.Context, _parameter: click.Parameter, text: str) -> Lane:
    # Whether its channel is in use only the door can tell.
    known = {lane.name: lane for lane in Lane.all(Channel)}
    if text not in known:
        raise click.BadParameter(f"must be one of {', '.join(known)}")
    return known[text]


lane_argument = click.argument("lane", metavar="LANE", callback=_lane)


@click.group(invoke_without_command=True)
@click.option("--once", is_flag=True, help="Show the table once, as without a terminal.")
@json_option
@click.pass_context
def command(context: click.Context, once: bool, as_json: bool) -> None:
    """Show the lanes as they are now, every second on a terminal until Ctrl-C.

    Asks the service at NOTIFIER_URL with NOTIFIER_API_KEY when they are set, else the database of
    Settings. in/s and out/s are what workers take from the broker and start, on average of some seconds.
    """
    if context.invoked_subcommand is not None:
        return
    if as_json:
        document = _asked(_lanes, as_json)
        say(as_json, document, "")
    elif once or not _live():
        click.echo(in_words(_asked(_lanes, as_json)["data"]))
    else:
        _watch()


@command.command()
@lane_argument
@json_option
def pause(lane: Lane, as_json: bool) -> None:
    """Start nothing more of LANE, as email.low, within two seconds on every worker.

    What runs goes on; what is accepted waits, and expires when its time is over. The pause outlives restarts.
    """
    found = _asked(lambda door: door.set_paused(lane, True), as_json)
    say(as_json, found, f"{lane} is paused; to let it go on: notifier lanes resume {lane}")


@command.command()
@lane_argument
@json_option
def resume(lane: Lane, as_json: bool) -> None:
    """Let LANE go on, within two seconds on every worker."""
    found = _asked(lambda door: door.set_paused(lane, False), as_json)
    say(as_json, found, f"{lane} goes on")


def in_words(lanes: list[dict[str, Any]], *, colour: bool = False) -> str:
    """The table for a person; with `colour` what is held stands out."""
    head, *lines = table(_HEAD, [_line(one) for one in lanes]).split("\n")
    if colour:
        lines = [_coloured(line, one) for line, one in zip(lines, lanes, strict=True)]
    return "\n".join([head, *lines])


_HEAD = ("lane", "ready", "waiting", "running", "budget", "oldest", "in/s", "out/s", "why")


def _line(one: dict[str, Any]) -> list[str]:
    sick = [one["health"]] if one["health"] not in {None, "well", *one["why"]} else []
    cells = [
        one["lane"],
        "-" if one["ready"] is None else f"{one['ready']}",
        *(f"{one[name]}" for name in ("waiting", "running", "budget")),
        "-" if one["oldest_seconds"] is None else age(one["oldest_seconds"]),
        *(f"{one[name]:.1f}" for name in ("arrivals_per_second", "starts_per_second")),
        ", ".join([*one["why"], *sick]) or "-",
    ]
    return [printable(cell) for cell in cells]


_DAY = 86_400
#: Name, seconds, up to how many seconds it is used, digits behind the point.
_UNITS = (("s", 1, 60, 1), ("min", 60, 3600, 0), ("h", 3600, _DAY, 1))


def age(seconds: float) -> str:
    """A length of time in its largest unit: ``0.4 s``, ``12 min``, ``3.5 h``, ``2.1 d``."""
    for unit, size, below, digits in _UNITS:
        if seconds < below:
            return f"{seconds / size:.{digits}f} {unit}"
    return f"{seconds / _DAY:.1f} d"


def _coloured(line: str, one: dict[str, Any]) -> str:
    if one["health"] not in {None, "well"} or "no_worker" in one["why"]:
        return click.style(line, fg="red")
    return click.style(line, fg="yellow") if one["paused"] else line


def _live() -> bool:
    return sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def _watch() -> None:
    """Redraw until Ctrl-C, which is how this ends well."""
    colour, pause_between = not os.environ.get("NO_COLOR"), threading.Event()
    click.clear()
    try:
        while True:
            shown = in_words(_asked(_lanes, as_json=False)["data"], colour=colour)
            click.echo(_HOME + shown.replace("\n", f"{_TO_LINE_END}\n") + _TO_LINE_END + _TO_END, color=True)
            pause_between.wait(_EVERY)
    except KeyboardInterrupt:
        return


def _lanes(door: Door) -> Answer:
    return door.lanes()


def _asked(question: Callable[[Door], Answer], as_json: bool) -> dict[str, Any]:
    """The document, or the command's end."""
    return ask(question, as_json).document
