"""Section F of the catalogue: keys, idempotency and limits, as far as a single request can show them.

What takes several requests stands in tests/acceptance/http/test_access.py and test_sending.py.
"""

import json

import pytest

from notifier.http.openapi import document
from tests.catalogue.kit import (
    CANARY,
    KEY,
    READER,
    SEND,
    Case,
    check,
    email,
    get,
    parts,
    post,
    raw,
    request,
    table,
    talk,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")
STRANGER = "ntf_0197f2a4-7c1e-7b3a-9d05-3f6f2b8e4c11"


def given(name, *lines):
    return Case(
        name, raw(f"GET {SEND} HTTP/1.1", "Connection: close", *lines), status=401, code="unauthorized"
    )


def idempotency(name, *headers):
    return Case(f"F05 {name}", post(email(), SEND, *headers), status=400, code="invalid_header")


CASES = [
    given("F01 none"),
    given("F01 empty", "Authorization:"),
    given("F01 a blank", "Authorization: "),
    given("F01 a scheme alone", "Authorization: Bearer"),
    given("F01 a scheme and a blank", "Authorization: Bearer "),
    given("F01 another scheme", f"Authorization: Basic {KEY}"),
    given("F01 no scheme", f"Authorization: {KEY}"),
    given("F01 cut", f"Authorization: Bearer {KEY[:-1]}"),
    given("F01 one too many", f"Authorization: Bearer {KEY}K"),
    given("F01 something behind it", f"Authorization: Bearer {KEY} x"),
    given("F01 twice in one", f"Authorization: Bearer {KEY}, Bearer {KEY}"),
    given("F01 in quotes", f'Authorization: Bearer "{KEY}"'),
    given("F01 a word", f"Authorization: Bearer {CANARY}"),
    given("F01 another mode", f"Authorization: Bearer {KEY.replace('live', 'prod')}"),
    given("F02 unknown", f"Authorization: Bearer nk_live_{'z' * 8}_{'K' * 43}"),
    given("F02 a known id with another secret", f"Authorization: Bearer {KEY[:-1]}J"),
    Case("F03 a reader sends", post(email(), key=READER), status=403, code="forbidden"),
    Case("F03 a reader cancels", request("POST", f"{SEND}/{STRANGER}/cancel", key=READER), status=403, code="forbidden"),
    Case("F04 7 KB", get(SEND, key="k" * 7000), status=401, code="unauthorized"),
    Case("F04 10 KB", get(SEND, key="k" * 10_000), status=431, code="headers_too_large"),
    given("F04 not ASCII", f"Authorization: Bearer nk_live_{'é' * 10}"),
    given("F04 no UTF-8", b"Authorization: Bearer \xff\xfe"),
    idempotency("empty", "Idempotency-Key:"),
    idempotency("blank", "Idempotency-Key:  "),
    idempotency("256 characters", f"Idempotency-Key: {'x' * 256}"),
    idempotency("not ASCII", "Idempotency-Key: é"),
    idempotency("a tab", "Idempotency-Key: a\tb"),
    Case("F05 255 characters are taken", post(email(), SEND, f"Idempotency-Key: {'x' * 255}"), status=202),
    Case("F08 and F09 nobody is limited yet, and nobody is told so", post(email(), SEND), status=202, headers={"RateLimit": None, "RateLimit-Policy": None, "Retry-After": None}),
    Case("F10 a forged X-Forwarded-For", get(SEND, f"X-Forwarded-For: 127.0.0.1, {CANARY}", f"Forwarded: for={CANARY}", f"X-Real-IP: {CANARY}", key=None), status=401, code="unauthorized"),
    Case("F10 a forged X-Forwarded-For with a key", get(SEND, f"X-Forwarded-For: {CANARY}", f"X-Forwarded-Host: {CANARY}", "X-Forwarded-Proto: https"), status=200),
    Case("F11 a resend is not built", request("POST", f"{SEND}/{STRANGER}/resend"), status=404, code="not_found"),
]  # fmt: skip
assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.parametrize(**table(CASES))
async def test_section_f(door, case):
    """The same 401 for every fault of a key, 400 for a malformed header."""
    await check(door, case)


async def test_a_key_is_found_whatever_the_case_of_its_scheme(door):
    """F01: schemes have no case (RFC 9110, 11.1)."""
    assert (
        parts(
            await talk(
                door.port, raw(f"GET {SEND} HTTP/1.1", "Connection: close", f"Authorization: bEARER {KEY}")
            )
        ).status
        == 200
    )


async def test_every_401_says_the_same(door):
    """F01, F02: byte for byte but for the request's id: nothing tells a wrong key from an unknown one."""
    told = set()
    for case in CASES:
        if case.status == 401:
            answer = parts(await talk(door.port, case.sent))
            told.add(json.dumps(answer.json() | {"request_id": ""}))
    assert len(told) == 1


async def test_a_resolve_of_what_is_not_held_is_409(door):
    """F11: only what is held can be resolved, whatever the verdict; the answer has the present state."""
    made = parts(await talk(door.port, post(email()))).json()["id"]
    for verdict in ("sent", "resend", "failed"):
        sent = post({"as": verdict}, f"{SEND}/{made}/resolve")
        answer = await check(door, Case("F11", sent, status=409, code="not_held"))
        assert answer.json()["state"] == "queued"


async def test_a_limit_is_promised_where_it_is_built():
    """F08: 429 stands at the two routes that a tenant's quota is for, and nowhere else (F09 is not built)."""
    found = {
        (path, method)
        for path, methods in document("1")["paths"].items()
        for method, operation in methods.items()
        if "429" in operation["responses"]
    }
    assert found == {("/v1/notifications", "post"), ("/v1/notifications/batch", "post")}
