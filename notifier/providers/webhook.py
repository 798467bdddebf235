"""A chat message as a signed POST to a URL of the operator's (the Standard Webhooks specification).

The ``webhook-id`` is the notification's in every attempt: a request without an answer is `Uncertain`, and a receiver
can tell its copy.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, cast
from urllib.parse import quote

from notifier.domain.ids import notification_id
from notifier.domain.lanes import Channel
from notifier.domain.notification import Outgoing
from notifier.domain.outcomes import Accepted, Answer, Outcome
from notifier.providers import http_answers
from notifier.providers.answer_tables import outcome_of
from notifier.providers.base import Deadline, ProviderDefaults, SetupError
from notifier.providers.chat import words_of
from notifier.providers.http_client import Endpoint, HttpClient, Reply, Request
from notifier.providers.http_outcomes import outcome_of_status, retry_after, unanswered
from notifier.providers.http_setup import endpoint_of
from notifier.providers.schemes import ProviderUrl
from notifier.providers.secret_files import text_of
from notifier.providers.webhook_codes import CODES
from notifier.providers.webhook_secrets import secrets_in
from notifier.providers.webhook_signing import body_of, headers_of

#: What may stand in a path and a query as it is (RFC 3986, 3.3 and 3.4).
_PATH, _QUERY = "/:@!$&'()*+,;=~", "/?:@!$&'()*+,;=~%"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class WebhookConfig:
    """What a URL with the scheme ``webhook+https`` said; its path may be a secret too."""

    endpoint: Endpoint
    path: str
    secrets: tuple[bytes, ...]


def build(url: ProviderUrl, _channel: Channel, defaults: ProviderDefaults) -> "Webhook":
    """The provider that `url` describes; raises `SetupError` for a secret that won't do."""
    said = cast("dict[str, Any]", url.options)
    try:
        secrets = secrets_in(text_of(said, "secret"))
    except ValueError as wrong:
        raise SetupError(f"the webhook's secret {wrong}") from None
    query = said["query"].text if "query" in said else ""
    anywhere = bool(said.get("dangerous_private") or said.get("dangerous_plain"))
    return Webhook(
        WebhookConfig(
            endpoint=replace(endpoint_of(url, defaults), public_only=not anywhere),
            path=quote(url.path or "/", _PATH) + (f"?{quote(query, _QUERY)}" if query else ""),
            secrets=secrets,
        )
    )


class Webhook:
    """A `Provider`; see `notifier.providers.base` for what it promises."""

    def __init__(self, config: WebhookConfig) -> None:
        self._config = config
        self._client = HttpClient(config.endpoint)

    def send(self, outgoing: Outgoing, deadline: Deadline) -> Outcome:
        """One attempt."""
        body = body_of(outgoing)
        headers = headers_of(outgoing, body, self._config.secrets, int(datetime.now(UTC).timestamp()))
        result = self._client.send(Request(path=self._config.path, headers=headers, body=body), deadline)
        if not isinstance(result, Reply):
            return unanswered(result)
        if 200 <= result.status < 300:  # noqa: PLR2004 - the specification's "success"
            return Accepted(notification_id(outgoing.id), Answer(str(result.status)))
        return self._refusal(result, outgoing, headers["webhook-signature"])

    def try_out(self, deadline: Deadline) -> str | None:
        """Connect, and no more: what is wrong, or None."""
        found = self._client.reach(deadline)
        return None if found is None else found.text

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()

    def _refusal(self, reply: Reply, outgoing: Outgoing, signature: str) -> Outcome:
        path, _, query = self._config.path.partition("?")
        answer = http_answers.answer_of(
            str(reply.status),
            words_of(reply),
            recipient="",
            content=outgoing.content,
            secrets=(signature, *signature.split(), query, path, *path.split("/"), *query.split("&")),
        )
        wait = retry_after(reply.headers, datetime.now(UTC))
        row = CODES.get(str(reply.status))
        if row is not None:
            return outcome_of(row, answer, attempt=outgoing.attempt, not_before=wait)
        return outcome_of_status(reply.status, answer, wait)
