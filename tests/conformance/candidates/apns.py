"""The Apple Push Notification service, over plain HTTP/2 on loopback."""

import json

from notifier.domain.lanes import Channel
from notifier.domain.notification import Content
from notifier.domain.recipients import Platform, PushToken
from tests.conformance.provider_kit import BODY, Candidate, Network
from tests.nodes.apple import TEAM, key_file, options
from tests.nodes.http2 import Fault2, answers2
from tests.nodes.lasting import lasting_folder
from tests.nodes.web import Heard, Said

_OPTIONS = options(key_file(lasting_folder("apns")))


def problem(status: int, reason: str) -> Said:
    """An error in APNs' form."""
    return Said(status, json.dumps({"reason": reason}).encode())


def repeating(heard: Heard) -> Said:
    """No APNs: whatever it was sent, in the place of a reason."""
    return problem(410, f"{heard.path} {heard.headers} {heard.body.decode()}" + "x" * 600)


CANDIDATES = [
    Candidate(
        name="apns",
        channel=Channel.PUSH,
        recipient=PushToken("ab" * 32, Platform.APNS),
        content=Content(title="Hello", text=BODY),
        network=Network(
            url=lambda port: f"apns://{TEAM}@127.0.0.1:{port}?{_OPTIONS}&dangerous_plain=true",
            good=answers2(lambda heard: Said(200, headers={"apns-id": heard.headers["apns-id"]})),
            goes_after_the_request=answers2(Fault2.CLOSE),
            hangs_after_the_request=answers2(Fault2.HANG),
            repeats_everything=answers2(repeating),
        ),
    )
]
