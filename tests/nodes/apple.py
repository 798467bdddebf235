"""What an APNs account needs besides APNs: an authentication key."""

from functools import cache
from pathlib import Path
from urllib.parse import urlencode

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

TEAM, KEY_ID, TOPIC = "TEAM123456", "KEY1234567", "com.example.app"


@cache
def signing_key() -> ec.EllipticCurvePrivateKey:
    """The key in these tests."""
    return ec.generate_private_key(ec.SECP256R1())


def key_file(folder: Path) -> Path:
    """Its ``.p8`` file."""
    path = folder / "AuthKey.p8"
    path.write_bytes(
        signing_key().private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return path


def options(path: Path) -> str:
    """``key=…&key_id=…&topic=…`` for a provider's URL."""
    return urlencode({"key": str(path), "key_id": KEY_ID, "topic": TOPIC})
