"""Who we are to a push service: a signed token for each of them (RFC 8292, VAPID).

One signer serves all threads of a process. A token is for one service's origin and may be used for a day; ours are
renewed after half of it.
"""

import base64
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from py_vapid import Vapid02  # type: ignore[import-untyped]

from notifier.providers.base import SetupError

#: Seconds; RFC 8292 allows 24 hours at most.
_LIFE, _USED_FOR = 43_200, 21_600
#: Origins whose tokens are kept: with `hosts=*` endpoints may be anywhere.
_KEPT = 256
_RAW_BYTES = 32


def private_key(path: str) -> ec.EllipticCurvePrivateKey:
    """The key in the file: PEM, or 32 bytes in base64url as other tools write it; raises `SetupError`."""
    try:
        content = Path(path).read_bytes().strip()
    except OSError as wrong:
        raise SetupError(f"the option vapid_key: the file can't be read: {wrong.strerror}") from None
    try:
        key = load_pem_private_key(content, None) if content.startswith(b"-----") else _raw(content)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise SetupError("the option vapid_key: must be an unencrypted private key of the curve P-256")
    return key


def _raw(content: bytes) -> ec.EllipticCurvePrivateKey:
    raw = base64.urlsafe_b64decode(content + b"=" * (-len(content) % 4))
    if len(raw) != _RAW_BYTES:
        raise ValueError
    return ec.derive_private_key(int.from_bytes(raw, "big"), ec.SECP256R1())


class Signer:
    """Thread-safe. `clock` gives seconds since 1970."""

    def __init__(
        self, key: ec.EllipticCurvePrivateKey, subject: str, clock: Callable[[], float] = time.time
    ) -> None:
        # Its own check of the subject takes less than RFC 8292; ours was made when the URL was read.
        self._vapid = Vapid02(private_key=key, conf={"no-strict": True})
        self._subject = subject
        self._clock = clock
        self._made: OrderedDict[str, tuple[float, str]] = OrderedDict()
        self._lock = threading.Lock()

    def authorization(self, origin: str) -> str:
        """The value of the Authorization header for the push service at `origin` (``https://host[:port]``)."""
        now = self._clock()
        with self._lock:
            found = self._made.get(origin)
            if found is not None and 0 <= now - found[0] < _USED_FOR:
                self._made.move_to_end(origin)
                return found[1]
            claims = {"aud": origin, "exp": int(now) + _LIFE, "sub": self._subject}
            header = str(self._vapid.sign(claims)["Authorization"])
            self._made[origin] = (now, header)
            if len(self._made) > _KEPT:
                self._made.popitem(last=False)
            return header
