"""Push over the Apple Push Notification service: HTTP/2, POST /3/device/{token}.

Source: Apple, "Sending notification requests to APNs". The ``apns-id`` is ours, the same in every attempt; APNs does
not drop a second message for it, so a request without an answer is `Uncertain`. The device shows the later one only.
"""

import json
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from notifier.domain.lanes import Channel, Priority
from notifier.domain.lifecycle import Reason
from notifier.domain.notification import Outgoing
from notifier.domain.outcomes import Accepted, Answer, Deferred, Outcome, Refused
from notifier.domain.recipients import Platform, PushToken
from notifier.providers import http_answers
from notifier.providers.answer_tables import outcome_of
from notifier.providers.apns_codes import CODES
from notifier.providers.apns_tokens import ProviderTokens, signing_key
from notifier.providers.base import Deadline, ProviderDefaults
from notifier.providers.http2_client import Http2Client
from notifier.providers.http_outcomes import outcome_of_status, retry_after, unanswered
from notifier.providers.http_setup import endpoint_of
from notifier.providers.http_values import Endpoint, Reply, Request, Result
from notifier.providers.push import alert_of, data_of, fold_key, token_of
from notifier.providers.schemes import ProviderUrl
from notifier.providers.shared import Shared
from notifier.providers.wrong_tokens import Blame, TokenWatch

_HOSTS = {"production": "api.push.apple.com", "sandbox": "api.sandbox.push.apple.com"}
#: Seconds: Apple wants connections kept open, and takes many new ones for an attack.
_IDLE = 600.0
_TOKENS: Shared[ProviderTokens] = Shared()
_WATCHES: Shared[TokenWatch] = Shared()


@dataclass(frozen=True, slots=True, kw_only=True)
class ApnsConfig:
    """What a URL with the scheme ``apns`` said; `tokens` and `watch` are those of all threads."""

    endpoint: Endpoint
    topic: str
    tokens: ProviderTokens
    watch: TokenWatch


def build(url: ProviderUrl, _channel: Channel, defaults: ProviderDefaults) -> "Apns":
    """The provider that `url` describes; raises `SetupError` for a key that won't do."""
    said = cast("dict[str, Any]", url.options)
    team, key_id, path = url.user or "", said["key_id"], said["key"]
    key = signing_key(path)
    endpoint = replace(
        endpoint_of(url, defaults),
        host=url.host or _HOSTS[said.get("environment", "production")],
        idle_seconds=said.get("idle_seconds", _IDLE),
    )
    tokens = _TOKENS.get(
        (team, key_id, path, Path(path).stat().st_mtime_ns), lambda: ProviderTokens(team, key_id, key)
    )
    watch = _WATCHES.get((url.name, endpoint.host, endpoint.port, said["topic"]), TokenWatch)
    return Apns(ApnsConfig(endpoint=endpoint, topic=said["topic"], tokens=tokens, watch=watch))


class Apns:
    """A `Provider`; see `notifier.providers.base` for what it promises."""

    def __init__(self, config: ApnsConfig) -> None:
        self._config = config
        self._client = Http2Client(config.endpoint)

    def send(self, outgoing: Outgoing, deadline: Deadline) -> Outcome:
        """One attempt."""
        recipient = token_of(outgoing, Platform.APNS)
        if isinstance(recipient, Refused):
            return recipient
        headers = headers_of(outgoing, self._config.topic, time.time())
        body = payload_of(outgoing)
        result, token = self._post(f"/3/device/{recipient.token}", headers, body, deadline)
        if not isinstance(result, Reply):
            return unanswered(result)
        return self._outcome(result, outgoing, recipient, token)

    def try_out(self, deadline: Deadline) -> str | None:
        """Have APNs refuse a message to no device: what is wrong with the account, or None. Nothing is sent."""
        headers = {"apns-topic": self._config.topic, "apns-push-type": "alert"}
        result, _ = self._post(f"/3/device/{'0' * 64}", headers, b'{"aps":{}}', deadline)
        if not isinstance(result, Reply):
            return result.text
        reason = _reason(result)
        if reason in {"BadDeviceToken", "DeviceTokenNotForTopic", "Unregistered"}:
            return None
        return f"the answer to a message to no device was {result.status} {reason}"

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()

    def _post(
        self, path: str, headers: dict[str, str], body: bytes, deadline: Deadline
    ) -> tuple[Result, str]:
        """The answer and the provider token it was asked with; one that has expired is renewed, once."""
        token = self._config.tokens.token()
        while True:
            signed = {"authorization": f"bearer {token}", **headers}
            result = self._client.send(Request(path=path, headers=signed, body=body), deadline)
            if not isinstance(result, Reply) or _reason(result) != "ExpiredProviderToken":
                return result, token
            renewed = self._config.tokens.token(token)
            if renewed == token or deadline.passed:
                return result, token
            token = renewed

    def _outcome(self, reply: Reply, outgoing: Outgoing, recipient: PushToken, token: str) -> Outcome:
        reference = http_answers.reference_of(reply.headers.get("apns-id"))
        if reply.status == 200 and reference:  # noqa: PLR2004
            self._config.watch.good()
            return Accepted(reference, Answer("200"))
        reason = _reason(reply)
        answer = http_answers.answer_of(
            reason or str(reply.status),
            reason or http_answers.unreadable(reply),
            recipient=recipient.token,
            content=outgoing.content,
            secrets=(token,),
        )
        wait = retry_after(reply.headers, datetime.now(UTC))
        if reason == "BadDeviceToken":
            return self._config.watch.judge(answer)
        if reason == "DeviceTokenNotForTopic" and self._config.watch.wrong() is Blame.ACCOUNT:
            return Deferred(Reason.AUTH_FAILED, answer=answer)
        row = CODES.get(reason)
        if row is not None:
            return outcome_of(row, answer, attempt=outgoing.attempt, not_before=wait)
        return outcome_of_status(reply.status, answer, wait)


def headers_of(outgoing: Outgoing, topic: str, now: float) -> dict[str, str]:
    """APNs keeps a message until its expiration, in seconds since 1970."""
    return {
        "apns-id": str(outgoing.id),
        "apns-topic": topic,
        "apns-push-type": "alert",
        "apns-priority": "5" if outgoing.priority is Priority.LOW else "10",
        "apns-expiration": str(int(now + max(0.0, outgoing.seconds_left))),
        "apns-collapse-id": fold_key(outgoing),
        "content-type": "application/json",
    }


def payload_of(outgoing: Outgoing) -> bytes:
    """``{"aps": {"alert": {"title"?, "body"?}}, …data}`` in UTF-8."""
    payload = {**data_of(outgoing), "aps": {"alert": alert_of(outgoing)}}
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()


def _reason(reply: Reply) -> str:
    """APNs' own word for what is wrong; "" where there is none."""
    return http_answers.code_of(http_answers.json_object(reply).get("reason")) or ""
