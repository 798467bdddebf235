"""The link by which a reader leaves a topic with one click (RFC 8058).

Its token is the notification's id behind a MAC: nobody can make one, it says nothing about the reader, and who reads
what is looked up by the id. It works as long as the notification is kept.
"""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from uuid import UUID

PATH = "/v1/unsubscribe/"
_PURPOSE = b"notifier unsubscribe 1\0"
#: 128 bits can't be guessed; with the id they make 43 characters.
_MAC_BYTES = 16
_TOKEN_BYTES = 16 + _MAC_BYTES


class UnsubscribeLinks:
    """Makes and reads links. The first of `secrets` makes them, all of them are honoured; without one there are none.

    `public_url` is where mail readers reach this service, without a slash at its end.
    """

    def __init__(self, public_url: str | None = None, secrets: Sequence[str] = ()) -> None:
        self._public_url = public_url
        self._keys = tuple(secret.encode() for secret in secrets)

    def link(self, notification: UUID) -> str | None:
        """``https://notify.example.com/v1/unsubscribe/TOKEN``; None where there are no links."""
        if self._public_url is None or not self._keys:
            return None
        return f"{self._public_url}{PATH}{_token(self._keys[0], notification)}"

    def read(self, token: str) -> UUID | None:
        """The notification that `token` is for, None for a forged one; takes the same time for both."""
        wanted = _id_in(token)
        given = token.encode("utf-8", "surrogatepass")
        genuine = [hmac.compare_digest(_token(key, wanted).encode(), given) for key in self._keys]
        return wanted if any(genuine) else None


def _token(key: bytes, notification: UUID) -> str:
    mac = hmac.digest(key, _PURPOSE + notification.bytes, "sha256")[:_MAC_BYTES]
    return urlsafe_b64encode(notification.bytes + mac).rstrip(b"=").decode("ascii")


def _id_in(token: str) -> UUID:
    """The id that `token` names; an id of nothing for what is no token, so that it is compared like any other."""
    try:
        found = urlsafe_b64decode(f"{token}=")
    except ValueError:
        found = b""
    return UUID(bytes=found[:16] if len(found) == _TOKEN_BYTES else bytes(16))
