"""Section G of the catalogue: bodies straight into the broker, from an attacker or from an old version.

Both brokers and the decoder itself are held to this one table.
"""

import json
import pickle
from dataclasses import dataclass

from notifier.domain.lanes import Lane
from notifier.queueing.messages import QueueMessage


@dataclass(frozen=True, slots=True)
class BadBody:
    """One body and why it is refused."""

    name: str
    body: bytes
    reason: str


def bad_bodies(message: QueueMessage, prefix: str) -> list[BadBody]:
    """Every bad body, made from a good message of any lane."""
    good = json.loads(message.encode(prefix))
    other = next(lane for lane in Lane.all() if lane != message.lane)

    def changed(**fields) -> bytes:
        return json.dumps(good | fields).encode()

    def argument(**fields) -> bytes:
        return changed(kwargs=good["kwargs"] | fields)

    def without(name) -> bytes:
        return json.dumps({field: value for field, value in good.items() if field != name}).encode()

    text = message.encode(prefix)
    undecodable = {
        "G01 not UTF-8": b"\xff\xfe\x00",
        "G02 not JSON": b"hello",
        "G02 empty": b"",
        "G02 cut off": text[:-1],
        "G02 something behind it": text + b"x",
        "G02 a byte-order mark": b"\xef\xbb\xbf" + text,
        "G02 NaN": text.replace(b'"units":1', b'"units":NaN'),
        "G03 a list": b"[]",
        "G03 null": b"null",
        "G03 a number": b"5",
        "G03 a text": b'"x"',
        "G03 an empty object": b"{}",
        "G03 deep lists": b"[" * 2000 + b"]" * 2000,
        "G03 deeper than it is long": b"[" * 4000,
        "G03 deep objects": b'{"a":' * 800,
        "G04 an extra field": changed(extra=1),
        "G04 an extra argument": argument(extra=1),
        **{f"G05 no {name}": without(name) for name in good},
        "G05 no arguments": changed(kwargs={}),
        "G06 args a number": changed(args=5),
        "G06 args null": changed(args=None),
        "G07 kwargs null": changed(kwargs=None),
        "G07 kwargs a list": changed(kwargs=[]),
        "G08 options null": changed(options=None),
        "G08 options a list": changed(options=[]),
        "G09 queue_name null": changed(queue_name=None),
        "G10 actor_name a number": changed(actor_name=5),
        "G11 id null": argument(id=None),
        "G11 message_id null": changed(message_id=None),
        "G12 units a text": argument(units="1"),
        "G12 units true": argument(units=True),
        "G12 units null": argument(units=None),
        "G12 units 1.5": argument(units=1.5),
        "G13 lane a number": argument(lane=5),
        "G14 timestamp a text": changed(message_timestamp="now"),
        "G14 timestamp a fraction": changed(message_timestamp=1.5),
        "G14 timestamp without an end": changed(message_timestamp=10**400),
        "G14 timestamp negative": changed(message_timestamp=-1),
        "G15 version a text": argument(v="1"),
        "G15 version a fraction": argument(v=1.5),
        "G15 version true": argument(v=True),
        "G15 version null": argument(v=None),
        "G17 pickle": pickle.dumps({"id": good["kwargs"]["id"]}),
        "G17 a pickle that runs": b"cos\nsystem\n(S'true'\ntR.",
    }
    foreign = {
        "G06 args not empty": changed(args=[1]),
        "G09 another lane's queue": changed(queue_name=other.queue(prefix)),
        "G09 a strange queue": changed(queue_name="elsewhere"),
        "G09 Dramatiq's own": changed(queue_name="default"),
        "G09 a delay queue": changed(queue_name=message.lane.queue(prefix) + ".DQ"),
        "G10 an unknown actor": changed(actor_name="nobody"),
        "G10 a dangerous actor": changed(actor_name="os.system"),
        "G10 another lane's actor": changed(actor_name=other.actor),
        "G11 no notification's id": argument(id="ntf_1"),
        "G11 id empty": argument(id=""),
        "G11 a bare UUID": argument(id=str(message.id)),
        "G11 id in capitals": argument(id=good["kwargs"]["id"].upper()),
        "G11 another prefix": argument(id=f"msg_{message.id}"),
        "G12 units 0": argument(units=0),
        "G12 units negative": argument(units=-1),
        "G12 units 10^9": argument(units=10**9),
        "G12 units without an end": argument(units=10**400),
        "G13 another lane": argument(lane=other.name),
        "G13 another lane with its actor": json.dumps(
            good | {"actor_name": other.actor, "kwargs": good["kwargs"] | {"lane": other.name}}
        ).encode(),
        "G13 no lane": argument(lane="fax.high"),
        "G13 lane empty": argument(lane=""),
        "G13 lane with a line end": argument(lane=f"{message.lane.name}\n"),
        "G15 version 0": argument(v=0),
        "G15 version negative": argument(v=-1),
    }
    newer = {f"G15 version {version}": argument(v=version) for version in (2, 99, 2**62)}
    long = {
        "G16 5 MB": b"x" * 5_000_000,
        "G16 a good one with 4 KB of blanks": text + b" " * 4096,
    }
    kinds = {"undecodable": undecodable, "foreign": foreign, "newer_version": newer, "too_long": long}
    return [BadBody(name, body, reason) for reason, found in kinds.items() for name, body in found.items()]
