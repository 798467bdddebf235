"""The words that the tables of bad input are written in, and what holds for every one of their answers."""

import asyncio
import contextlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
import structlog

from notifier.domain.keys import key_hash, key_id_of
from notifier.domain.lifecycle import Mode
from notifier.http.answer_types import Problem
from notifier.storage import api_keys

#: Stands in every value of the usual requests: it must show up neither in a log nor in an answer.
CANARY = "canary7f3a"
#: A key of every scope, and one that may only read; fixed, so that a case is nothing but bytes.
KEY = "nk_live_catalog1_" + "K" * 43
READER = "nk_live_catalog2_" + "R" * 43

SEND, BATCH, SEARCH = "/v1/notifications", "/v1/notifications/batch", "/v1/notifications/search"

_HEAD_END = b"\r\n\r\n"
#: What only our own insides would say.
_INSIDE = re.compile(
    rb"Traceback|File \"|\.py\b|sqlite|psycopg|sqlalchemy|SELECT |INSERT |aiohttp|Python/|msgspec",
    re.IGNORECASE,
)
#: The shortest text that is looked for in logs: shorter ones stand in our own words by chance.
_TELLING = 9
#: Words of the interface, which a log may say.
_WORDS = frozenset({"not_found", "idempotency", "send_request", "medium", "webpush"})


@dataclass(frozen=True, slots=True)
class Case:
    """One entry of a table: what is sent, byte for byte, and what must come back."""

    name: str
    sent: bytes
    status: int = 422
    code: str = "invalid_request"
    #: Every wrong field by its pointer, with its code; nothing else may be named.
    wrong: Mapping[str, str] = field(default_factory=dict)
    #: Headers of the answer.
    headers: Mapping[str, str] = field(default_factory=dict)
    #: The start of the detail, where it matters.
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer as it came."""

    status: int
    headers: dict[str, str]
    body: bytes
    raw: bytes = b""

    def json(self) -> Any:
        return json.loads(self.body)


def email(**changes: Any) -> dict[str, Any]:
    """A good e-mail with these changes; a value of ... leaves the field out."""
    made = {
        "channel": "email",
        "priority": "high",
        "to": {"email": f"{CANARY}@example.com"},
        "content": {"subject": f"{CANARY} code", "text": f"{CANARY} 123456"},
    }
    return {name: value for name, value in (made | changes).items() if value is not ...}


def sms(**changes: Any) -> dict[str, Any]:
    """A good text message with these changes."""
    return {"channel": "sms", "to": {"phone": "+14155552671"}, "content": {"text": CANARY}} | changes


def push(**changes: Any) -> dict[str, Any]:
    """A good push message with these changes."""
    to = {"push_token": "a" * 64, "platform": "apns"}
    return {"channel": "push", "to": to, "content": {"text": CANARY}} | changes


def raw(line: str | bytes, *headers: str | bytes, body: bytes = b"", host: bool = True) -> bytes:
    """A request of these lines, as they are, and of a body that nobody counted."""
    lines = [line, *(["Host: x"] if host else []), *headers]
    return b"\r\n".join(_bytes(one) for one in lines) + _HEAD_END + body


def request(
    method: str, path: str, body: bytes | None = None, *headers: str | bytes, key: str | None = KEY
) -> bytes:
    """A well-formed request with a key; the connection ends with the answer."""
    more = [f"Authorization: Bearer {key}"] if key is not None else []
    if body is not None:
        more.append(f"Content-Length: {len(body)}")
        if not any(_bytes(header).lower().startswith(b"content-type:") for header in headers):
            more.append("Content-Type: application/json")
    return raw(f"{method} {path} HTTP/1.1", "Connection: close", *more, *headers, body=body or b"")


def get(path: str, *headers: str | bytes, key: str | None = KEY) -> bytes:
    """A GET."""
    return request("GET", path, None, *headers, key=key)


def post(
    body: Any, path: str = SEND, *headers: str | bytes, key: str | None = KEY, ascii_only: bool = False
) -> bytes:
    """A POST of this value as JSON; of bytes as they are."""
    if not isinstance(body, bytes):
        body = json.dumps(body, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    return request("POST", path, body, *headers, key=key)


def chunked(body: bytes, *headers: str | bytes) -> bytes:
    """A POST in pieces as they are given: sizes, line ends and all."""
    lines = (f"Authorization: Bearer {KEY}", "Content-Type: application/json", "Transfer-Encoding: chunked")
    return raw(f"POST {SEND} HTTP/1.1", "Connection: close", *lines, *headers, body=body)


def piece(body: bytes, more: bytes = b"") -> bytes:
    """One chunk, with an extension behind its size."""
    return b"%x%b\r\n%b\r\n" % (len(body), more, body)


def add_keys(engine: Any) -> None:
    """Keep the two keys of the tables."""
    for text, scopes in ((KEY, ("admin",)), (READER, ("read",))):
        api_keys.add(
            engine,
            key_id=key_id_of(text),
            key_hash=key_hash(text),
            name="catalogue",
            tenant="acme",
            mode=Mode.LIVE,
            scopes=scopes,
        )


async def talk(port: int, sent: bytes) -> bytes:
    """What comes back until the door closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        # A door that refuses a large body by its head alone does not read it to its end.
        with contextlib.suppress(ConnectionError):
            writer.write(sent)
            await writer.drain()
        async with asyncio.timeout(120):
            return await reader.read()
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


def parts(came: bytes) -> Answer:
    """The last answer in what came."""
    start = max(came.rfind(b"HTTP/1.1 "), came.rfind(b"HTTP/1.0 "))
    assert start >= 0, came[:100]
    head, _, body = came[start:].partition(_HEAD_END)
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return Answer(int(first.split()[1]), headers, body, came)


async def check(door: Any, case: Case) -> Answer:
    """The case's answer, once it is what the case says and what holds for all of them."""
    before = door.rows()
    with structlog.testing.capture_logs() as logs:
        answer = parts(await talk(door.port, case.sent))
    assert answer.status == case.status, answer.raw[:600]
    assert {name: answer.headers.get(name.lower()) for name in case.headers} == dict(case.headers)
    _check_silence(case, answer, logs)
    if case.status < 400:
        assert door.rows() - before == (1 if case.status == 202 else 0)
        return answer
    assert door.rows() == before, "something was kept"
    _check_problem(case, answer)
    return answer


def _check_problem(case: Case, answer: Answer) -> None:
    """RFC 9457, of exactly our form, with the case's code and wrong fields."""
    assert answer.headers["content-type"].startswith("application/problem+json")
    problem = msgspec.json.decode(answer.body, type=Problem)
    assert (problem.status, problem.code) == (case.status, case.code), answer.body
    assert problem.request_id == answer.headers["x-request-id"]
    assert {error.pointer: error.code for error in problem.errors} == dict(case.wrong)
    assert all(error.detail and error.pointer[:1] in {"", "/", "?"} for error in problem.errors)
    assert problem.detail.startswith(case.detail)
    if case.status == 401:
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert not problem.detail


def _check_silence(case: Case, answer: Answer, logs: list[Any]) -> None:
    """Nothing of what was sent is repeated, in the answer or in a log; nothing of our insides is told."""
    assert answer.status < 500
    assert "server" not in answer.headers
    assert not _INSIDE.search(answer.raw)
    told = str(logs)
    assert not [line for line in logs if line["log_level"] in {"error", "critical"}], told
    assert CANARY not in told
    assert KEY not in told
    assert CANARY.encode() not in answer.raw
    for value in _values(case.sent):
        assert value not in told
        assert answer.status < 400 or len(value) <= 64 or value.encode() not in answer.raw


def _values(sent: bytes) -> list[str]:
    """Every telling text among the values of a JSON body; of another body none: the canary stands there."""
    try:
        body = json.loads(sent.partition(_HEAD_END)[2])
    except (ValueError, RecursionError):
        return []
    found, left = [], [body]
    while left:
        value = left.pop()
        if isinstance(value, str) and len(value) >= _TELLING and value.strip() and value not in _WORDS:
            found.append(value)
        elif isinstance(value, dict):
            left += value.values()
        elif isinstance(value, list):
            left += value
    return found[:100]


def _bytes(line: str | bytes) -> bytes:
    return line if isinstance(line, bytes) else line.encode()


def table(cases: list[Case]) -> dict[str, Any]:
    """The arguments of `parametrize` for a table."""
    return {"argnames": "case", "argvalues": cases, "ids": [case.name for case in cases]}
