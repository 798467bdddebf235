"""Sessions of the console: a cookie that stands for an API key for an hour and holds nothing of it.

::

    notifier_session=v2.KEYID.ID.BEGAN.ENDS.MAC

The MAC is made with the doors' own secret and the stored hash of the key. So no process keeps a session, every door
that has the secret honours it, a stolen copy of the database makes none, and a key that is revoked or has expired ends
its sessions at once: the key's row is looked up as for the key itself. A log-out ends the session's id, which all its
renewed cookies have in common, for every door (`notifier.storage.ended_sessions`).

Against requests that another site has the browser send, three things stand (OWASP, Cross-Site Request Forgery
Prevention): ``SameSite=Strict``; what changes anything must carry `PROOF`, which no form can send and which a script
of another origin may only send after a preflight that is never granted; and what the browser itself calls a request of
another site (Fetch Metadata) is refused.
"""

import hmac
import re
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass, replace

from aiohttp import hdrs, web

from notifier.http.problems import Problem

COOKIE = "notifier_session"
#: The header that a request with a cookie must have if it changes anything.
PROOF = "X-Notifier-Console"
#: Seconds that a cookie is good for; a page that is looked at asks for a new one in time.
LIFETIME = 3600
#: Seconds after which the key must be given again, however often the cookie was renewed.
LONGEST = 12 * 3600

#: Where Settings name no secret: made before `notifier serve` forks, so that its processes share it. Sessions then end
#: with their start.
_OWN = secrets.token_bytes(32)
_PURPOSE = b"notifier console session 2\0"
_FORM = re.compile(
    r"v2\.([a-z0-9]{8})\.([A-Za-z0-9_-]{22})\.([0-9]{1,12})\.([0-9]{1,12})\.([A-Za-z0-9_-]{43})", re.ASCII
)
_READS = frozenset({hdrs.METH_GET, hdrs.METH_HEAD})


@dataclass(frozen=True, slots=True)
class Session:
    """What a cookie says, nobody knows yet whether truly. Moments are in Unix seconds."""

    key_id: str
    #: Not secret: without the MAC it opens nothing.
    id: str
    began: int
    ends: int
    mac: str


class Sessions:
    """Makes and proves cookies; of several secrets the first makes them, all are honoured."""

    def __init__(self, given: Sequence[str] = ()) -> None:
        self._secrets = tuple(one.encode() for one in given) or (_OWN,)

    def issue(self, key_id: str, key_hash: bytes, *, now: float, former: Session | None = None) -> Session:
        """A session that begins now, or `former` for another while: the same to whoever ends it."""
        start = int(now) if former is None else former.began
        made = secrets.token_urlsafe(16) if former is None else former.id
        ends = min(int(now) + LIFETIME, start + LONGEST)
        unsealed = Session(key_id, made, start, ends, "")
        return replace(unsealed, mac=_mac(self._secrets[0], key_hash, unsealed))

    def good(self, session: Session, key_hash: bytes, *, now: float) -> bool:
        """Whether it was made here for this key and its time is not over."""
        return self.genuine(session, key_hash) and session.ends > now

    def genuine(self, session: Session, key_hash: bytes) -> bool:
        """Whether it was made here for this key; takes the same time for both answers."""
        found = [hmac.compare_digest(_mac(one, key_hash, session), session.mac) for one in self._secrets]
        return any(found)


def session_of(request: web.Request) -> Session | None:
    """What the request's cookie says; a key goes before it. Raises `Problem` ``forbidden`` for another site's."""
    if hdrs.AUTHORIZATION in request.headers:
        return None
    found = _FORM.fullmatch(request.cookies.get(COOKIE, ""))
    if found is None:
        return None
    must_be_ours(request)
    return Session(found[1], found[2], int(found[3]), int(found[4]), found[5])


def must_be_ours(request: web.Request) -> None:
    """Raise `Problem` ``forbidden`` unless the console itself may have sent this."""
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}:
        raise Problem("forbidden", "another site's requests are not taken")
    if request.method not in _READS and request.headers.get(PROOF) != "1":
        raise Problem("forbidden", f"a request of the console must have the header {PROOF}: 1")


def remember(answer: web.StreamResponse, request: web.Request, session: Session, *, now: float) -> None:
    """Have the browser keep the session."""
    value = f"v2.{_said(session)}.{session.mac}"
    answer.set_cookie(
        COOKIE,
        value,
        max_age=max(0, session.ends - int(now)),
        path="/",
        httponly=True,
        samesite="Strict",
        secure=_is_secure(request),
    )


def forget(answer: web.StreamResponse, request: web.Request) -> None:
    """Have the browser drop the session."""
    answer.del_cookie(COOKIE, path="/", httponly=True, samesite="Strict", secure=_is_secure(request))


def _is_secure(request: web.Request) -> bool:
    """Whether the browser came over TLS, which ends before us; who lies about it only harms his own cookie."""
    return request.headers.get("X-Forwarded-Proto", "").strip().lower() == "https"


def _said(session: Session) -> str:
    return f"{session.key_id}.{session.id}.{session.began}.{session.ends}"


def _mac(secret: bytes, key_hash: bytes, session: Session) -> str:
    key = hmac.digest(secret, _PURPOSE + key_hash, "sha256")
    made = hmac.digest(key, _said(session).encode(), "sha256")
    return urlsafe_b64encode(made).rstrip(b"=").decode("ascii")
