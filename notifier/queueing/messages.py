"""The queue message: version, lane, notification id and units - never an address or a body.

On the wire it is an ordinary Dramatiq message whose ``kwargs`` are
``{"v": 1, "lane": "email.high", "id": "ntf_…", "units": 1}``; everything else about it is checked
before Dramatiq sees it (`decode`), because a body that only looks right can stop a stock worker.
"""

import time
from functools import lru_cache
from typing import Annotated, Any
from uuid import UUID

import dramatiq
import msgspec

from notifier.domain.ids import notification_id, parse_notification_id
from notifier.domain.lanes import Lane
from notifier.domain.notification import MESSAGE_VERSION

#: A well-formed message is about 300 bytes; anything much longer is not ours.
MAX_BODY = 4096
_MAX_UNITS = 1000


class BadMessage(Exception):
    """A body that is not ours, or of a newer version; `reason` is one of a closed set."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class _Body(msgspec.Struct, forbid_unknown_fields=True):
    queue_name: str
    actor_name: str
    args: list[Any]
    kwargs: dict[str, Any]
    options: dict[str, Any]
    message_id: str
    #: Milliseconds; bounded, because arithmetic of floats with an endless integer raises.
    message_timestamp: Annotated[int, msgspec.Meta(ge=0, le=2**53)]


class _Kwargs(msgspec.Struct, forbid_unknown_fields=True):
    v: int
    lane: str
    id: str
    units: int


_decoder = msgspec.json.Decoder(_Body)
_encoder = msgspec.json.Encoder()


class QueueMessage(msgspec.Struct, frozen=True):
    """A bell for one notification: it is in `lane` and costs `units`."""

    lane: Lane
    id: UUID
    units: int = 1
    version: int = MESSAGE_VERSION

    def encode(self, prefix: str) -> bytes:
        """The body for the lane's queue under `prefix`, in Dramatiq's own JSON format."""
        text, parts = notification_id(self.id), _parts(self.lane, prefix)
        now = int(time.time() * 1000)
        return (
            f"{parts[0]}{self.version}{parts[1]}{text}{parts[2]}{self.units}{parts[3]}{text}{parts[4]}{now}}}"
        ).encode()


@lru_cache(maxsize=1024)
def _parts(lane: Lane, prefix: str) -> list[str]:
    """A lane's messages without what makes each another one: version, id, units, id, milliseconds stand between."""
    mark = "%"
    body = _Body(
        queue_name=mark,
        actor_name=lane.actor,
        args=[],
        kwargs={"v": mark, "lane": lane.name, "id": mark, "units": mark},
        options={},
        message_id=mark,
        message_timestamp=0,
    )
    head, *parts = _encoder.encode(body).decode().removesuffix("0}").replace(f'"{mark}"', mark).split(mark)
    queue = _encoder.encode(lane.queue(prefix)).decode()
    parts[0] = head + queue + parts[0]
    return [parts[0], f'{parts[1]}"', f'"{parts[2]}', f'{parts[3]}"', f'"{parts[4]}']


def decode(body: bytes, queue_name: str, prefix: str) -> tuple[QueueMessage, dramatiq.Message[Any]]:
    """The message in `body`, checked against the queue it came from; raises `BadMessage`.

    The reasons are ``too_long``, ``undecodable``, ``foreign`` and ``newer_version``.
    """
    if len(body) > MAX_BODY:
        raise BadMessage("too_long")
    try:
        raw = _decoder.decode(body)
        kwargs = msgspec.convert(raw.kwargs, _Kwargs)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise BadMessage("undecodable") from error
    if kwargs.v > MESSAGE_VERSION:
        raise BadMessage("newer_version")
    message = _ours(raw, kwargs, queue_name, prefix)
    return message, dramatiq.Message(
        queue_name=raw.queue_name,
        actor_name=raw.actor_name,
        args=(),
        kwargs={"v": kwargs.v, "lane": kwargs.lane, "id": kwargs.id, "units": kwargs.units},
        options={},
        message_id=raw.message_id,
        message_timestamp=raw.message_timestamp,
    )


def peek_id(body: bytes) -> UUID | None:
    """The notification id in a body of any version, as far as it can be made out; for dead letters only."""
    if len(body) > MAX_BODY:
        return None
    try:
        found = msgspec.json.decode(body)
        text = found["kwargs"]["id"]
    except (msgspec.MsgspecError, ValueError, RecursionError, KeyError, TypeError, IndexError):
        return None
    return parse_notification_id(text) if isinstance(text, str) else None


def _ours(raw: _Body, kwargs: _Kwargs, queue_name: str, prefix: str) -> QueueMessage:
    try:
        lane = Lane.parse(kwargs.lane)
    except ValueError as error:
        raise BadMessage("foreign") from error
    value = parse_notification_id(kwargs.id)
    if (
        value is None
        or kwargs.v < 1
        or not 1 <= kwargs.units <= _MAX_UNITS
        or raw.args
        or raw.queue_name != queue_name
        or lane.queue(prefix) != queue_name
        or raw.actor_name != lane.actor
    ):
        raise BadMessage("foreign")
    return QueueMessage(lane, value, kwargs.units, kwargs.v)
