"""`notifier tail`: what happens to one notification, or in one lane, as it happens."""

import json
import threading

import click

from notifier.cli import doors
from notifier.cli.answers import Door, NoAnswer
from notifier.cli.send import tenant_option
from notifier.cli.support import fail
from notifier.cli.tail_events import in_words
from notifier.cli.tail_looks import Looks, OneLane, OneNotification, Refused
from notifier.domain.ids import parse_notification_id
from notifier.domain.lanes import Channel, Lane


def _what(_context: click.Context, _parameter: click.Parameter, text: str) -> "str | Lane":
    lanes = {lane.name: lane for lane in Lane.all(Channel)}
    if text in lanes:
        return lanes[text]
    if parse_notification_id(text) is None:
        raise click.BadParameter(
            f"must be a notification's id (ntf_ and a UUID in lower case) or a lane: {', '.join(lanes)}"
        )
    return text


@click.command()
@click.argument("what", metavar="LANE|ID", callback=_what)
@click.option(
    "-n",
    "--lines",
    type=click.IntRange(0, 250),
    default=10,
    show_default=True,
    help="Of a lane, begin with the last so many events.",
)
@click.option(
    "--every",
    type=click.FloatRange(0.2, 60),
    default=1.0,
    show_default=True,
    help="Seconds between two looks.",
)
@click.option("--once", is_flag=True, help="Show what there is, and end.")
@click.option("--json", "as_json", is_flag=True, help="Print each event as one line of JSON.")
@tenant_option
def command(
    what: "str | Lane", lines: int, every: float, once: bool, as_json: bool, tenant: str | None
) -> None:
    """Follow what happens to the notification ID, or in LANE (as sms.high), until Ctrl-C.

    Asks the service at NOTIFIER_URL with NOTIFIER_API_KEY when they are set, else the database of
    Settings, so it sees what every process on every machine does. Ends by itself when nothing more can come
    for the notification; one that was sent may still be reported as delivered.
    """
    looks: Looks = OneLane(what, lines) if isinstance(what, Lane) else OneNotification(what)
    door = doors.open_door(tenant)
    try:
        _follow(door, looks, every, once=once, as_json=as_json)
    except KeyboardInterrupt:
        return
    finally:
        door.close()


def _follow(door: Door, looks: Looks, every: float, *, once: bool, as_json: bool) -> None:
    pause, silent = threading.Event(), False
    try:
        _look(door, looks, as_json)
    except NoAnswer as error:
        fail(str(error))
    while not (looks.ended or once):
        pause.wait(every)
        try:
            _look(door, looks, as_json)
            silent = False
        except NoAnswer as error:
            if not silent:
                click.echo(f"{error}\nTrying again.", err=True)
            silent = True


def _look(door: Door, looks: Looks, as_json: bool) -> None:
    try:
        events = looks.look(door)
    except Refused as refused:
        doors.end_with_problem(refused.answer, as_json)
        return
    if looks.left_out:
        click.echo("More came than one look shows: some are left out here.", err=True)
    for event in events:
        click.echo(json.dumps(event, ensure_ascii=False) if as_json else in_words(event))
