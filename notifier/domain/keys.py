"""The form of an API key: ``nk_<live|test>_<8-char id>_<43 chars>``, the last part 256 random bits.

Only the SHA-256 of the whole key is ever kept: with so much chance in it a slow hash adds nothing
(OWASP ASVS 5.0, 6.5.2 and 11.5.1). The id finds the row; it is no secret.
"""

import hashlib
import re
import secrets
import string

from notifier.domain.lifecycle import Mode

#: What a key may be allowed to do.
SCOPES = frozenset({"send", "read", "admin"})

_ALPHABET = string.ascii_lowercase + string.digits
_ID_LENGTH = 8
_SECRET_BYTES = 32
_TEST_DATA = "/test"
_FORM = re.compile(r"nk_(live|test)_([a-z0-9]{8})_[A-Za-z0-9_-]{43}", re.ASCII)


def new_key(mode: Mode) -> tuple[str, str, bytes]:
    """A new key as ``(id, text, hash)``; the text is shown once and never kept."""
    key_id = "".join(secrets.choice(_ALPHABET) for _ in range(_ID_LENGTH))
    text = f"nk_{mode}_{key_id}_{secrets.token_urlsafe(_SECRET_BYTES)}"
    return key_id, text, key_hash(text)


def tenant_of(tenant: str, mode: Mode) -> str:
    """Whose data a tenant's keys of this mode reach: test data is kept as a tenant's of its own, ``acme/test``.

    So no question can mix the two, whichever asks: lists, failures, replays, suppressions. No tenant's name has a
    slash in it.
    """
    return tenant if mode is Mode.LIVE else f"{tenant}{_TEST_DATA}"


def parse_tenant(text: str) -> tuple[str, Mode]:
    """A tenant as `tenant_of` writes it: its name, and of which keys it is."""
    name = text.removesuffix(_TEST_DATA)
    return name, Mode.LIVE if name == text else Mode.TEST


def key_hash(text: str) -> bytes:
    """What is stored of a key: the 32 bytes of its SHA-256."""
    return hashlib.sha256(text.encode()).digest()


def key_id_of(text: str) -> str | None:
    """The id inside a key, or None unless `text` has exactly a key's form."""
    found = _FORM.fullmatch(text)
    return found[2] if found else None


def mode_told_by(text: str) -> Mode | None:
    """What a key says it is for, or None unless `text` has exactly a key's form; only storage knows whether it is true."""
    found = _FORM.fullmatch(text)
    return Mode(found[1]) if found else None
