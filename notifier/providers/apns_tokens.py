"""The provider token of APNs: a JWT that all threads of a process use ("Establishing a token-based connection to APNs").

Apple refuses one that is older than an hour, and who makes a new one within 20 minutes.
"""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from notifier.providers.base import SetupError

#: Seconds: when a token is renewed by itself, and the age before which none is.
RENEWED_AFTER, LEAST_AGE = 2_400.0, 1_200.0


def signing_key(path: str) -> ec.EllipticCurvePrivateKey:
    """The key in the ``.p8`` file; raises `SetupError`."""
    try:
        content = Path(path).read_bytes()
    except OSError as wrong:
        raise SetupError(f"the option key: the file can't be read: {wrong.strerror}") from None
    try:
        key = load_pem_private_key(content, None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise SetupError("the option key: must be an authentication key for APNs (.p8)")
    return key


class ProviderTokens:
    """Thread-safe. `clock` gives seconds since 1970."""

    def __init__(
        self, team: str, key_id: str, key: ec.EllipticCurvePrivateKey, clock: Callable[[], float] = time.time
    ) -> None:
        self._team, self._key_id, self._key = team, key_id, key
        self._clock = clock
        self._token, self._made_at = "", float("-inf")
        self._lock = threading.Lock()

    def token(self, refused: str | None = None) -> str:
        """The token to use; another one than `refused` (as expired) unless that is too young for it."""
        with self._lock:
            age = self._clock() - self._made_at
            expired = self._token == refused and age >= LEAST_AGE
            # A clock that was set back leaves a token of the future, which Apple refuses too.
            if not 0 <= age < RENEWED_AFTER or expired:
                self._made_at = self._clock()
                claims = {"iss": self._team, "iat": int(self._made_at)}
                self._token = jwt.encode(claims, self._key, algorithm="ES256", headers={"kid": self._key_id})
            return self._token
