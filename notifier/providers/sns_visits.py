"""What a reader of SNS's messages asks of SNS: the certificates that sign, and to confirm a subscription.

https only, to the host that the topic's region has, no redirect, 64 KB at most. Certificates are kept for a day; the
hour comes with them, so that a message is not called too old because this host's clock is wrong.
"""

import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from notifier.domain.receipts import Forged, NotNow
from notifier.providers.base import Deadline
from notifier.providers.http_client import Endpoint, HttpClient, Reply, Request, Result
from notifier.providers.sns_messages import SnsMessage, key_of

_KEPT_SECONDS = 86_400.0
#: SNS has one or two in use in a region.
_MOST = 16
_OK = 200
_AGAIN = frozenset({408, 425, 429})


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
        self._lock = threading.Lock()

    def certificate(self, message: SnsMessage, deadline: Deadline) -> Certificate | Forged | NotNow:
        """The certificate that a message names. Whoever comes while it is fetched waits for it, and nobody else does:
        anybody may name one that is slow to come.
        """
        where = (message.host, message.certificate_path)
        kept = self._known(where)
        if kept is not None:
            return kept
        if not self._lock.acquire(timeout=deadline.remaining()):
            return NotNow("no certificate in time")
        try:
            kept = self._known(where)
            if kept is not None:
                return kept
            found = _read(self._get(*where, deadline))
            if isinstance(found, Certificate):
                self._kept.pop(where, None)
                self._kept[where] = found
                while len(self._kept) > _MOST:
                    del self._kept[next(iter(self._kept))]
            return found
        finally:
            self._lock.release()

    def _known(self, where: tuple[str, str]) -> Certificate | None:
        kept = self._kept.get(where)
        return kept if kept is not None and time.monotonic() - kept.came < _KEPT_SECONDS else None

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
