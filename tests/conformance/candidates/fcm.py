"""Firebase Cloud Messaging."""

import json

from notifier.domain.lanes import Channel
from notifier.domain.notification import Content
from notifier.domain.recipients import Platform, PushToken
from tests.conformance.provider_kit import BODY, PASSWORD, Candidate, Http
from tests.nodes.google import PROJECT, lasting
from tests.nodes.web import Said

_ERROR = "type.googleapis.com/google.firebase.fcm.v1.FcmError"


def problem(status: int, code: str, message: str = "no", own: str | None = None) -> Said:
    """An error in FCM's form; `own` is FCM's code beside that of google.rpc."""
    details = [{"@type": _ERROR, "errorCode": own}] if own else []
    error = {"code": status, "message": message, "status": code, "details": details}
    return Said(status, json.dumps({"error": error}).encode())


CANDIDATES = [
    Candidate(
        name="fcm",
        channel=Channel.PUSH,
        recipient=PushToken("dGVzdA:APA91b-ada.lovelace_0123456789", Platform.FCM),
        content=Content(title="Hello", text=BODY),
        http=Http(
            # The access token is the only secret that goes over the wire.
            url=lambda at, more: f"fcm://{at}?{lasting(f'ya29.{PASSWORD}').option}&{more}",
            accepts=Said(200, json.dumps({"name": f"projects/{PROJECT}/messages/0:15%31bd"}).encode()),
            defers=problem(503, "UNAVAILABLE", own="UNAVAILABLE"),
            refuses=problem(404, "NOT_FOUND", own="UNREGISTERED"),
            repeats=lambda text: problem(404, "NOT_FOUND", text, own="UNREGISTERED"),
            answers_by_status=False,
        ),
    ).over_http()
]
