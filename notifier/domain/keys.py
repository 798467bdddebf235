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
_FORM = re.compile(r"nk_(?:live|test)_([a-z0-9]{8})_[A-Za-z0-9_-]{43}", re.ASCII)


def new_key(mode: Mode) -> tuple[str, str, bytes]:
    """A new key as ``(id, text, hash)``; the text is shown once and never kept."""
    key_id = "".join(secrets.choice(_ALPHABET) for _ in range(_ID_LENGTH))
    text = f"nk_{mode}_{key_id}_{secrets.token_urlsafe(_SECRET_BYTES)}"
    return key_id, text, key_hash(text)


def key_hash(text: str) -> bytes:
    """What is stored of a key: the 32 bytes of its SHA-256."""
    return hashlib.sha256(text.encode()).digest()


def key_id_of(text: str) -> str | None:
    """The id inside a key, or None unless `text` has exactly a key's form."""
    found = _FORM.fullmatch(text)
    return found[1] if found else None
