"""A running service, asked over HTTP: the key goes to that address only, never along a redirect."""

import http.client
import ipaddress
import json
import socket
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, OpenerDirector, ProxyHandler, Request, build_opener

from notifier.cli.answers import Answer, NoAnswer
from notifier.domain.lanes import Channel, Lane
from notifier.domain.replays import OperationKind

_TIMEOUT = 10.0
_LONGEST = 16 * 1024 * 1024
#: A connection that never was: nothing can have been accepted over it.
_NEVER = (ConnectionRefusedError, socket.gaierror, ssl.SSLError)


class _StayHere(HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        """A redirect is an answer like any other, not an address to hand the key to."""


class RemoteDoor:
    """A `Door` at `url`, entered with an API key."""

    def __init__(self, url: str, key: str, *, timeout: float = _TIMEOUT) -> None:
        self._url = url
        self._headers = {"Authorization": f"Bearer {key}", "Accept": "application/json"}
        self._timeout = timeout
        self._opener = _opener(url)

    def send(self, body: bytes, *, idempotency_key: str | None, dry_run: bool) -> Answer:
        """See `Door`."""
        headers = {"Content-Type": "application/json"}
        if idempotency_key is not None:
            headers["Idempotency-Key"] = idempotency_key
        path = "/v1/notifications" + ("?dry_run=true" if dry_run else "")
        try:
            return self._ask(Request(self._url + path, body, headers | self._headers, method="POST"))  # noqa: S310 - http or https, checked
        except NoAnswer as error:
            if dry_run or isinstance(_cause(error), _NEVER):
                raise
            advice = "It may have been accepted; repeat it with the same --idempotency-key to be sure"
            raise NoAnswer(f"{error}. {advice}{'' if idempotency_key else ' (none was given)'}.") from error

    def show(self, notification: str) -> Answer:
        """See `Door`."""
        return self._ask(Request(f"{self._url}/v1/notifications/{notification}", headers=self._headers))  # noqa: S310

    def notifications(self, query: Mapping[str, str]) -> Answer:
        """See `Door`."""
        path = f"/v1/notifications?{urlencode(query)}"
        return self._ask(Request(self._url + path, headers=self._headers))  # noqa: S310

    def lanes(self) -> Answer:
        """See `Door`."""
        return self._ask(Request(f"{self._url}/v1/lanes", headers=self._headers))  # noqa: S310

    def set_paused(self, lane: Lane, paused: bool) -> Answer:
        """See `Door`."""
        path = f"/v1/lanes/{lane.channel}/{lane.priority}/{'pause' if paused else 'resume'}"
        return self._ask(Request(self._url + path, headers=self._headers, method="POST"))  # noqa: S310

    def providers(self) -> Answer:
        """See `Door`."""
        return self._ask(Request(f"{self._url}/v1/providers", headers=self._headers))  # noqa: S310

    def operator_events(self, query: Mapping[str, str]) -> Answer:
        """See `Door`."""
        path = f"/v1/operator-events?{urlencode(query)}"
        return self._ask(Request(self._url + path, headers=self._headers))  # noqa: S310

    def set_disabled(self, name: str, channel: Channel | None, disabled: bool) -> Answer:
        """See `Door`."""
        query = f"?channel={channel}" if channel else ""
        path = f"/v1/providers/{quote(name, safe='')}/{'disable' if disabled else 'enable'}{query}"
        return self._ask(Request(self._url + path, headers=self._headers, method="POST"))  # noqa: S310

    def failures(self, query: Mapping[str, str]) -> Answer:
        """See `Door`."""
        return self._ask(Request(f"{self._url}/v1/failures?{urlencode(query)}", headers=self._headers))  # noqa: S310

    def failure_summary(self, query: Mapping[str, str]) -> Answer:
        """See `Door`."""
        path = f"/v1/failures/summary?{urlencode(query)}"
        return self._ask(Request(self._url + path, headers=self._headers))  # noqa: S310

    def work_on_failures(self, kind: OperationKind, body: bytes) -> Answer:
        """See `Door`."""
        headers = {"Content-Type": "application/json"} | self._headers
        try:
            return self._ask(Request(f"{self._url}/v1/failures/{kind}", body, headers, method="POST"))  # noqa: S310
        except NoAnswer as error:
            if isinstance(_cause(error), _NEVER):
                raise
            seen = "notifier failures list --state all"
            raise NoAnswer(f"{error}. It may have begun: `{seen}` shows what was taken.") from error

    def operation(self, name: str) -> Answer:
        """See `Door`."""
        return self._ask(Request(f"{self._url}/v1/operations/{name}", headers=self._headers))  # noqa: S310

    def stop_operation(self, name: str) -> Answer:
        """See `Door`."""
        path = f"/v1/operations/{name}/cancel"
        return self._ask(Request(self._url + path, headers=self._headers, method="POST"))  # noqa: S310

    def close(self) -> None:
        """Nothing is kept open."""

    def _ask(self, request: Request) -> Answer:
        try:
            try:
                with self._opener.open(request, timeout=self._timeout) as answer:
                    return self._read(answer.status, answer.headers, answer.read(_LONGEST))
            except HTTPError as refused:
                with refused:
                    return self._read(refused.code, refused.headers, refused.read(_LONGEST))
        except (OSError, http.client.HTTPException) as error:
            raise NoAnswer(f"NOTIFIER_URL: no answer from {self._url}: {_reason(error)}") from error

    def _read(self, status: int, headers: Any, body: bytes) -> Answer:
        try:
            document = json.loads(body)
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise NoAnswer(
                f"NOTIFIER_URL: {self._url} answered {status}, but not as notifier does: is it the right address?"
            )
        replayed = headers.get("Idempotency-Replayed") == "true"
        wait = headers.get("Retry-After")
        notes = ["This Idempotency-Key was used before: this is its first answer."] if replayed else []
        notes += [f"Try again in {wait} s."] if wait and wait.isdecimal() else []
        return Answer(status, document, tuple(notes))


def is_this_machine(url: str) -> bool:
    """Whether it leads to this machine itself, where no proxy is asked."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _opener(url: str) -> OpenerDirector:
    """A proxy of the environment is used as ever, but not for this machine itself."""
    return build_opener(_StayHere(), *([ProxyHandler({})] if is_this_machine(url) else []))


def _cause(error: NoAnswer) -> object:
    cause = error.__cause__
    return cause.reason if isinstance(cause, URLError) else cause


def _reason(error: Exception) -> str:
    cause = error.reason if isinstance(error, URLError) else error
    if isinstance(cause, TimeoutError):
        return "it took too long"
    if isinstance(cause, OSError):
        return cause.strerror or str(cause) or type(cause).__name__
    return type(cause).__name__
