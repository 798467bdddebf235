"""What Amazon SNS posts to an endpoint: its envelope, whose it is, and whether SNS signed it. Pure.

Sources: Amazon SNS Developer Guide, "HTTP/HTTPS notification JSON format" (and those of the confirmations), "Verifying
the signatures of Amazon SNS messages" and "Amazon SNS message delivery retries". SNS signs for every AWS customer alike,
so a message is believed only if it is of a topic that was named to us; its certificate and the URL that confirms a
subscription only at SNS's own host in that topic's region.
"""

import json
import re
from base64 import b64decode
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.x509 import load_pem_x509_certificate

from notifier.domain.receipts import Forged

#: SNS posts a message again for an hour at most (a hard limit of it), and its time stays that of the first; a quarter of
#: an hour is for the way and the clocks. What is older is somebody's recording. Younger recordings do no harm: a receipt
#: may come twice.
MAX_AGE = timedelta(minutes=75)
MAX_AHEAD = timedelta(minutes=15)

NOTIFICATION, SUBSCRIPTION, UNSUBSCRIPTION = (
    "Notification",
    "SubscriptionConfirmation",
    "UnsubscribeConfirmation",
)
_SIGNED: Mapping[str, tuple[str, ...]] = {
    NOTIFICATION: ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    **dict.fromkeys(
        (SUBSCRIPTION, UNSUBSCRIPTION),
        ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    ),
}
_OPTIONAL = "Subject"
_HASHES = {"1": SHA1(), "2": SHA256()}  # noqa: S303 - what SNS signs with unless the topic says 2
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z", re.ASCII)
#: As SNS names them: who may make names up makes us ask for nothing else.
_CERTIFICATE = re.compile(r"/SimpleNotificationService-[0-9a-f]{16,64}\.pem", re.ASCII)
_BITS = range(2048, 8193)


@dataclass(frozen=True, slots=True)
class SnsMessage:
    """One message of a topic that was named to us, not yet verified."""

    type: str
    topic: str
    message: str = field(repr=False)
    at: datetime
    #: Paths with their queries at `host`, checked; `subscribe_path` is "" for a notification.
    host: str
    certificate_path: str
    subscribe_path: str = field(repr=False)
    signed_text: bytes = field(repr=False)
    signature: bytes = field(repr=False)
    version: str


def read_message(body: bytes, topics: Collection[str]) -> SnsMessage | Forged:
    """The message in `body`, if it is of one of `topics` and in SNS's form."""
    said = _fields(body)
    kind, topic, moment = (_text(said, name) for name in ("Type", "TopicArn", "Timestamp"))
    names = [name for name in _SIGNED.get(kind, ()) if name != _OPTIONAL or said.get(name) is not None]
    if (
        not names
        or not all(isinstance(said.get(name), str) for name in names)
        or not _MOMENT.fullmatch(moment)
    ):
        return Forged("no form")
    if topic not in topics:
        return Forged("another account")
    host = host_of(topic)
    certificate = _path_at(host, _text(said, "SigningCertURL"))
    subscribe = _path_at(host, _text(said, "SubscribeURL")) if kind != NOTIFICATION else ""
    version = _text(said, "SignatureVersion")
    try:
        signature = b64decode(_text(said, "Signature"), validate=True)
        at = datetime.fromisoformat(moment)
        text = "".join(f"{name}\n{said[name]}\n" for name in names).encode()
    except ValueError:
        return Forged("no form")
    if not signature:
        return Forged("no signature")
    if version not in _HASHES or not _CERTIFICATE.fullmatch(certificate):
        return Forged("wrong signature")
    return SnsMessage(
        kind, topic, said["Message"], at, host, certificate, subscribe, text, signature, version
    )


def host_of(topic: str) -> str:
    """SNS's host in the region of a topic's ARN (AWS General Reference, "Amazon SNS endpoints and quotas")."""
    _, partition, _, region, *_ = topic.split(":")
    return f"sns.{region}.amazonaws.com{'.cn' if partition == 'aws-cn' else ''}"


def is_signed(message: SnsMessage, key: RSAPublicKey) -> bool:
    """Whether `key` has signed it: RSA (PKCS #1 v1.5) with SHA-1 in version 1, SHA-256 in version 2."""
    try:
        key.verify(message.signature, message.signed_text, PKCS1v15(), _HASHES[message.version])
    except (InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def is_timely(message: SnsMessage, now: datetime) -> bool:
    """Whether SNS may have posted it now for the first time, or again."""
    return -MAX_AHEAD <= now - message.at <= MAX_AGE


def key_of(pem: bytes, now: datetime) -> RSAPublicKey | None:
    """The key of the certificate in `pem`; None if it is none, none of RSA, or its time is over or to come."""
    try:
        certificate = load_pem_x509_certificate(pem)
        key = certificate.public_key()
    except Exception:  # noqa: BLE001 - the parser raises many kinds for what is no certificate
        return None
    if not certificate.not_valid_before_utc <= now.astimezone(UTC) <= certificate.not_valid_after_utc:
        return None
    return key if isinstance(key, RSAPublicKey) and key.key_size in _BITS else None


def confirms(message: SnsMessage) -> bool:
    """Whether its `subscribe_path` confirms the subscription of its topic, and does nothing else."""
    parts = urlsplit(message.subscribe_path)
    asked = parse_qs(parts.query)
    wanted = {"Action": ["ConfirmSubscription"], "TopicArn": [message.topic]}
    return parts.path == "/" and wanted.items() <= asked.items() and len(asked.get("Token", ())) == 1


def _fields(body: bytes) -> dict[str, Any]:
    """The fields of a JSON object; none of anything else."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _text(said: Mapping[str, Any], name: str) -> str:
    value = said.get(name)
    return value if isinstance(value, str) else ""


def _path_at(host: str, url: str) -> str:
    """The path and query of an https URL at exactly `host`; "" for any other."""
    start = f"https://{host}/"
    rest = url.removeprefix(start)
    good = url.startswith(start) and url.isascii() and url.isprintable() and not set(' #\\"<>') & set(url)
    return f"/{rest}" if good else ""
