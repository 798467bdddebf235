"""Doctor's look at RabbitMQ: every node reachable, the queues as they must be, and what the user may do."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, cast

import pika
from pika import spec

from notifier.cli.checks import Finding, failed, ok, warning
from notifier.cli.words import printable
from notifier.providers.base import Deadline
from notifier.queueing.rabbitmq_link import ChannelLost, Link, LinkLost
from notifier.queueing.rabbitmq_parameters import parameters
from notifier.queueing.rabbitmq_topology import QueueMismatch, QueueType, Topology, dead_name, declare
from notifier.settings import Settings

_SECONDS = 5.0
_REFUSED = 403


def check_broker(settings: Settings) -> Iterator[Finding]:
    """Everything about the broker; the queues are declared, as every start of the service does."""
    if settings.embedded:
        detail = "embedded: it lives in `notifier dev`; serve and work need amqp://…"
        yield ok("broker", detail)
        return
    try:
        nodes = parameters(settings.broker_url, name="notifier doctor")
    except ValueError as error:
        yield failed("broker", str(error), "correct NOTIFIER_BROKER_URL")
        return
    reached = []
    for node in nodes:
        name = f"{node.host}:{node.port}"
        try:
            reached.append(_open(node))
        except LinkLost as error:
            advice = (
                "start RabbitMQ, or correct address, user, password and virtual host in NOTIFIER_BROKER_URL"
            )
            yield failed("broker", f"{name} can't be used: {printable(str(error))}", advice)
        else:
            yield ok("broker", f"{name} answers")
    if reached:
        yield from _with_link(reached[0], settings)
    for link in reached:
        link.close()


def _open(node: pika.ConnectionParameters) -> Link:
    deadline = Deadline(_SECONDS)
    node.socket_timeout = node.stack_timeout = _SECONDS
    return Link.open([node], tick=lambda: not deadline.passed)


def _with_link(link: Link, settings: Settings) -> Iterator[Finding]:
    names = [lane.queue(settings.queue_prefix) for lane in settings.lanes]
    topology = Topology(cast("QueueType", settings.queue_type), settings.delivery_limit)
    try:
        declare(link, topology, names).close()
        yield ok(
            "queues", f"{len(names)} lanes under {settings.queue_prefix}, each with its dead-letter queue"
        )
    except QueueMismatch as error:
        advice = (
            "where they differ, choose another NOTIFIER_QUEUE_PREFIX (such as notifier.v2); where they are "
            f"missing, let the user configure, write and read {settings.queue_prefix}.* and amq.default"
        )
        yield failed("queues", printable(str(error)), advice)
        return
    except LinkLost as error:
        yield failed("queues", printable(str(error)), "see RabbitMQ's log")
        return
    yield from _permissions(link, settings.queue_prefix, names)
    if link.blocked:
        yield warning("alarm", "RabbitMQ takes no messages: memory or disk is short", "see RabbitMQ's log")


def _permissions(link: Link, prefix: str, names: Sequence[str]) -> Iterator[Finding]:
    trials: list[tuple[str, Callable[[Link], None], str]] = [
        ("publish", partial(_publish, prefix=prefix), "write to the default exchange (amq.default)"),
        ("consume", partial(_get, queue=dead_name(names[0])), f"read {prefix}.*"),
    ]
    for what, attempt, right in trials:
        try:
            attempt(link)
        except ChannelLost as error:
            why = "this user may not" if error.code == _REFUSED else printable(str(error))
            yield failed(what, why, f"let the user {right}: rabbitmqctl set_permissions")
        except LinkLost as error:
            yield failed(what, printable(str(error)), "see RabbitMQ's log")
            return
        else:
            yield ok(what, "allowed")


def _publish(link: Link, *, prefix: str) -> None:
    """Publish to a queue that is none: RabbitMQ confirms it and drops it."""
    channel, answers = link.channel(), list[Any]()
    link.call(channel, lambda done: channel.confirm_delivery(answers.append, callback=done))
    channel.basic_publish("", f"{prefix}.doctor", b"")
    link.until(channel, lambda: bool(answers), _SECONDS)
    channel.close()


def _get(link: Link, *, queue: str) -> None:
    """Get from a dead-letter queue without taking: what came goes back with its channel."""
    channel = link.channel()

    def start(done: Callable[[Any], None]) -> None:
        channel.add_callback(done, [spec.Basic.GetEmpty], one_shot=True)
        channel.basic_get(queue, callback=lambda _channel, method, *_: done(method))

    link.call(channel, start)
    channel.close()
