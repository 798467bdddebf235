"""Lane scheduling in an application of your own: `dramatiq lanes_in_plain_dramatiq` runs it on RabbitMQ.

Reports flood the worker; a password mail goes out at once all the same, and a reporting server that hangs
takes nothing but its own threads. The broker is Dramatiq's own: without epochs, counts and prefetch control
the scheduler works on what it sees in this process.
"""

import os

import dramatiq
from dramatiq.brokers.rabbitmq import RabbitmqBroker

from notifier.scheduling.middleware import LaneScheduling

broker = RabbitmqBroker(url=os.environ.get("BROKER_URL", "amqp://localhost"), confirm_delivery=True)
broker.add_middleware(LaneScheduling())
dramatiq.set_broker(broker)


@dramatiq.actor(queue_name="passwords", rank="high", resource="mail", max_retries=3)
def send_password(address: str) -> None:
    """Somebody waits for it."""
    print("password mail to", address)


@dramatiq.actor(queue_name="reports", rank="low", resource="reporting", weight=0.5, minimum=1)
def make_report(number: int) -> None:
    """Nobody waits for it, and it must not starve."""
    print("report", number)
