"""What Apprise's plugins speak HTTP through: our own client, so that a call keeps its deadline and tells what became of it.

A plugin uses `requests` and answers True or False. `requests` bounds single socket calls only, follows redirects and
heeds the environment's proxies; so in the plugins' modules, and nowhere else, its name stands for `FACADE`. Nothing
leaves outside of a call (`calling`), and what each request became stays with the call.
"""

import io
import sys
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, NoReturn, cast
from urllib.parse import urlsplit

import requests
from requests.structures import CaseInsensitiveDict

from notifier.providers.base import Deadline
from notifier.providers.http_client import Endpoint, HttpClient, NoAnswer, NotSent, Reply, Request, Result

_PACKAGE = "apprise."
_PORTS = {"https": 443, "http": 80}
#: Connections that a thread keeps: a destination leads to one host, with another to log in at.
_KEPT = 4
_lock = threading.Lock()


class Line:
    """The connections of one thread's plugin. Times in seconds."""

    def __init__(self, *, ca_file: str | None, connect_timeout: float, idle_seconds: float) -> None:
        self._usual = {"ca_file": ca_file, "connect_timeout": connect_timeout, "idle_seconds": idle_seconds}
        self._clients: OrderedDict[Endpoint, HttpClient] = OrderedDict()

    def client(self, host: str, port: int, *, plain: bool) -> HttpClient:
        """The connection to this host, kept if there is one."""
        endpoint = Endpoint(host=host, port=port, plain=plain, **cast("dict[str, Any]", self._usual))
        client = self._clients.pop(endpoint, None) or HttpClient(endpoint)
        self._clients[endpoint] = client
        if len(self._clients) > _KEPT:
            _, oldest = self._clients.popitem(last=False)
            oldest.close()
        return client

    def close(self) -> None:
        """Let go of the connections."""
        for client in self._clients.values():
            client.close()
        self._clients.clear()


@dataclass(slots=True, repr=False)
class Call:
    """One call: what its requests became, in order, and what in them is not to be repeated."""

    line: Line
    deadline: Deadline
    became: list[Result] = field(default_factory=list)
    secrets: set[str] = field(default_factory=set)


_under_way: ContextVar[Call | None] = ContextVar("apprise_call", default=None)


@contextmanager
def calling(line: Line, deadline: Deadline) -> Iterator[Call]:
    """Within it, and in this thread alone, plugins may speak."""
    call = Call(line, deadline)
    token = _under_way.set(call)
    try:
        yield call
    finally:
        _under_way.reset(token)


def take_over() -> None:
    """Have `FACADE` stand for `requests` in every module of Apprise that has been loaded by now."""
    with _lock:
        for module in _modules(_PACKAGE):
            if vars(module).get("requests") is requests:
                vars(module)["requests"] = FACADE


def speaks_http_only(plugin: object) -> bool:
    """Whether the plugin's own modules speak through `FACADE`, and none of them opens a socket or a program itself."""
    home = type(plugin).__module__
    package = home.rpartition(".")[0]
    own = [sys.modules[home]]
    if package != "apprise.plugins":
        own += _modules(f"{package}.")
    names = [vars(module) for module in own]
    speaks = any(found.get("requests") is FACADE for found in names)
    return speaks and not any(one in found for found in names for one in _OTHERWISE)


#: What speaks past our client.
_OTHERWISE = ("socket", "smtplib", "subprocess", "asyncio", "HTTPPolicy")


def _modules(prefix: str) -> list[ModuleType]:
    return [module for name, module in sorted(sys.modules.items()) if name.startswith(prefix)]


def _request(method: str, url: str, **given: Any) -> requests.Response:
    """As `requests.request`; the timeout, redirects, proxies and `verify` are ours."""
    call = _under_way.get()
    if call is None:
        raise requests.ConnectionError("no call is under way")
    wanted = ("params", "data", "headers", "cookies", "files", "auth", "json")
    with requests.Session() as session:
        session.trust_env = False
        session.headers.clear()
        verb = method.upper()
        made = requests.Request(verb, url, **{name: given[name] for name in wanted if name in given})
        prepared = session.prepare_request(made)
    parts = urlsplit(str(prepared.url))
    port = parts.port or _PORTS.get(parts.scheme)
    if not parts.hostname or port is None:
        raise requests.exceptions.InvalidSchema("neither http nor https")
    headers = _headers(prepared)
    call.secrets |= {prepared.path_url, *prepared.path_url.split("/"), *headers.values(), *_words(headers)}
    client = call.line.client(parts.hostname, port, plain=parts.scheme == "http")
    sent = Request(method=verb, path=prepared.path_url, headers=headers, body=_body(prepared.body))
    result = client.send(sent, call.deadline)
    call.became.append(result)
    return _response(result, prepared)


def _headers(prepared: requests.PreparedRequest) -> dict[str, str]:
    headers = {str(name): str(value) for name, value in prepared.headers.items()}
    headers["Accept-Encoding"] = "identity"
    if not "".join((prepared.method or "", prepared.path_url, *headers, *headers.values())).isascii():
        raise requests.exceptions.InvalidHeader("not ASCII")
    return headers


def _words(headers: dict[str, str]) -> list[str]:
    return [word for value in headers.values() for word in value.split()]


def _body(body: Any) -> bytes:
    if body is None:
        return b""
    if isinstance(body, str):
        return body.encode()
    return body if isinstance(body, bytes) else b"".join(body)


def _response(result: Result, prepared: requests.PreparedRequest) -> requests.Response:
    if isinstance(result, NotSent):
        raise requests.ConnectionError(result.text)
    if isinstance(result, NoAnswer):
        raise requests.ReadTimeout(result.text)
    return _shaped(result, prepared)


def _shaped(reply: Reply, prepared: requests.PreparedRequest) -> requests.Response:
    response = requests.Response()
    response.status_code = reply.status
    response.headers = CaseInsensitiveDict(reply.headers)
    response.encoding = requests.utils.get_encoding_from_headers(response.headers) or "utf-8"
    response.url, response.request = str(prepared.url), prepared
    response._content, response._content_consumed = reply.body, True  # noqa: SLF001 - as its adapters do
    response.raw = io.BytesIO(reply.body)
    return response


class _Facade(ModuleType):
    """`requests`, but for what opens a connection."""

    def __getattr__(self, name: str) -> Any:
        return getattr(requests, name)

    def request(self, method: str, url: str, **given: Any) -> requests.Response:
        return _request(method, url, **given)

    def get(self, url: str, params: Any = None, **given: Any) -> requests.Response:
        return _request("GET", url, params=params, **given)

    def post(self, url: str, data: Any = None, json: Any = None, **given: Any) -> requests.Response:
        return _request("POST", url, data=data, json=json, **given)

    def put(self, url: str, data: Any = None, **given: Any) -> requests.Response:
        return _request("PUT", url, data=data, **given)

    def patch(self, url: str, data: Any = None, **given: Any) -> requests.Response:
        return _request("PATCH", url, data=data, **given)

    def delete(self, url: str, **given: Any) -> requests.Response:
        return _request("DELETE", url, **given)

    def head(self, url: str, **given: Any) -> requests.Response:
        return _request("HEAD", url, **given)

    def Session(self) -> NoReturn:  # noqa: N802 - as it is called there
        raise requests.ConnectionError("sessions are not spoken through")

    session = Session


FACADE = _Facade("requests")
