"""E-mail over Twilio SendGrid: "Mail Send", POST /v3/mail/send.

SendGrid has no idempotency key, so a request without an answer is `Uncertain`; our id goes along in ``custom_args``,
which every event repeats, and in the Message-ID, which is the same in every attempt.
"""

import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, cast

from notifier.domain.errors import RenderError
from notifier.domain.lanes import Channel
from notifier.domain.lifecycle import Reason
from notifier.domain.notification import Outgoing
from notifier.domain.outcomes import Accepted, Answer, Outcome, Refused
from notifier.domain.recipients import EmailAddress
from notifier.providers import http_answers
from notifier.providers.answer_tables import outcome_of
from notifier.providers.base import Deadline, ProviderDefaults, SetupError
from notifier.providers.http_client import Endpoint, HttpClient, Reply, Request
from notifier.providers.http_outcomes import outcome_of_status, retry_after, unanswered
from notifier.providers.http_setup import endpoint_of
from notifier.providers.schemes import ProviderUrl
from notifier.providers.senders import Sender, parse_sender
from notifier.providers.sendgrid_codes import THROTTLED, judged, until_reset
from notifier.providers.sendgrid_message import message_of

_PATH = "/v3/mail/send"
#: "for global users and subusers", "for EU regional subusers".
_HOSTS = {"global": "api.sendgrid.com", "eu": "api.eu.sendgrid.com"}
#: Its answer to a message that was taken, and to one in sandbox mode that would have been.
_QUEUED, _CHECKED = 202, 200
_MAY_SEND = "mail.send"
#: One request has a handful at the most.
_MAX_ERRORS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class SendGridConfig:
    """What a URL with the scheme ``sendgrid`` said."""

    endpoint: Endpoint
    key: str = field(repr=False)
    sender: Sender
    sandbox: bool = False
    verification_key: str | None = None


def build(url: ProviderUrl, _channel: Channel, defaults: ProviderDefaults) -> "SendGrid":
    """The provider that `url` describes; its channel is always e-mail."""
    said = cast("dict[str, Any]", url.options)
    host = url.host or _HOSTS[said.get("region", "global")]
    return SendGrid(
        SendGridConfig(
            endpoint=replace(endpoint_of(url, defaults), host=host),
            key=url.password or "",
            sender=said.get("from") or parse_sender(defaults.email_from),
            sandbox=said.get("sandbox", False),
            verification_key=said.get("verification_key"),
        )
    )


class SendGrid:
    """A `Provider`; see `notifier.providers.base` for what it promises."""

    def __init__(self, config: SendGridConfig) -> None:
        self._config = config
        self._client = HttpClient(config.endpoint)
        self._headers = {
            "Authorization": f"Bearer {config.key}",
            "Content-Type": "application/json",
            "Accept": "application/json",
        }

    def send(self, outgoing: Outgoing, deadline: Deadline) -> Outcome:
        """One attempt."""
        try:
            body = message_of(outgoing, self._config.sender, sandbox=self._config.sandbox)
        except RenderError as wrong:
            return Refused(Reason.RENDER_ERROR, Answer(text=str(wrong)))
        result = self._client.send(Request(path=_PATH, headers=self._headers, body=body), deadline)
        if not isinstance(result, Reply):
            return unanswered(result)
        return self._outcome(result, outgoing)

    def try_out(self, deadline: Deadline) -> str | None:
        """Read what the key may do ("API Key Permissions"): what is wrong with it, or None. Nothing is sent."""
        result = self._client.send(Request(method="GET", path="/v3/scopes", headers=self._headers), deadline)
        if not isinstance(result, Reply):
            return result.text
        scopes = http_answers.json_object(result).get("scopes")
        if result.status != 200 or not isinstance(scopes, list):  # noqa: PLR2004
            return f"the answer to a look at the key's scopes was {result.status}"
        if _MAY_SEND not in scopes:
            return f"the API key lacks the scope {_MAY_SEND}"
        return _wrong_key(self._config.verification_key)

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()

    def _outcome(self, reply: Reply, outgoing: Outgoing) -> Outcome:
        reference = http_answers.reference_of(reply.headers.get("x-message-id"))
        if reply.status == _QUEUED:
            return Accepted(reference, Answer(str(_QUEUED)))
        if reply.status == _CHECKED and self._config.sandbox:
            return Accepted(reference, Answer(str(_CHECKED), "sandbox: checked, sent to nobody"))
        errors = _errors(reply)
        code, row = judged(reply.status, [str(error.get("field") or "") for error in errors])
        words = "; ".join(str(error["message"]) for error in errors if error.get("message"))
        recipient = cast("EmailAddress", outgoing.recipient)
        answer = http_answers.answer_of(
            code,
            words or http_answers.unreadable(reply),
            recipient=recipient.address,
            content=outgoing.content,
            secrets=(self._config.key, recipient.name or ""),
        )
        wait = retry_after(reply.headers, datetime.now(UTC))
        if wait is None and reply.status == THROTTLED:
            wait = until_reset(reply.headers, time.time())
        if row is not None:
            return outcome_of(row, answer, attempt=outgoing.attempt, not_before=wait)
        return outcome_of_status(reply.status, answer, wait)


def _wrong_key(text: str | None) -> str | None:
    """What is wrong with the key that receipts are believed by; a form like a key's is all that Settings look for."""
    if text is None:
        return None
    # Workers read no receipts, and need no curves.
    from notifier.providers.sendgrid_receipts import public_key

    try:
        public_key(text)
    except SetupError as wrong:
        return str(wrong)
    return None


def _errors(reply: Reply) -> list[dict[str, Any]]:
    """One object for each error; none where the answer is in another form."""
    found = http_answers.json_object(reply).get("errors")
    if not isinstance(found, list):
        return []
    return [error for error in found[:_MAX_ERRORS] if isinstance(error, dict)]
