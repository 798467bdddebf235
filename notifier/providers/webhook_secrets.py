"""The secrets of webhooks as the Standard Webhooks specification writes them: ``whsec_`` and base64. Light and pure."""

import base64
import binascii

_PREFIX = "whsec_"
_BYTES = range(24, 65)
#: The new secret, and the one before it.
_MOST = 2


def secrets_in(text: str) -> tuple[bytes, ...]:
    """The secrets in `text`, joined by commas or blanks, the new one first; raises `ValueError` without any of it."""
    found = text.replace(",", " ").split()
    if not 1 <= len(found) <= _MOST:
        raise ValueError("must be a secret, or the new one and the old one, joined by a comma")
    return tuple(map(_secret, found))


def _secret(text: str) -> bytes:
    try:
        raw = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if not text.startswith(_PREFIX) or len(raw) not in _BYTES:
        raise ValueError(f"must be {_PREFIX} and 24 to 64 bytes in base64")
    return raw
