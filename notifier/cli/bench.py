"""`notifier bench`: open-loop load against a running service, with a test key unless `--live` is said."""

import asyncio
import math
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from notifier.cli.answers import NoAnswer
from notifier.cli.bench_endings import Endings
from notifier.cli.bench_figures import Measured, document
from notifier.cli.bench_gate import entered, recipients_of, remote_of
from notifier.cli.bench_plan import MOST, MOST_LIVE, Plan, parse_mix
from notifier.cli.bench_words import in_words
from notifier.cli.support import json_option, say
from notifier.domain.lanes import Channel, Lane

if TYPE_CHECKING:
    from notifier.cli.remote import RemoteDoor
    from notifier.settings.remote import Remote

Watch = Callable[[int], None]
#: Seconds between two looks at what has not ended.
_LOOK = 0.5
#: What a notification is worth beyond the run's own time, in seconds: then a backlog ends by itself.
_WORTH = 60


@click.command()
@click.option(
    "--rate",
    type=click.FloatRange(0.1, 10_000),
    default=50.0,
    show_default=True,
    help="Notifications a second.",
)
@click.option("--duration", type=click.FloatRange(1, 600), default=10.0, show_default=True, help="Seconds.")
@click.option(
    "--mix",
    callback=parse_mix,
    metavar="LANES",
    help="Which lanes, with weights, as email.low=6,sms.high; all nine alike unless given.",
)
@click.option(
    "--batch", type=click.IntRange(1, 1000), default=1, show_default=True, help="Notifications a request."
)
@click.option(
    "--wait",
    type=click.FloatRange(0, 600),
    default=30.0,
    show_default=True,
    help="Seconds to wait until what was accepted has ended.",
)
@click.option(
    "--live",
    is_flag=True,
    help=f"Really send, at most {MOST_LIVE:,}, to the recipients below; needs a live key.",
)
@click.option("--email", metavar="ADDRESS", help="With --live: who gets the e-mails.")
@click.option("--phone", metavar="NUMBER", help="With --live: who gets the SMS.")
@click.option(
    "--push-token",
    metavar="TOKEN",
    help="With --live: which device gets the push messages; needs --platform.",
)
@click.option("--platform", type=click.Choice(["fcm", "apns"]), help="With --live: whose push token it is.")
@click.option("--chat", metavar="NAME", help="With --live: which destination gets the chat messages.")
@json_option
def command(
    *,
    rate: float,
    duration: float,
    mix: tuple[tuple[Lane, int], ...],
    batch: int,
    wait: float,
    live: bool,
    as_json: bool,
    **given: str | None,
) -> None:
    """Measure the service at NOTIFIER_URL with NOTIFIER_API_KEY, which must be a test key: nobody is reached.

    Requests leave at fixed moments whatever the answers do, and each wait is counted from its moment. Ctrl-C ends
    it with what was measured so far. Exit 0: it kept up; 1: it did not, or could not be measured.
    """
    plan = Plan(rate, duration, batch, mix)
    most = MOST_LIVE if live else MOST
    if rate * duration > most:
        raise click.UsageError(
            f"--rate times --duration must be at most {most:,}{' with --live' if live else ''}"
        )
    recipients = recipients_of(plan, given, live=live)
    remote = remote_of(live=live)
    run = f"bench-{secrets.token_hex(6)}"
    ttl = math.ceil(duration + wait) + _WORTH
    door, unread = entered(remote, run, as_json)
    try:
        with _bar(plan.count) as watch:
            found = _load(remote, plan, recipients, run, ttl, watch("sending"))
            found.unread = unread
            if found.accepted and not unread:
                _endings(door, run, found, wait, watch("waiting"))
    finally:
        door.close()
    told = document(plan, found, run, live=live)
    say(as_json, told, in_words(told))
    if not told["kept_up"]:
        raise SystemExit(1)


def _load(
    remote: "Remote",
    plan: Plan,
    recipients: Mapping[Channel, Mapping[str, str]],
    run: str,
    ttl: int,
    watch: Watch,
) -> Measured:
    from notifier.cli.bench_client import OpenLoop

    async def measure() -> Measured:
        return await OpenLoop(remote, plan, recipients, run, ttl, watch).measure()

    return asyncio.run(measure())


def _endings(door: "RemoteDoor", run: str, found: Measured, wait: float, watch: Watch) -> None:
    """Look until all have ended, the wait is over, Ctrl-C, or nobody answers; one look at least."""
    endings, until, pause = Endings(door, run, found), time.monotonic() + wait, threading.Event()
    try:
        endings.look(watch)
        while not (endings.done or found.interrupted or time.monotonic() >= until):
            pause.wait(_LOOK)
            endings.look(watch)
    except KeyboardInterrupt:
        found.interrupted = True
    except NoAnswer as error:
        found.unread = f"the list did not answer: {error}"
        return
    try:
        endings.close()
    except NoAnswer as error:
        found.unread = f"the list did not answer: {error}"


@contextmanager
def _bar(total: int) -> Iterator[Callable[[str], Watch]]:
    """A bar on standard error, where that is a terminal; gives what begins one with a title."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:

        def begin(title: str) -> Watch:
            task = bar.add_task(title, total=total)
            return lambda done: bar.update(task, completed=done)

        yield begin
