"""A look-alike of Amazon SES (API v2) that checks each signature by code of its own.

Written from AWS's "Signature Version 4 signing process" and not from what it tests::

    with web_server(ses := Ses(secret="...")) as server:
        ...                                  # ses.taken: what was accepted, by our own tags
        ses.ahead = timedelta(hours=3)       # its clock
"""

import base64
import email
import email.policy
import hmac
import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime
from hashlib import sha256
from typing import Any

from tests.nodes.web import Heard, Said

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<id>[^/]+)/(?P<day>\d{8})/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request, "
    r"SignedHeaders=(?P<names>[a-z0-9;-]+), Signature=(?P<signature>[0-9a-f]{64})"
)


def problem(status: int, code: str, message: str = "no", date: datetime | None = None) -> Said:
    """An error in the form of AWS's REST services."""
    headers = {"x-amzn-ErrorType": f"{code}:http://internal.amazon.com/coral/com.amazonaws.ses/"}
    if date is not None:
        headers["Date"] = format_datetime(date, usegmt=True)
    return Said(status, json.dumps({"message": message}).encode(), headers)


def mac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), sha256).digest()


def signature_of(heard: Heard, names: list[str], secret: str, scope: str) -> str:
    """The signature that the request should have."""
    lines = "".join(f"{name}:{' '.join(heard.headers[name].split())}\n" for name in names)
    asked = f"{heard.method}\n{heard.path}\n\n{lines}\n{';'.join(names)}\n{sha256(heard.body).hexdigest()}"
    moment = heard.headers["x-amz-date"]
    text = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{sha256(asked.encode()).hexdigest()}"
    day, region, service, end = scope.split("/")
    key = mac(mac(mac(mac(b"AWS4" + secret.encode(), day), region), service), end)
    return hmac.new(key, text.encode(), sha256).hexdigest()


@dataclass
class Ses:
    """One account in one region. Called with a request, it answers."""

    id: str = "AKIDEXAMPLE"
    secret: str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
    token: str = ""
    region: str = "eu-west-1"
    #: How far its clock is ahead of this host's.
    ahead: timedelta = timedelta(0)
    account: dict[str, Any] = field(
        default_factory=lambda: {
            "SendingEnabled": True,
            "ProductionAccessEnabled": True,
            "EnforcementStatus": "HEALTHY",
        }
    )
    taken: list[dict[str, Any]] = field(default_factory=list)

    def __call__(self, heard: Heard) -> Said:
        """The answer to a request."""
        now = datetime.now(UTC) + self.ahead
        wrong = self._wrong(heard, now)
        if wrong is not None:
            return problem(403, *wrong, date=now)
        if (heard.method, heard.path) == ("GET", "/v2/email/account"):
            return Said(200, json.dumps(self.account).encode())
        if (heard.method, heard.path) != ("POST", "/v2/email/outbound-emails"):
            return problem(404, "UnknownOperationException")
        if heard.headers["content-type"] != "application/json":
            return problem(400, "SerializationException")
        self.taken.append(json.loads(heard.body))
        return Said(200, json.dumps({"MessageId": f"010f0{len(self.taken)}-000000"}).encode())

    def messages(self) -> list[EmailMessage]:
        """The e-mails that were taken."""
        return [
            email.message_from_bytes(
                base64.b64decode(one["Content"]["Raw"]["Data"], validate=True), policy=email.policy.default
            )
            for one in self.taken
        ]

    def _wrong(self, heard: Heard, now: datetime) -> tuple[str, str] | None:
        found = _AUTHORIZATION.fullmatch(heard.headers.get("authorization", ""))
        if found is None:
            return "IncompleteSignatureException", "no"
        if found["id"] != self.id or heard.headers.get("x-amz-security-token", "") != self.token:
            return "UnrecognizedClientException", "The security token included in the request is invalid."
        names = found["names"].split(";")
        needed = {"host", "x-amz-date", *(name for name in heard.headers if name.startswith("x-amz-"))}
        if names != sorted(names) or not needed <= set(names):
            return "IncompleteSignatureException", "not all that must be signed is"
        moment = datetime.strptime(heard.headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        if abs(moment - now) > timedelta(minutes=5):
            return "InvalidSignatureException", f"Signature expired: {moment} is now earlier than {now}"
        scope = f"{moment:%Y%m%d}/{self.region}/ses/aws4_request"
        if not hmac.compare_digest(signature_of(heard, names, self.secret, scope), found["signature"]):
            return "InvalidSignatureException", "The request signature we calculated does not match."
        return None
