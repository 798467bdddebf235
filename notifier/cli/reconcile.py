"""`notifier reconcile`: after the broker lost all, rings again for everything that is not final."""

import sys
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as Late
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from notifier.cli.support import fail, json_option, say, settings_or_exit

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from notifier.bootstrap.roads import BrokerParts
    from notifier.settings import Settings
    from notifier.storage.books import Books
    from notifier.storage.outbox import Bell

#: Pages under way at once: the database reads one while the broker confirms the others.
_WINDOW = 4
_QUESTION = "Ring again for every notification that is not final? Ones that were not lost cost a look each."


class _Refused(Exception):
    """The broker did not confirm; the text says how many it had by then."""


@click.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def command(yes: bool, as_json: bool) -> None:
    """Publish a message again for everything that is queued or being sent.

    For after RabbitMQ lost its queues (a purge, a rebuilt cluster). Safe to run at any time and twice:
    nothing is sent again for a message too many. Ends with the sum of promise 2; exit 1 if it does not hold.
    """
    settings = settings_or_exit()
    if settings.embedded:
        fail(
            "NOTIFIER_BROKER_URL is embedded://: there is nothing to reconcile, `notifier dev` rings "
            "for everything by itself",
            2,
        )
    if not yes:
        if not sys.stdin.isatty():
            raise click.UsageError("--yes must be given where nobody can be asked")
        click.confirm(_QUESTION, abort=True, err=True)
    from notifier.cli.books import document, fault, in_words

    rung, found = _reconcile(settings)
    words = f"rung for {rung} notification{'' if rung == 1 else 's'}\n{in_words(found)}"
    say(as_json, {"rung": rung, "sum": document(found)}, words)
    if not found.balanced:
        fail(fault(found))


def _reconcile(settings: "Settings") -> "tuple[int, Books]":
    from notifier.bootstrap.roads import make_broker
    from notifier.cli.database import database_or_exit
    from notifier.storage import books
    from notifier.telemetry.logs import configure_logs

    configure_logs("console", "critical")
    with database_or_exit(settings) as engine:
        broker = make_broker(settings)
        try:
            _declare(broker, settings)
            with _progress(engine, settings) as advance:
                rung = ring_everything(engine, broker, settings, advance)
            return rung, books.read(engine)
        except _Refused as error:
            fail(str(error))
        finally:
            broker.publisher.close()


def _declare(broker: "BrokerParts", settings: "Settings") -> None:
    """Make the queues, which may be lost as well."""
    from typing import cast

    from dramatiq.errors import ConnectionClosed

    from notifier.queueing.rabbitmq import NotifierRabbitmqBroker
    from notifier.queueing.rabbitmq_topology import QueueMismatch

    try:
        cast("NotifierRabbitmqBroker", broker.broker).declare_all(settings.lanes)
    except QueueMismatch as error:
        fail(f"{error}; see notifier doctor")
    except ConnectionClosed:
        fail("NOTIFIER_BROKER_URL: the broker can't be reached; see notifier doctor")


def ring_everything(
    engine: "Engine", broker: "BrokerParts", settings: "Settings", advance: Callable[[int], None]
) -> int:
    """Publish page after page, each confirmed; says how many. Raises `_Refused`."""
    from notifier.queueing.messages import QueueMessage

    under_way: deque[tuple[int, Future[None]]] = deque()
    rung = 0
    # More than the publisher's own deadline: it always answers by then.
    patience = settings.publish_confirm_seconds * (_WINDOW + 1) + 30

    def settle(allowed: int) -> None:
        nonlocal rung
        while len(under_way) > allowed:
            count, future = under_way.popleft()
            _confirmed(future, patience, rung)
            rung += count
            advance(count)

    for page in _pages(engine, settings.relay_batch):
        messages = [QueueMessage(bell.lane, bell.id, bell.units, bell.version) for bell in page]
        under_way.append((len(page), broker.publisher.publish(messages)))
        settle(_WINDOW - 1)
    settle(0)
    return rung


def _confirmed(future: "Future[None]", patience: float, rung: int) -> None:
    from notifier.domain.errors import NotConfirmed

    try:
        future.result(patience)
    except (NotConfirmed, Late) as error:
        reason = "no answer" if isinstance(error, Late) else str(error)
        raise _Refused(
            f"the broker did not confirm: {reason}; {rung} were rung for. "
            "Run it again once the broker takes messages"
        ) from None


def _pages(engine: "Engine", size: int) -> "Iterator[list[Bell]]":
    from notifier.storage import relaying
    from notifier.storage.engine import reading

    after = None
    while True:
        with reading(engine) as connection:
            bells, after = relaying.ring_all(connection, after, size)
        if not bells:
            return
        yield bells


@contextmanager
def _progress(engine: "Engine", settings: "Settings") -> Iterator[Callable[[int], None]]:
    """A bar on standard error, where that is a terminal."""
    from rich.console import Console
    from rich.progress import Progress

    from notifier.storage import relaying
    from notifier.storage.engine import reading

    console = Console(stderr=True)
    with reading(engine) as connection:
        # Scheduled ones and retries count here but have no message yet: the bar may end early.
        total = relaying.count_pending(connection, settings.backlog_limit)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("ringing", total=total)
        yield lambda count: bar.advance(task, count)
