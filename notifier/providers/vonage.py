"""SMS over Vonage: "SMS API", POST /sms/json.

Vonage has no idempotency key, so a request without an answer is `Uncertain`; our id goes along as ``client-ref``,
which its receipts and its own search show.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast
from urllib.parse import urlencode

from notifier.domain.ids import notification_id
from notifier.domain.lanes import Channel
from notifier.domain.lifecycle import Reason
from notifier.domain.notification import Outgoing
from notifier.domain.outcomes import Accepted, Answer, Outcome, Refused, Uncertain
from notifier.domain.recipients import PhoneNumber
from notifier.domain.segments import Encoding, count_segments
from notifier.providers import http_answers
from notifier.providers.answer_tables import outcome_of
from notifier.providers.base import Deadline, ProviderDefaults
from notifier.providers.http_client import Endpoint, HttpClient, Reply, Request
from notifier.providers.http_outcomes import outcome_of_status, retry_after, unanswered
from notifier.providers.http_setup import endpoint_of
from notifier.providers.schemes import ProviderUrl
from notifier.providers.sms import own_sender
from notifier.providers.vonage_codes import CODES, SENDER_CODES, SENT

_PATH = "/sms/json"
#: Milliseconds that Vonage may keep trying ("ttl": 20,000 to 604,800,000).
_SHORTEST_TTL, _LONGEST_TTL = 20_000, 604_800_000


@dataclass(frozen=True, slots=True, kw_only=True)
class VonageConfig:
    """What a URL with the scheme ``vonage`` said."""

    endpoint: Endpoint
    key: str = field(repr=False)
    secret: str = field(repr=False)
    sender: str
    receipts_url: str | None = None


def build(url: ProviderUrl, _channel: Channel, defaults: ProviderDefaults) -> "Vonage":
    """The provider that `url` describes; its channel is always SMS."""
    said = cast("dict[str, Any]", url.options)
    return Vonage(
        VonageConfig(
            endpoint=endpoint_of(url, defaults),
            key=url.user or "",
            secret=url.password or "",
            sender=said.get("from") or defaults.sms_from or "",
            receipts_url=said.get("receipts_url"),
        )
    )


class Vonage:
    """A `Provider`; see `notifier.providers.base` for what it promises."""

    def __init__(self, config: VonageConfig) -> None:
        self._config = config
        self._client = HttpClient(config.endpoint)
        self._headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}

    def send(self, outgoing: Outgoing, deadline: Deadline) -> Outcome:
        """One attempt."""
        body = urlencode(form_of(outgoing, self._config)).encode("ascii")
        result = self._client.send(Request(path=_PATH, headers=self._headers, body=body), deadline)
        if not isinstance(result, Reply):
            return unanswered(result)
        return self._outcome(result, outgoing)

    def try_out(self, deadline: Deadline) -> str | None:
        """Read the balance ("Account API"): what is wrong with the account, or None. Nothing is sent."""
        headers = {"Authorization": http_answers.basic(self._config.key, self._config.secret)}
        result = self._client.send(
            Request(method="GET", path="/account/get-balance", headers=headers), deadline
        )
        if not isinstance(result, Reply):
            return result.text
        if result.status == 200:  # noqa: PLR2004
            return None
        return f"the answer to a look at the balance was {result.status}"

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()

    def _outcome(self, reply: Reply, outgoing: Outgoing) -> Outcome:
        parts = _parts(reply)
        wait = retry_after(reply.headers, datetime.now(UTC))
        if not parts or reply.status != 200:  # noqa: PLR2004
            answer = self._answer(str(reply.status), http_answers.unreadable(reply), outgoing)
            return outcome_of_status(reply.status, answer, wait)
        failed = [part for part in parts if http_answers.code_of(part.get("status")) != SENT]
        if not failed:
            return Accepted(http_answers.reference_of(parts[0].get("message-id")), Answer(SENT))
        code = http_answers.code_of(failed[0].get("status")) or ""
        text = failed[0].get("error-text")
        if len(failed) < len(parts):
            said = f"{len(failed)} of {len(parts)} parts not taken, the first: {text}"
            return Uncertain(answer=self._answer(code, said, outgoing))
        row, answer = CODES.get(code), self._answer(code, text, outgoing)
        if code in SENDER_CODES and own_sender(outgoing):
            return Refused(Reason.PROVIDER_REJECTED, answer)
        if row is None:  # it is no success, whatever else it says
            return Refused(Reason.PROVIDER_REJECTED, answer) if code else Uncertain(answer=answer)
        return outcome_of(row, answer, attempt=outgoing.attempt, not_before=wait)

    def _answer(self, code: str, text: object, outgoing: Outgoing) -> Answer:
        return http_answers.answer_of(
            code,
            text,
            recipient=cast("PhoneNumber", outgoing.recipient).number,
            content=outgoing.content,
            secrets=(self._config.key, self._config.secret),
        )


def form_of(outgoing: Outgoing, config: VonageConfig) -> dict[str, str]:
    """The request's fields; numbers go without their +."""
    text = outgoing.content.text or ""
    sender = own_sender(outgoing) or config.sender
    ttl = int(outgoing.seconds_left * 1_000)
    form = {
        "api_key": config.key,
        "api_secret": config.secret,
        "from": sender.removeprefix("+"),
        "to": cast("PhoneNumber", outgoing.recipient).number.removeprefix("+"),
        "text": text,
        "type": "text" if count_segments(text).encoding is Encoding.GSM7 else "unicode",
        "ttl": str(max(_SHORTEST_TTL, min(_LONGEST_TTL, ttl))),
        "client-ref": notification_id(outgoing.id),
    }
    if config.receipts_url:
        form |= {"status-report-req": "true", "callback": config.receipts_url}
    return form


def _parts(reply: Reply) -> list[dict[str, Any]]:
    """One object for each part of the message; none where the answer is in another form."""
    found = http_answers.json_object(reply).get("messages")
    if not isinstance(found, list) or not all(isinstance(part, dict) for part in found):
        return []
    return found
