"""Amazon SNS as an endpoint sees it: messages that it signs, by code of its own, and the host of its certificates.

The strings to sign stand here as AWS's documentation shows them, not made from what is tested::

    sns = Sns()
    body = sns.notification("...")           # JSON, signed by version 1 or 2
    sns.answer                               # for a web_server: its certificate, its confirmations
"""

import json
import socket
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from notifier.providers import http_client
from tests.nodes.web import Heard, Said, WebServer, authority, web_server

TOPIC = "arn:aws:sns:eu-west-1:123456789012:ses-events"
HOST = "sns.eu-west-1.amazonaws.com"
PEM = "/SimpleNotificationService-f3ecfb7224c7233fe7bb5f59f96de52f.pem"
_HASHES = {"1": hashes.SHA1(), "2": hashes.SHA256()}


@dataclass
class Sns:
    """One region's SNS. `ahead` is how far its clock is ahead of this host's."""

    topic: str = TOPIC
    ahead: timedelta = timedelta(0)
    #: How long its certificate is still good for; negative: it is over.
    lasts: timedelta = timedelta(days=300)
    bits: int = 2048
    #: What is answered instead, by path.
    instead: dict[str, Any] = field(default_factory=dict)
    #: The queries of confirmations that came.
    confirmed: list[dict[str, list[str]]] = field(default_factory=list)

    @cached_property
    def key(self) -> rsa.RSAPrivateKey:
        """What it signs with."""
        return rsa.generate_private_key(public_exponent=65_537, key_size=self.bits)

    @cached_property
    def pem(self) -> bytes:
        """Its certificate."""
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
        end = self.now + self.lasts
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self.key.public_key())
            .serial_number(7)
            .not_valid_before(end - timedelta(days=400))
            .not_valid_after(end)
            .sign(self.key, hashes.SHA256())
        )
        return made.public_bytes(serialization.Encoding.PEM)

    @property
    def now(self) -> datetime:
        """Its clock."""
        return datetime.now(UTC) + self.ahead

    def notification(
        self, message: str, *, version: str = "1", subject: str | None = None, **changed: Any
    ) -> bytes:
        """A notification; `changed` fields are changed after the signature was made."""
        fields = self._common("Notification", message, version)
        names = ["Message", "MessageId", "Timestamp", "TopicArn", "Type"]
        if subject is not None:
            fields["Subject"] = subject
            names.insert(2, "Subject")
        fields["UnsubscribeURL"] = f"https://{HOST}/?Action=Unsubscribe&SubscriptionArn={self.topic}:2bcfbf39"
        return self._signed(fields, names, version, changed)

    def question(
        self, kind: str = "SubscriptionConfirmation", *, version: str = "1", **changed: Any
    ) -> bytes:
        """Whether the endpoint wants the topic's messages."""
        words = changed.pop("words", f"You have chosen to subscribe to the topic {self.topic}.")
        fields = self._common(kind, words, version)
        fields["Token"] = "2336412f37"
        asked = urlencode({"Action": "ConfirmSubscription", "TopicArn": self.topic, "Token": "2336412f37"})
        fields["SubscribeURL"] = changed.pop("subscribe_url", f"https://{HOST}/?{asked}")
        names = ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
        return self._signed(fields, names, version, changed)

    def answer(self, heard: Heard) -> Any:
        """What its host says."""
        path = urlsplit(heard.path).path
        if path in self.instead:
            return self.instead[path]
        dated = {"Date": format_datetime(self.now, usegmt=True)}
        if heard.path == PEM:
            return Said(200, self.pem, dated)
        if path == "/":
            self.confirmed.append(parse_qs(urlsplit(heard.path).query))
            return Said(200, b"<ConfirmSubscriptionResponse/>", dated)
        return Said(404, b"", dated)

    def _common(self, kind: str, message: str, version: str) -> dict[str, Any]:
        return {
            "Type": kind,
            "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
            "TopicArn": self.topic,
            "Message": message,
            "Timestamp": self.now.strftime("%Y-%m-%dT%H:%M:%S.123Z"),
            "SignatureVersion": version,
            "SigningCertURL": f"https://{HOST}{PEM}",
        }

    def _signed(
        self, fields: dict[str, Any], names: list[str], version: str, changed: dict[str, Any]
    ) -> bytes:
        at = changed.pop("at", None)
        if at is not None:
            fields["Timestamp"] = at.strftime("%Y-%m-%dT%H:%M:%S.123Z")
        text = "".join(f"{name}\n{fields[name]}\n" for name in names).encode()
        fields["Signature"] = b64encode(
            self.key.sign(text, padding.PKCS1v15(), _HASHES.get(version, hashes.SHA256()))
        ).decode()
        whole = fields | changed
        return json.dumps({name: value for name, value in whole.items() if value is not None}).encode()


@dataclass
class Region:
    """A region's SNS at work: its server, the PEM file of the authority that vouches for it, what names were looked up."""

    server: WebServer
    ca_file: Path
    looked_up: list[tuple[str, int]] = field(default_factory=list)


@contextmanager
def region(sns: Sns, folder: Path, monkeypatch: pytest.MonkeyPatch, *names: str) -> Iterator[Region]:
    """`sns` over TLS under `names` (SNS's own unless told); every name that is looked up leads to it."""
    context, ca_file = authority(folder, *(names or (HOST,)))
    with web_server(sns.answer, context) as server:
        found = Region(server, ca_file)

        def resolve(
            host: str, port: int, _deadline: object
        ) -> list[tuple[socket.AddressFamily, tuple[str, int]]]:
            found.looked_up.append((host, port))
            return [(socket.AF_INET, ("127.0.0.1", server.port))]

        monkeypatch.setattr(http_client, "resolve", resolve)
        yield found
