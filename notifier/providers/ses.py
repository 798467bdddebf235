"""E-mail over Amazon SES: API v2, "SendEmail", POST /v2/email/outbound-emails with the whole message in MIME.

SES has no idempotency key and puts its own Message-ID over ours, so a request without an answer is `Uncertain`; our
id goes along as an e-mail tag, which SES's events show.
"""

import json
import re
from base64 import b64encode
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

from notifier.domain.errors import RenderError
from notifier.domain.ids import notification_id
from notifier.domain.lanes import Channel
from notifier.domain.lifecycle import Reason
from notifier.domain.notification import Outgoing
from notifier.domain.outcomes import Accepted, Answer, Outcome, Refused
from notifier.domain.recipients import EmailAddress
from notifier.providers import http_answers
from notifier.providers.answer_tables import outcome_of
from notifier.providers.aws_client import AwsClient, error_code
from notifier.providers.aws_sigv4 import AwsKey, Scope
from notifier.providers.base import Deadline, ProviderDefaults
from notifier.providers.http_client import Endpoint, Reply
from notifier.providers.http_outcomes import outcome_of_status, retry_after, unanswered
from notifier.providers.http_setup import endpoint_of
from notifier.providers.mime import Email, build_message
from notifier.providers.schemes import ProviderUrl
from notifier.providers.senders import Sender, parse_sender
from notifier.providers.ses_codes import row_of

_SEND, _ACCOUNT = "/v2/email/outbound-emails", "/v2/email/account"
#: The tag that holds our id.
TAG = "notification"
#: Base64 of a message, or a signature, repeated to us.
_BLOB = re.compile(r"[A-Za-z0-9+/=_-]{60,}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SesConfig:
    """What a URL with the scheme ``ses`` said."""

    endpoint: Endpoint
    region: str
    key: AwsKey = field(repr=False)
    sender: Sender
    configuration_set: str | None = None


def build(url: ProviderUrl, _channel: Channel, defaults: ProviderDefaults) -> "Ses":
    """The provider that `url` describes; its channel is always e-mail."""
    said = cast("dict[str, Any]", url.options)
    return Ses(
        SesConfig(
            endpoint=endpoint_of(url, defaults, host=None if "region" in said else host_of(url.host)),
            region=said.get("region") or url.host,
            key=AwsKey(url.user or "", url.password or "", said.get("session_token") or ""),
            sender=said.get("from") or parse_sender(defaults.email_from),
            configuration_set=said.get("configuration_set"),
        )
    )


def host_of(region: str) -> str:
    """The endpoint of SES in a region (AWS General Reference, "Amazon SES endpoints and quotas")."""
    return f"email.{region}.amazonaws.com{'.cn' if region.startswith('cn-') else ''}"


class Ses:
    """A `Provider`; see `notifier.providers.base` for what it promises."""

    def __init__(self, config: SesConfig) -> None:
        self._config = config
        self._client = AwsClient(config.endpoint, config.key, Scope(config.region, "ses"))
        self._secrets = tuple(filter(None, (config.key.id, config.key.secret, config.key.token)))

    def send(self, outgoing: Outgoing, deadline: Deadline) -> Outcome:
        """One attempt."""
        try:
            check_headers(outgoing)
            email = build_message(outgoing, self._config.sender)
        except RenderError as wrong:
            return Refused(Reason.RENDER_ERROR, Answer(text=str(wrong)))
        if email.needs_utf8:
            return Refused(Reason.PROVIDER_REJECTED, Answer(text="SES takes no address that needs SMTPUTF8"))
        result = self._client.send("POST", _SEND, body_of(email, outgoing, self._config), deadline)
        if not isinstance(result, Reply):
            return unanswered(result)
        return self._outcome(result, outgoing)

    def try_out(self, deadline: Deadline) -> str | None:
        """Read the account ("GetAccount"): what is wrong with it, or None. Nothing is sent."""
        result = self._client.send("GET", _ACCOUNT, b"", deadline)
        if not isinstance(result, Reply):
            return result.text
        if result.status == 200:  # noqa: PLR2004
            return wrong_with(http_answers.json_object(result))
        return f"the answer to a look at the account was {result.status} {error_code(result) or ''}".rstrip()

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()

    def _outcome(self, reply: Reply, outgoing: Outgoing) -> Outcome:
        said = http_answers.json_object(reply)
        reference = http_answers.reference_of(said.get("MessageId"))
        if reply.status == 200 and reference:  # noqa: PLR2004
            return Accepted(reference, Answer("200"))
        code = error_code(reply)
        words = said.get("message") or said.get("Message") or http_answers.unreadable(reply)
        words = words if isinstance(words, str) else ""
        answer = http_answers.answer_of(
            code or str(reply.status),
            _BLOB.sub("<data>", words),
            recipient=cast("EmailAddress", outgoing.recipient).address,
            content=outgoing.content,
            secrets=self._secrets,
        )
        wait = retry_after(reply.headers, datetime.now(UTC))
        row = row_of(code or "", words)
        if row is not None:
            return outcome_of(row, answer, attempt=outgoing.attempt, not_before=wait)
        return outcome_of_status(reply.status, answer, wait)


def body_of(email: Email, outgoing: Outgoing, config: SesConfig) -> bytes:
    """The request's JSON. The envelope is named, so that no header can add a recipient."""
    asked: dict[str, Any] = {
        "FromEmailAddress": email.sender,
        "Destination": {"ToAddresses": [email.recipient]},
        "EmailTags": [{"Name": TAG, "Value": notification_id(outgoing.id)}],
    }
    if config.configuration_set:
        asked["ConfigurationSetName"] = config.configuration_set
    # The rest by hand: a message with files is large, and base64 has nothing to escape.
    head = json.dumps(asked).removesuffix("}").encode("ascii")
    return b"".join([head, b', "Content": {"Raw": {"Data": "', b64encode(email.data), b'"}}}'])


def check_headers(outgoing: Outgoing) -> None:
    """Raises `RenderError` for a header of a caller's that would steer our account ("Amazon SES header fields")."""
    headers = (outgoing.options.get("email") or {}).get("headers") or {}
    if any(name.lower().startswith("x-ses-") for name in headers):
        raise RenderError("a custom header has a name that is not allowed: X-SES-… belongs to the account")


def wrong_with(account: dict[str, Any]) -> str | None:
    """Why an account, as GetAccount shows it, can't send to everybody; None for one that can."""
    if "SendingEnabled" not in account:
        return "the answer to a look at the account was none of SES's"
    if account.get("EnforcementStatus") == "SHUTDOWN":
        return "SES has shut down sending for the account"
    if account.get("SendingEnabled") is not True:
        return "sending is off for the account"
    if account.get("ProductionAccessEnabled") is not True:
        return "the account is in the sandbox: it sends to verified addresses only"
    return None
