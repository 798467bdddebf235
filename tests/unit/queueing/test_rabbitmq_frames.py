"""A message is written as the library would write it, only at once."""

import pika
import pytest
from pika import frame

from notifier.queueing.rabbitmq_frames import publishing


@pytest.mark.parametrize("body", [b"{}", b"x" * 300, b"x" * 301])
@pytest.mark.parametrize("channel", [1, 65535])
def test_the_bytes_are_those_of_the_library(body, channel):
    """Method, header and body of `Basic.Publish`, as pika marshals each of them."""
    method = pika.spec.Basic.Publish(exchange="", routing_key="notifier.v1.email.high", mandatory=True)
    properties = pika.BasicProperties(delivery_mode=2, content_type="application/json")
    parts = (
        frame.Method(channel, method),
        frame.Header(channel, len(body), properties),
        frame.Body(channel, body),
    )
    assert publishing(channel, "notifier.v1.email.high", body) == b"".join(one.marshal() for one in parts)
