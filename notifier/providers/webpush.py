"""Push to browsers: RFC 8030 (the request), RFC 8291 (what is encrypted), RFC 8292 (who we are).

There is no idempotency key; the Topic has another attempt take the place of the one before while it waits at the
push service, so a request without an answer is still `Uncertain`.
"""

from collections import OrderedDict
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from notifier.domain.lanes import Channel
from notifier.domain.lifecycle import Reason
from notifier.domain.notification import Outgoing
from notifier.domain.outcomes import Accepted, Answer, Outcome, Refused
from notifier.domain.recipients import Platform
from notifier.providers import http_answers, webpush_request
from notifier.providers.answer_tables import outcome_of
from notifier.providers.base import Deadline, ProviderDefaults
from notifier.providers.http_client import Endpoint, HttpClient, Reply, Request
from notifier.providers.http_outcomes import outcome_of_status, retry_after, unanswered
from notifier.providers.http_setup import endpoint_of
from notifier.providers.public_addresses import WebTarget, target_of
from notifier.providers.push import token_of
from notifier.providers.schemes import ProviderUrl
from notifier.providers.shared import Shared
from notifier.providers.vapid import Signer, private_key
from notifier.providers.webpush_codes import CODES
from notifier.providers.webpush_hosts import is_allowed, patterns_of
from notifier.providers.wrong_tokens import Blame, TokenWatch

_SIGNERS: Shared[Signer] = Shared()
_WATCHES: Shared[TokenWatch] = Shared()
#: Connections that a thread keeps: there are a handful of push services.
_KEPT = 8
_TAKEN = frozenset({200, 201, 202})
_FORBIDDEN = 403
_SHORT = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class WebPushConfig:
    """What a URL with the scheme ``webpush`` said. An `endpoint` with a host is called for every subscription."""

    endpoint: Endpoint
    hosts: tuple[str, ...]
    private: bool
    signer: Signer
    watch: TokenWatch


def build(url: ProviderUrl, _channel: Channel, defaults: ProviderDefaults) -> "WebPush":
    """The provider that `url` describes; raises `SetupError` for a key that won't do."""
    said = cast("dict[str, Any]", url.options)
    path, subject = said["vapid_key"], said["subject"]
    key = private_key(path)
    signer = _SIGNERS.get((path, Path(path).stat().st_mtime_ns, subject), lambda: Signer(key, subject))
    return WebPush(
        WebPushConfig(
            endpoint=endpoint_of(url, defaults),
            hosts=patterns_of(said.get("hosts")),
            private=bool(said.get("dangerous_private", False)),
            signer=signer,
            watch=_WATCHES.get((url.name, path, url.host, url.port), TokenWatch),
        )
    )


class WebPush:
    """A `Provider`; see `notifier.providers.base` for what it promises."""

    def __init__(self, config: WebPushConfig) -> None:
        self._config = config
        self._clients: OrderedDict[Endpoint, HttpClient] = OrderedDict()

    def send(self, outgoing: Outgoing, deadline: Deadline) -> Outcome:
        """One attempt."""
        recipient = token_of(outgoing, Platform.WEBPUSH)
        if isinstance(recipient, Refused):
            return recipient
        subscription = recipient.subscription
        target = self._target(str(subscription["endpoint"]))
        if isinstance(target, Refused):
            return target
        plain = webpush_request.payload_of(outgoing)
        if len(plain) > webpush_request.MAX_PLAIN:
            text = f"{len(plain)} bytes are too long: an encrypted push message holds {webpush_request.MAX_PLAIN}"
            return Refused(Reason.CONTENT_REJECTED, Answer(text=text))
        authorization = self._config.signer.authorization(_origin(str(subscription["endpoint"])))
        request = Request(
            path=target.path,
            headers=webpush_request.headers_of(outgoing, authorization),
            body=webpush_request.encrypted(subscription, plain),
        )
        result = self._client(target).send(request, deadline)
        if not isinstance(result, Reply):
            return unanswered(result)
        return self._outcome(result, outgoing, (target.path, authorization))

    def close(self) -> None:
        """Let go of the connections."""
        for client in self._clients.values():
            client.close()
        self._clients.clear()

    def _target(self, endpoint: str) -> WebTarget | Refused:
        """Where the subscription leads, if we may go there; its address is judged when it is connected to."""
        try:
            any_port = (urlsplit(endpoint).port or 443,)
            target = target_of(endpoint, any_port if self._config.private else (443,))
        except ValueError as wrong:
            return Refused(Reason.PROVIDER_REJECTED, Answer(text=f"the endpoint {wrong}"))
        # The token can't name an IPv6 address, and no push service is called by one.
        if ":" in target.host or not (self._config.private or is_allowed(target.host, self._config.hosts)):
            return Refused(
                Reason.PROVIDER_REJECTED, Answer(text="the endpoint's host is none of the option hosts")
            )
        return target

    def _client(self, target: WebTarget) -> HttpClient:
        ours = self._config.endpoint
        endpoint = (
            ours
            if ours.host
            else replace(ours, host=target.host, port=target.port, public_only=not self._config.private)
        )
        client = self._clients.pop(endpoint, None) or HttpClient(endpoint)
        self._clients[endpoint] = client
        if len(self._clients) > _KEPT:
            _, oldest = self._clients.popitem(last=False)
            oldest.close()
        return client

    def _outcome(self, reply: Reply, outgoing: Outgoing, secrets: tuple[str, ...]) -> Outcome:
        if reply.status in _TAKEN:
            self._config.watch.good()
            return Accepted(_reference(reply, outgoing), Answer(str(reply.status)))
        answer = _answer(reply, outgoing, secrets)
        wait = retry_after(reply.headers, datetime.now(UTC))
        if reply.status == _FORBIDDEN and self._config.watch.wrong() is Blame.RECIPIENT:
            return Refused(Reason.PROVIDER_REJECTED, answer)
        row = CODES.get(str(reply.status))
        if row is not None:
            return outcome_of(row, answer, attempt=outgoing.attempt, not_before=wait)
        return outcome_of_status(reply.status, answer, wait)


def _origin(endpoint: str) -> str:
    """Whom the VAPID token is for (RFC 6454, 6.2): scheme, host, and the port unless it is 443."""
    parts = urlsplit(endpoint)
    port = "" if parts.port in {None, 443} else f":{parts.port}"
    return f"https://{parts.hostname}{port}"


def _reference(reply: Reply, outgoing: Outgoing) -> str:
    """The push service's id of the message; a long one is a key to it and not kept, the Topic is then."""
    last = reply.headers.get("location", "").rpartition("/")[2]
    found = http_answers.reference_of(last)
    return found if 0 < len(found) <= _SHORT else webpush_request.topic_of(outgoing)


def _answer(reply: Reply, outgoing: Outgoing, secrets: tuple[str, ...]) -> Answer:
    said = http_answers.json_object(reply)
    words = said.get("message") or said.get("reason") or http_answers.unreadable(reply)
    path, authorization = secrets
    tokens = authorization.replace(",", " ").replace("t=", "").replace("k=", "").split()[1:]
    return http_answers.answer_of(
        str(reply.status),
        words,
        recipient=path,
        content=outgoing.content,
        secrets=(path, path.rpartition("/")[2], authorization, *tokens),
    )
