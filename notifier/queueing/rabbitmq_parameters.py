"""Connection parameters from ``amqp://`` and ``amqps://`` URLs, with the timeouts the design fixes.

A URL carries a password, so nothing here shows one: errors name the position of a wrong URL only.
"""

import random
import ssl
from collections.abc import Sequence

import pika

#: Seconds; a broker that is silent longer than this is gone (both sides send every half of it).
HEARTBEAT = 15
#: Seconds a connection may stay blocked by a broker's alarm before it is dropped.
BLOCKED = 10
#: Seconds for the TCP connect, and for the whole of TCP, TLS and AMQP.
CONNECT, STACK = 5, 10


def parameters(
    url: str, *, ca_file: str | None = None, name: str = "notifier"
) -> list[pika.ConnectionParameters]:
    """Parameters for each of the brokers in `url` (several separated by ``;``).

    `amqps` verifies the certificate and the host's name, against `ca_file` if given, else against
    the system's authorities. Raises `ValueError`, without the URL, for one that can't be read.
    """
    urls = [part.strip() for part in url.split(";") if part.strip()]
    if not urls:
        raise ValueError("the broker's URL is empty: give amqp://user:password@host:5672/vhost")
    return [_parameters(part, number, ca_file, name) for number, part in enumerate(urls, start=1)]


def shuffled(candidates: Sequence[pika.ConnectionParameters]) -> list[pika.ConnectionParameters]:
    """The candidates in a new order, so that a fleet spreads over the nodes of a cluster."""
    return random.sample(list(candidates), len(candidates))


def _parameters(url: str, number: int, ca_file: str | None, name: str) -> pika.ConnectionParameters:
    if not url.startswith(("amqp://", "amqps://")):
        raise ValueError(f"broker URL {number} must begin with amqp:// or amqps://")
    try:
        made = pika.URLParameters(url)
    except (ValueError, TypeError, AttributeError, KeyError):
        made = None
    if made is None or not made.host:
        raise ValueError(f"broker URL {number} can't be read: give amqp://user:password@host:5672/vhost")
    made.heartbeat = HEARTBEAT
    made.blocked_connection_timeout = BLOCKED
    made.socket_timeout = CONNECT
    made.stack_timeout = STACK
    made.connection_attempts = 1
    made.retry_delay = 0
    made.client_properties = {"connection_name": name}
    if url.startswith("amqps://"):
        context = ssl.create_default_context(cafile=ca_file)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        made.ssl_options = pika.SSLOptions(context, made.host)
    return made
