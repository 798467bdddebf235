"""A message as the bytes that AMQP 0-9-1 wants of it (4.2.3, 4.2.6), ready to be written with others at once.

pika makes three frames of a message and sends each by itself: three system calls, and as many packets for the broker.
"""

import struct
from functools import lru_cache

import pika
import pika.spec
from pika import frame

_PERSISTENT = pika.BasicProperties(delivery_mode=2, content_type="application/json")
_BODY = struct.Struct(">BHI")
_END = bytes([pika.spec.FRAME_END])


def publishing(channel: int, queue_name: str, body: bytes) -> bytes:
    """`Basic.Publish` of a persistent JSON message to a queue, `mandatory`; the body fits into one frame."""
    return _head(channel, queue_name, len(body)) + body + _END


@lru_cache(maxsize=1024)
def _head(channel: int, queue_name: str, length: int) -> bytes:
    """All that stands before the body; bodies of one lane differ in length by a few digits only."""
    method = pika.spec.Basic.Publish(exchange="", routing_key=queue_name, mandatory=True)
    header = frame.Header(channel, length, _PERSISTENT)
    parts: list[bytes] = [frame.Method(channel, method).marshal(), header.marshal()]
    return b"".join([*parts, _BODY.pack(pika.spec.FRAME_BODY, channel, length)])
