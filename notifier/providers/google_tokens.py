"""Access tokens of a Google service account (RFC 7523): one for all threads, fetched by whoever comes first.

`google-auth` signs and reads; the request goes over our own client, which keeps the caller's deadline.
"""

import json
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from google.auth.exceptions import GoogleAuthError
from google.oauth2 import service_account

from notifier.domain.lifecycle import Reason
from notifier.domain.outcomes import Answer, Deferred
from notifier.providers.base import Deadline, SetupError
from notifier.providers.http_answers import code_of, json_object
from notifier.providers.http_client import Endpoint, HttpClient, NoAnswer, NotSent, Reply, Request

_SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
_AGAIN = frozenset({408, 425, 429})
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class _Response:
    """What google-auth wants of an answer."""

    status: int
    headers: dict[str, str]
    data: bytes


class _NoToken(Exception):
    """Goes through google-auth, which would wait and try again by its own clock."""

    def __init__(self, outcome: Deferred) -> None:
        super().__init__()
        self.outcome = outcome


def key_of(path: str) -> dict[str, Any]:
    """The key file's content; raises `SetupError` without any of it."""
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as wrong:
        raise SetupError(f"the option credentials: the file can't be read: {wrong.strerror}") from None
    except ValueError:
        found = None
    if not isinstance(found, dict) or found.get("type") != "service_account":
        raise SetupError("the option credentials: must be the key file of a service account")
    return found


class TokenHolder:
    """The one token of an account. Thread-safe; whoever comes while it is fetched waits for it."""

    def __init__(self, key: dict[str, Any], *, ca_file: str | None, connect_timeout: float) -> None:
        try:
            self._credentials = service_account.Credentials.from_service_account_info(  # type: ignore[no-untyped-call]
                key, scopes=[_SCOPE]
            )
            found = _server(str(key["token_uri"]))
        except (GoogleAuthError, ValueError, KeyError):
            found = None
        if found is None:
            raise SetupError("the option credentials: the key file is incomplete or damaged")
        host, port, plain, self._path = found
        self._client = HttpClient(
            Endpoint(host=host, port=port, plain=plain, ca_file=ca_file, connect_timeout=connect_timeout)
        )
        self._lock = threading.Lock()

    def token(self, deadline: Deadline, refused: str | None = None) -> str | Deferred:
        """A token by `deadline`, another one than `refused`; else why there is none."""
        if not self._lock.acquire(timeout=deadline.remaining()):
            return Deferred(Reason.PROVIDER_TIMEOUT, answer=Answer(text="no access token in time"))
        try:
            found = self._credentials
            if not found.valid or found.token == refused:
                found.refresh(lambda **asked: self._ask(deadline, **asked))
            return str(found.token)
        except _NoToken as none:
            return none.outcome
        except (GoogleAuthError, ValueError, TypeError, AttributeError):
            return Deferred(
                Reason.AUTH_FAILED, answer=Answer(text="the token server answered without a token")
            )
        finally:
            self._client.close()
            self._lock.release()

    def _ask(self, deadline: Deadline, *, headers: dict[str, str], body: bytes, **_: Any) -> _Response:
        result = self._client.send(Request(path=self._path, headers=headers, body=body), deadline)
        if isinstance(result, Reply) and result.status == 200:  # noqa: PLR2004
            return _Response(result.status, dict(result.headers), result.body)
        raise _NoToken(_without(result, deadline))


def _server(uri: str) -> tuple[str, int, bool, str] | None:
    """Host, port, whether without TLS, path; None unless it is https, or http on this host itself (for tests)."""
    url = urlsplit(uri)
    plain = url.scheme == "http" and url.hostname in _LOOPBACK
    if not url.hostname or not (plain or url.scheme == "https"):
        return None
    return url.hostname, url.port or (80 if plain else 443), plain, url.path or "/"


def _without(result: NotSent | NoAnswer | Reply, deadline: Deadline) -> Deferred:
    """Why there is no token: the message itself has not been sent yet, so nothing here is uncertain."""
    if isinstance(result, Reply):
        code = code_of(json_object(result).get("error")) or ""
        answer = Answer(str(result.status), f"the token server answered {result.status} {code}".strip())
        ours = 300 <= result.status < 500 and result.status not in _AGAIN  # noqa: PLR2004
        return Deferred(Reason.AUTH_FAILED if ours else Reason.PROVIDER_UNAVAILABLE, answer=answer)
    if isinstance(result, NotSent):
        return Deferred(result.reason, answer=Answer(text=f"the token server: {result.text}"))
    reason = Reason.PROVIDER_TIMEOUT if deadline.passed else Reason.PROVIDER_UNAVAILABLE
    return Deferred(reason, answer=Answer(text=f"the token server: {result.text}"))
