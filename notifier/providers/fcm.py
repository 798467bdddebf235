"""Push over Firebase Cloud Messaging: HTTP v1, POST /v1/projects/{project}/messages:send.

FCM has no idempotency key for sending, so a request without an answer is `Uncertain`.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from notifier.domain.lanes import Channel
from notifier.domain.lifecycle import Reason
from notifier.domain.notification import Outgoing
from notifier.domain.outcomes import Accepted, Answer, Deferred, Outcome, Refused
from notifier.domain.recipients import Platform, PushToken
from notifier.providers import http_answers
from notifier.providers.answer_tables import outcome_of
from notifier.providers.base import Deadline, ProviderDefaults, SetupError
from notifier.providers.fcm_answers import FcmError, read_error
from notifier.providers.fcm_codes import CODES
from notifier.providers.fcm_message import message_of
from notifier.providers.google_tokens import TokenHolder, key_of
from notifier.providers.http_client import Endpoint, HttpClient, NoAnswer, NotSent, Reply, Request
from notifier.providers.http_outcomes import outcome_of_status, retry_after, unanswered
from notifier.providers.http_setup import endpoint_of
from notifier.providers.push import token_of
from notifier.providers.schemes import ProviderUrl
from notifier.providers.shared import Shared
from notifier.providers.wrong_tokens import TokenWatch

_HOLDERS: Shared[TokenHolder] = Shared()
_WATCHES: Shared[TokenWatch] = Shared()
_UNAUTHORIZED = 401


@dataclass(frozen=True, slots=True, kw_only=True)
class FcmConfig:
    """What a URL with the scheme ``fcm`` said; `holder` and `watch` are those of all threads."""

    endpoint: Endpoint
    project: str
    holder: TokenHolder
    watch: TokenWatch


def build(url: ProviderUrl, _channel: Channel, defaults: ProviderDefaults) -> "Fcm":
    """The provider that `url` describes; raises `SetupError` for a key file that won't do."""
    said = cast("dict[str, Any]", url.options)
    endpoint = endpoint_of(url, defaults)
    path = said["credentials"]
    key = key_of(path)
    project = said.get("project") or key.get("project_id")
    if not isinstance(project, str):
        raise SetupError("the option credentials: the key file names no project; say ?project=")
    changed = Path(path).stat().st_mtime_ns
    holder = _HOLDERS.get(
        (path, changed, endpoint.ca_file),
        lambda: TokenHolder(key, ca_file=endpoint.ca_file, connect_timeout=endpoint.connect_timeout),
    )
    watch = _WATCHES.get((url.name, url.host, url.port, project), TokenWatch)
    return Fcm(FcmConfig(endpoint=endpoint, project=project, holder=holder, watch=watch))


class Fcm:
    """A `Provider`; see `notifier.providers.base` for what it promises."""

    def __init__(self, config: FcmConfig) -> None:
        self._config = config
        self._client = HttpClient(config.endpoint)
        self._path = f"/v1/projects/{config.project}/messages:send"

    def send(self, outgoing: Outgoing, deadline: Deadline) -> Outcome:
        """One attempt."""
        recipient = token_of(outgoing, Platform.FCM)
        if isinstance(recipient, Refused):
            return recipient
        body = {"message": message_of(outgoing, recipient.token, datetime.now(UTC))}
        result, token = self._post(body, deadline)
        if isinstance(result, Deferred):
            return result
        if not isinstance(result, Reply):
            return unanswered(result)
        return self._outcome(result, outgoing, recipient, token)

    def try_out(self, deadline: Deadline) -> str | None:
        """Have FCM look at a message without sending it (``validate_only``): what is wrong, or None.

        The token is none: that it is refused for that shows that the account may send.
        """
        body = {"validate_only": True, "message": {"token": "notifier-doctor"}}
        result, _ = self._post(body, deadline)
        if isinstance(result, Deferred):
            return f"{result.reason}: {result.answer.text}"
        if not isinstance(result, Reply):
            return result.text
        if read_error(result).code in {"INVALID_ARGUMENT", "UNREGISTERED"} or result.status == 200:  # noqa: PLR2004
            return None
        return f"the answer to a message that was only to be looked at was {result.status} {read_error(result).code}"

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()

    def _post(
        self, body: dict[str, Any], deadline: Deadline
    ) -> tuple[Reply | NotSent | NoAnswer | Deferred, str]:
        """The answer and the access token it was asked with; a token that is refused is renewed, once."""
        content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        refused: str | None = None
        while True:
            token = self._config.holder.token(deadline, refused)
            if isinstance(token, Deferred):
                return token, ""
            headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json; charset=utf-8"}
            result = self._client.send(Request(path=self._path, headers=headers, body=content), deadline)
            stale = isinstance(result, Reply) and result.status == _UNAUTHORIZED and refused is None
            if not stale or read_error(cast("Reply", result)).code == "THIRD_PARTY_AUTH_ERROR":
                return result, token
            refused = token

    def _outcome(self, reply: Reply, outgoing: Outgoing, recipient: PushToken, token: str) -> Outcome:
        reference = http_answers.reference_of(http_answers.json_object(reply).get("name"))
        if reply.status == 200 and reference:  # noqa: PLR2004
            self._config.watch.good()
            return Accepted(reference.rpartition("/messages/")[2], Answer("200"))
        error = read_error(reply)
        answer = http_answers.answer_of(
            error.code or str(reply.status),
            error.message or http_answers.unreadable(reply),
            recipient=recipient.token,
            content=outgoing.content,
            secrets=(token,),
        )
        wait = retry_after(reply.headers, datetime.now(UTC))
        row = CODES.get(error.code)
        if row is None:
            return outcome_of_status(reply.status, answer, wait)
        if error.code == "SENDER_ID_MISMATCH":
            return self._config.watch.judge(answer)
        if error.names_token:
            return Refused(Reason.INVALID_RECIPIENT, answer)
        return _one_device(error, outcome_of(row, answer, attempt=outgoing.attempt, not_before=wait))


def _one_device(error: FcmError, outcome: Deferred | Refused) -> Deferred | Refused:
    """A quota of one device or topic slows nobody else."""
    if isinstance(outcome, Deferred) and error.of_one_device:
        return Deferred(outcome.reason, outcome.not_before, outcome.answer, one_connection=True)
    return outcome
