"""Opaque cursors, bound to the tenant, the route and the filter that they were given for.

A cursor is the last id and a digest over it and all it belongs to. It opens nothing that the caller may
not read anyway (every query names the tenant); the digest makes a changed or foreign one a clear 400
instead of a strange page.
"""

import base64
import binascii
import hashlib
import hmac
from uuid import UUID

from notifier.http.problems import Problem

_ID_BYTES, _DIGEST_BYTES = 16, 12
_PERSON = b"notifier-cursor"


def make_cursor(tenant: str, scope: str, last: UUID | None) -> str | None:
    """The cursor of the page after the id `last`; None when there is none. `scope`: route and filter."""
    if last is None:
        return None
    raw = last.bytes + _digest(tenant, scope, last)
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def read_cursor(tenant: str, scope: str, text: str | None) -> UUID | None:
    """The id that a cursor continues from; raises `Problem` ``invalid_cursor``."""
    if text is None:
        return None
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise Problem("invalid_cursor") from None
    if len(raw) != _ID_BYTES + _DIGEST_BYTES:
        raise Problem("invalid_cursor")
    last = UUID(bytes=raw[:_ID_BYTES])
    if not hmac.compare_digest(raw[_ID_BYTES:], _digest(tenant, scope, last)):
        raise Problem("invalid_cursor")
    return last


def _digest(tenant: str, scope: str, last: UUID) -> bytes:
    made = hashlib.blake2b(digest_size=_DIGEST_BYTES, person=_PERSON)
    for part in (tenant.encode(), scope.encode(), last.bytes):
        made.update(len(part).to_bytes(4, "big") + part)
    return made.digest()
