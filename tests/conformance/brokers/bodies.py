"""Bodies that must not pass: section G of the catalogue of bad input."""

import json
import pickle

from notifier.queueing.messages import QueueMessage


def bad_bodies(message: QueueMessage, prefix: str) -> dict[str, bytes]:
    """Each bad body by what is wrong with it; `message` is the good one they are made from."""
    good = json.loads(message.encode(prefix))

    def changed(**fields) -> bytes:
        return json.dumps(good | fields).encode()

    def argument(**fields) -> bytes:
        return changed(kwargs=good["kwargs"] | fields)

    missing = {name: value for name, value in good.items() if name != "actor_name"}
    return {
        "not UTF-8": b"\xff\xfe\x00",
        "not JSON": b"hello",
        "empty": b"",
        "a list": b"[]",
        "null": b"null",
        "a number": b"5",
        "an extra field": changed(extra=1),
        "a missing field": json.dumps(missing).encode(),
        "args no list": changed(args=5),
        "args not empty": changed(args=[1]),
        "kwargs null": changed(kwargs=None),
        "options null": changed(options=None),
        "another queue": changed(queue_name=f"{prefix}.sms.low"),
        "a strange queue": changed(queue_name="elsewhere"),
        "an unknown actor": changed(actor_name="nobody"),
        "no notification's id": argument(id="ntf_1"),
        "units not positive": argument(units=0),
        "units no integer": argument(units="1"),
        "another lane": argument(lane="sms.low"),
        "no lane": argument(lane="fax.high"),
        "a newer version": argument(v=99),
        "deeply nested": b"[" * 3000 + b"]" * 3000,
        "5 MB": b"x" * 5_000_000,
        "pickle": pickle.dumps({"id": good["kwargs"]["id"]}),
    }
