"""A chat message over Apprise, which knows some 130 services that are spoken to over HTTP.

Apprise says only whether a message was taken. What became of its requests our own client knows, and that decides
where it says no (`apprise_http`); Apprise's own retries, waits and log are off, for ours are around it.
"""

import logging
import re
import threading
import warnings
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast
from urllib.parse import unquote

import apprise
from apprise.common import NotifyFormat, PersistentStoreMode

from notifier.domain.ids import notification_id
from notifier.domain.lanes import Channel
from notifier.domain.lifecycle import Reason
from notifier.domain.notification import Outgoing
from notifier.domain.outcomes import Accepted, Answer, Deferred, Outcome, Refused, Uncertain
from notifier.providers import http_answers
from notifier.providers.apprise_http import Call, Line, calling, speaks_http_only, take_over
from notifier.providers.base import Deadline, ProviderDefaults, SetupError
from notifier.providers.chat import format_of, words_of
from notifier.providers.http_client import NoAnswer, NotSent, Reply
from notifier.providers.http_outcomes import outcome_of_status, retry_after, unanswered
from notifier.providers.schemes import ProviderUrl
from notifier.providers.secret_files import text_of

# It logs URLs, and with them tokens.
logging.getLogger("apprise").disabled = True

_FORMATS = {"plain": NotifyFormat.TEXT, "markdown": NotifyFormat.MARKDOWN}
#: Apprise fills its tables of plugins when it is first asked.
_lock = threading.Lock()


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class AppriseConfig:
    """What a URL with the scheme ``apprise`` said; `url` is the service's own, a secret."""

    url: str
    line: Line


def build(url: ProviderUrl, _channel: Channel, defaults: ProviderDefaults) -> "Apprise":
    """The provider that `url` describes; raises `SetupError` for a service that Apprise does not know."""
    said = cast("dict[str, Any]", url.options)
    line = Line(
        ca_file=said.get("ca_file"),
        connect_timeout=defaults.connect_timeout,
        idle_seconds=said.get("idle_seconds", 20.0),
    )
    return Apprise(AppriseConfig(url=text_of(said, "url"), line=line))


class Apprise:
    """A `Provider`; see `notifier.providers.base` for what it promises."""

    def __init__(self, config: AppriseConfig) -> None:
        self._line = config.line
        self._plugin = _plugin(config.url)
        self._secrets = _pieces(config.url)

    def send(self, outgoing: Outgoing, deadline: Deadline) -> Outcome:
        """One attempt."""
        if deadline.passed:
            return Deferred(Reason.PROVIDER_TIMEOUT)
        said = {
            "title": outgoing.content.title or "",
            "body": outgoing.content.text or "",
            "body_format": _FORMATS[format_of(outgoing)],
        }
        with calling(self._line, deadline) as call:
            try:
                taken, failed = self._plugin.notify(**said) is True, ""
            except Exception as error:  # noqa: BLE001 - a plugin's own; its text may hold the URL
                taken, failed = False, type(error).__name__
        if not call.became:
            return Refused(Reason.PROVIDER_REJECTED, Answer(text=f"Apprise asked nobody {failed}".strip()))
        if taken:
            return Accepted(notification_id(outgoing.id), Answer(_code(call)))
        return self._outcome(call, outgoing)

    def close(self) -> None:
        """Let go of the connections."""
        self._line.close()

    def _outcome(self, call: Call, outgoing: Outgoing) -> Outcome:
        """What became of a message that Apprise did not see taken."""
        *before, last = call.became
        if any(isinstance(one, NoAnswer) or _good(one) for one in before):
            # Of several requests one may have brought it, or a part of it.
            return Uncertain(answer=Answer(_code(call), "some of its requests went well, and not the last"))
        if isinstance(last, NotSent | NoAnswer):
            return unanswered(last)
        answer = http_answers.answer_of(
            str(last.status),
            words_of(last),
            recipient="",
            content=outgoing.content,
            secrets=(*self._secrets, *call.secrets),
        )
        # A success that Apprise reads a refusal in is none of a status: nobody knows (`outcome_of_status`).
        return outcome_of_status(last.status, answer, retry_after(last.headers, datetime.now(UTC)))


def _plugin(url: str) -> Any:
    """The service's plugin, for one thread, without anything that would wait, try again or write to a disk."""
    asset = apprise.AppriseAsset(
        app_id="notifier",
        async_mode=False,
        http_redirects=False,
        interpret_emojis=False,
        pem_autogen=False,
        pgp_autogen=False,
        secure_logging=True,
        storage_mode=PersistentStoreMode.MEMORY,
    )
    with _lock, warnings.catch_warnings():
        # Its plugins look for libraries that they could use, some of them old.
        warnings.simplefilter("ignore")
        plugin: Any = apprise.Apprise.instantiate(url, asset=asset)
    if plugin is None:
        raise SetupError("the option url is none that Apprise knows, or a part of it is missing")
    take_over()
    if not speaks_http_only(plugin):
        raise SetupError(
            "the option url is of a service that is not spoken to over HTTP alone: it is not supported"
        )
    plugin.request_rate_per_sec = 0
    plugin.throttle = lambda *_, **__: None
    return plugin


#: Shorter pieces would blot out every second word of an answer.
_PIECE = re.compile(r"[^/?#&=@:,;]{4,}")


def _pieces(url: str) -> tuple[str, ...]:
    """The URL and whatever in it may be a token."""
    found = _PIECE.findall(url.partition("://")[2])
    return (url, *found, *map(unquote, found))


def _good(result: object) -> bool:
    return isinstance(result, Reply) and 200 <= result.status < 300  # noqa: PLR2004 - RFC 9110, 15.3


def _code(call: Call) -> str:
    last = call.became[-1]
    return str(last.status) if isinstance(last, Reply) else ""
