"""SMS over Twilio: "Messages resource", POST /2010-04-01/Accounts/{AccountSid}/Messages.json.

Twilio has no idempotency key for sending, so a request without an answer is `Uncertain`.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast
from urllib.parse import quote, urlencode

from notifier.domain.lanes import Channel
from notifier.domain.lifecycle import Reason
from notifier.domain.notification import Outgoing
from notifier.domain.outcomes import Accepted, Answer, Outcome, Refused
from notifier.domain.recipients import PhoneNumber
from notifier.providers import http_answers
from notifier.providers.answer_tables import outcome_of
from notifier.providers.base import Deadline, ProviderDefaults
from notifier.providers.http_client import Endpoint, HttpClient, Reply, Request
from notifier.providers.http_outcomes import outcome_of_status, retry_after, unanswered
from notifier.providers.http_setup import endpoint_of
from notifier.providers.schemes import ProviderUrl
from notifier.providers.sms import own_sender
from notifier.providers.twilio_callbacks import callback_of
from notifier.providers.twilio_codes import CODES, SENDER_CODES

#: Seconds that Twilio may keep a message in its queue ("ValidityPeriod": 1 to 36,000).
_LONGEST_VALIDITY = 36_000
#: Its answer to a message that was taken. Any other 2xx counts only with the message's SID in it: a proxy that says
#: 200 to everything would swallow messages.
_CREATED = 201


@dataclass(frozen=True, slots=True, kw_only=True)
class TwilioConfig:
    """What a URL with the scheme ``twilio`` said; `sender` fields go out as they stand."""

    endpoint: Endpoint
    account: str
    user: str = field(repr=False)
    password: str = field(repr=False)
    sender: tuple[str, str]
    receipts_url: str | None = None


def build(url: ProviderUrl, _channel: Channel, defaults: ProviderDefaults) -> "Twilio":
    """The provider that `url` describes; its channel is always SMS."""
    said = cast("dict[str, Any]", url.options)
    service = said.get("messaging_service")
    return Twilio(
        TwilioConfig(
            endpoint=endpoint_of(url, defaults),
            account=said.get("account") or url.user or "",
            user=url.user or "",
            password=url.password or "",
            sender=("MessagingServiceSid", service)
            if service
            else ("From", said.get("from") or defaults.sms_from or ""),
            receipts_url=said.get("receipts_url"),
        )
    )


class Twilio:
    """A `Provider`; see `notifier.providers.base` for what it promises."""

    def __init__(self, config: TwilioConfig) -> None:
        self._config = config
        self._client = HttpClient(config.endpoint)
        self._path = f"/2010-04-01/Accounts/{quote(config.account, safe='')}/Messages.json"
        self._headers = {
            "Authorization": http_answers.basic(config.user, config.password),
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
        }
        token = self._headers["Authorization"].partition(" ")[2]
        self._secrets = (config.user, config.password, config.account, token)

    def send(self, outgoing: Outgoing, deadline: Deadline) -> Outcome:
        """One attempt."""
        body = urlencode(form_of(outgoing, self._config)).encode("ascii")
        result = self._client.send(Request(path=self._path, headers=self._headers, body=body), deadline)
        if not isinstance(result, Reply):
            return unanswered(result)
        return self._outcome(result, outgoing)

    def try_out(self, deadline: Deadline) -> str | None:
        """Read the account ("Account resource"): what is wrong with it, or None. Nothing is sent."""
        path = self._path.replace("/Messages.json", ".json")
        result = self._client.send(Request(method="GET", path=path, headers=self._headers), deadline)
        if not isinstance(result, Reply):
            return result.text
        if result.status == 200:  # noqa: PLR2004
            status = http_answers.json_object(result).get("status")
            return None if status == "active" else f"the account is {status}"
        return f"the answer to a look at the account was {result.status}"

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()

    def _outcome(self, reply: Reply, outgoing: Outgoing) -> Outcome:
        said = http_answers.json_object(reply)
        code = http_answers.code_of(said.get("code") or said.get("error_code"))
        reference = http_answers.reference_of(said.get("sid"))
        if code is None and (reply.status == _CREATED or (200 <= reply.status < 300 and reference)):  # noqa: PLR2004
            return Accepted(reference, Answer(str(reply.status)))
        words = said.get("message") or said.get("error_message") or http_answers.unreadable(reply)
        answer = http_answers.answer_of(
            code or str(reply.status),
            words,
            recipient=cast("PhoneNumber", outgoing.recipient).number,
            content=outgoing.content,
            secrets=self._secrets,
        )
        wait = retry_after(reply.headers, datetime.now(UTC))
        if code in SENDER_CODES and own_sender(outgoing):
            return Refused(Reason.PROVIDER_REJECTED, answer)
        row = CODES.get(code or "")
        if row is not None:
            return outcome_of(row, answer, attempt=outgoing.attempt, not_before=wait)
        return outcome_of_status(reply.status, answer, wait)


def form_of(outgoing: Outgoing, config: TwilioConfig) -> dict[str, str]:
    """The request's fields."""
    own = own_sender(outgoing)
    name, value = ("From", own) if own else config.sender
    form = {
        "To": cast("PhoneNumber", outgoing.recipient).number,
        name: value,
        "Body": outgoing.content.text or "",
        "ValidityPeriod": str(max(1, min(_LONGEST_VALIDITY, int(outgoing.seconds_left)))),
    }
    if config.receipts_url:
        form["StatusCallback"] = callback_of(config.receipts_url, outgoing.id)
    return form
