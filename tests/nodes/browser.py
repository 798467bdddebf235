"""A browser's side of Web Push: subscriptions with their private halves, and a VAPID key for the application."""

import base64
import json
import secrets
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import http_ece  # type: ignore[import-untyped]
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from notifier.domain.recipients import PushToken

SUBJECT = "mailto:ops@example.com"


def base64url(raw: bytes) -> str:
    """Without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def point(key: ec.EllipticCurvePublicKey) -> bytes:
    """The key as an uncompressed point."""
    return key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)


@dataclass
class Subscription:
    """One subscription at `endpoint`."""

    endpoint: str
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    auth: bytes = field(default_factory=lambda: secrets.token_bytes(16))

    @property
    def recipient(self) -> PushToken:
        """As a request would name it."""
        keys = {"p256dh": base64url(point(self.key.public_key())), "auth": base64url(self.auth)}
        return PushToken.parse({"endpoint": self.endpoint, "keys": keys}, "webpush")

    def private(self) -> PushToken:
        """The same for an endpoint that no request may name."""
        public = Subscription("https://push.example.com/", self.key, self.auth).recipient
        whole = public.subscription | {"endpoint": self.endpoint}
        return PushToken(json.dumps(whole), public.platform)

    def decrypted(self, body: bytes) -> Any:
        """What the page's service worker would be given."""
        plain = http_ece.decrypt(body, private_key=self.key, auth_secret=self.auth, version="aes128gcm")
        return json.loads(plain)


@cache
def vapid_key() -> ec.EllipticCurvePrivateKey:
    """The application's key in these tests."""
    return ec.generate_private_key(ec.SECP256R1())


def vapid_file(folder: Path) -> Path:
    """Its PEM file."""
    path = folder / "vapid.pem"
    path.write_bytes(
        vapid_key().private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return path


def options(path: Path) -> str:
    """``vapid_key=…&subject=…`` for a provider's URL."""
    return urlencode({"vapid_key": str(path), "subject": SUBJECT})
