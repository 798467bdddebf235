"""What a reader of SNS's messages asks of SNS: the certificates that sign, and to confirm a subscription.

https only, to the host that the topic's region has, no redirect, 64 KB at most. Certificates are kept for a day; the
hour comes with them, so that a message is not called too old because this host's clock is wrong.

Anybody may name a certificate, before a signature can be looked at. So one is fetched at a time, within `FETCH_SECONDS`,
one other waits for its turn, and what failed is not asked for again at once: the threads that read receipts stay free.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TypeVar

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from notifier.domain.receipts import Forged, NotNow
from notifier.providers.base import Deadline
from notifier.providers.http_client import Endpoint, HttpClient, Reply, Request, Result
from notifier.providers.sns_messages import SnsMessage, key_of

_KEPT_SECONDS = 86_400.0
#: SNS has one or two in use in a region.
_MOST = 16
#: Seconds that a certificate may take, and that another one waits for its turn.
FETCH_SECONDS, TURN_SECONDS = 3.0, 1.0
#: Seconds that it is remembered that a certificate is none, and that it did not come: the door asks for so much patience.
FAILED_SECONDS, AWAY_SECONDS = 10.0, 1.0
_MOST_FAILED = 64
_OK = 200
_AGAIN = frozenset({408, 425, 429})
_Found = TypeVar("_Found")


@dataclass(frozen=True, slots=True)
class Certificate:
    """A key that SNS's host vouched for, and the time that it was there when it came at `came` of the monotonic clock."""

    key: RSAPublicKey
    their_time: datetime
    came: float

    @property
    def now(self) -> datetime:
        """What SNS's clock says."""
        return self.their_time + timedelta(seconds=time.monotonic() - self.came)


class SnsVisits:
    """For all threads of a process."""

    def __init__(self, ca_file: str | None, connect_timeout: float) -> None:
        self._ca_file, self._connect_timeout = ca_file, connect_timeout
        self._kept: dict[tuple[str, str], Certificate] = {}
        self._failed: dict[tuple[str, str], tuple[float, Forged | NotNow]] = {}
        #: Guards which one is fetched now, and whether another one waits for its turn.
        self._turns = threading.Condition()
        self._fetched: tuple[str, str] | None = None
        self._another_waits = False
        self.clock: Callable[[], float] = time.monotonic

    def certificate(self, message: SnsMessage, deadline: Deadline) -> Certificate | Forged | NotNow:
        """The certificate that a message names. Whoever comes while it is fetched waits for it."""
        where = (message.host, message.certificate_path)
        known = self._known(where)
        if known is not None:
            return known
        if not self._turn(where, deadline):
            return NotNow("another certificate is being fetched")
        try:
            return self._known(where) or self._fetch(where, deadline)
        finally:
            with self._turns:
                self._fetched = None
                self._turns.notify_all()

    def _turn(self, where: tuple[str, str], deadline: Deadline) -> bool:
        """Whether this thread may fetch now, or look again at what another has fetched."""
        with self._turns:
            another = self._fetched not in {None, where}
            if another and self._another_waits:
                return False
            self._another_waits |= another
            longest = min(TURN_SECONDS if another else FETCH_SECONDS, deadline.remaining())
            free = self._turns.wait_for(lambda: self._fetched is None, longest)
            if another:
                self._another_waits = False
            if free:
                self._fetched = where
            return free

    def _fetch(self, where: tuple[str, str], deadline: Deadline) -> Certificate | Forged | NotNow:
        result = self._get(*where, Deadline(min(FETCH_SECONDS, deadline.remaining())))
        found = _read(result)
        if isinstance(found, Certificate):
            _keep(self._kept, where, found, _MOST)
        else:
            # Where nobody answers, nobody will for another name.
            asked = where if isinstance(result, Reply) else (where[0], "")
            until = self.clock() + (FAILED_SECONDS if isinstance(found, Forged) else AWAY_SECONDS)
            _keep(self._failed, asked, (until, found), _MOST_FAILED)
        return found

    def _known(self, where: tuple[str, str]) -> Certificate | Forged | NotNow | None:
        kept = self._kept.get(where)
        if kept is not None and time.monotonic() - kept.came < _KEPT_SECONDS:
            return kept
        for asked in (where, (where[0], "")):
            until, found = self._failed.get(asked, (0.0, None))
            if found is not None and self.clock() < until:
                return found
        return None

    def confirm(self, message: SnsMessage, deadline: Deadline) -> NotNow | None:
        """Visit what confirms a subscription; None when SNS took it."""
        result = self._get(message.host, message.subscribe_path, deadline)
        if isinstance(result, Reply) and result.status == _OK:
            return None
        said = f"the answer was {result.status}" if isinstance(result, Reply) else result.text
        return NotNow(f"the subscription could not be confirmed: {said}")

    def _get(self, host: str, path: str, deadline: Deadline) -> Result:
        """One request over a connection of its own: there are a few in a day."""
        client = HttpClient(
            Endpoint(host=host, port=443, ca_file=self._ca_file, connect_timeout=self._connect_timeout)
        )
        try:
            return client.send(Request(method="GET", path=path), deadline)
        finally:
            client.close()


def _keep(kept: dict[tuple[str, str], _Found], where: tuple[str, str], found: _Found, most: int) -> None:
    """Keep it as the newest one of so many."""
    kept.pop(where, None)
    kept[where] = found
    while len(kept) > most:
        del kept[next(iter(kept))]


def _read(result: Result) -> Certificate | Forged | NotNow:
    if not isinstance(result, Reply):
        return NotNow(f"the certificate could not be fetched: {result.text}")
    if result.status != _OK or not result.whole:
        passing = result.status in _AGAIN or not 300 <= result.status < 500  # noqa: PLR2004 - RFC 9110, 15
        said = NotNow(f"the certificate could not be fetched: the answer was {result.status}")
        return said if passing else Forged("wrong signature")
    now = _their_time(result)
    key = key_of(result.body, now)
    return Forged("wrong signature") if key is None else Certificate(key, now, time.monotonic())


def _their_time(reply: Reply) -> datetime:
    try:
        said = parsedate_to_datetime(reply.headers.get("date", ""))
    except (ValueError, IndexError, TypeError, OverflowError):
        return datetime.now(UTC)
    return said if said.tzinfo else said.replace(tzinfo=UTC)
