"""Who may come in; and promise 9, with storage away. Malformed keys stand in tests/catalogue."""

import asyncio
import dataclasses
import sqlite3
import time

import pytest
import structlog

from notifier.domain.keys import key_id_of, new_key
from notifier.domain.lifecycle import Mode
from notifier.storage import api_keys
from notifier.telemetry.redaction import redact
from tests.acceptance.http.conftest import CONFIG
from tests.acceptance.http.test_sending import body

ROUTES = [
    ("POST", "/v1/notifications"),
    ("POST", "/v1/notifications?dry_run=true"),
    ("POST", "/v1/notifications/batch"),
    ("GET", "/v1/notifications"),
    ("POST", "/v1/notifications/search"),
    ("GET", "/v1/notifications/ntf_x"),
    ("PATCH", "/v1/notifications/ntf_x"),
    ("POST", "/v1/notifications/ntf_x/cancel"),
    ("POST", "/v1/notifications/ntf_x/resolve"),
    ("GET", "/v1/failures"),
    ("POST", "/v1/suppressions"),
    ("POST", "/v1/suppressions/search"),
    ("GET", "/v1/suppressions/sup_x"),
    ("DELETE", "/v1/suppressions/sup_x"),
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_every_route_wants_a_key(door, method, path):
    """401 with WWW-Authenticate and no detail."""
    answer = await door.ask(method, path, key="")
    assert (answer.status, answer.json()["code"]) == (401, "unauthorized")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert "detail" not in answer.json()


async def test_unknown_revoked_and_expired_keys_are_the_same_401(door):
    """Nothing tells them apart but the log."""
    unknown = new_key(Mode.LIVE)[1]
    right_id = door.key[:17] + new_key(Mode.LIVE)[1][17:]
    revoked = door.new_key()
    api_keys.revoke(door.engine, key_id_of(revoked))
    expired = door.new_key(lifetime=-1.0)
    for key in (unknown, right_id, revoked, expired):
        answer = await door.ask("GET", "/v1/notifications", key=key)
        problem = answer.json() | {"request_id": None}
        assert problem == {
            "type": "about:blank",
            "title": "A valid API key is needed",
            "status": 401,
            "code": "unauthorized",
            "request_id": None,
        }


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_a_right_key_with_the_wrong_scope_is_403(door, method, path):
    """Reading needs `read`, the rest `send`."""
    wrong = "read" if method in {"POST", "PATCH"} and not path.endswith("search") else "send"
    answer = await door.ask(method, path, key=door.new_key(scopes=[wrong]))
    assert (answer.status, answer.json()["code"]) == (403, "forbidden")


async def test_admin_has_every_scope(door):
    """One key may do all."""
    key = door.new_key(scopes=["admin"])
    assert (await door.post(body(), key=key)).status == 202
    assert (await door.ask("GET", "/v1/notifications", key=key)).status == 200


async def test_a_used_key_is_remembered_as_used(door):
    """`last_used_at` is written down soon after."""
    await door.ask("GET", "/v1/notifications")

    async def used():
        while api_keys.find(door.engine, key_id_of(door.key)).last_used_at is None:
            await door.ask("GET", "/livez")

    await asyncio.wait_for(used(), 5)


async def test_with_storage_away_nobody_comes_in(door):
    """Promise 9: 503 with Retry-After within 2 s on every route, never 202 nor 200; then all is well."""
    door.lose_storage()
    for method, path in ROUTES:
        began = time.monotonic()
        answer = await door.ask(method, path, data=body(), headers={"Content-Type": "application/json"})
        assert (answer.status, answer.json()["code"]) == (503, "unavailable"), path
        assert int(answer.headers["Retry-After"]) >= 1
        assert time.monotonic() - began < 10
    door.find_storage()
    assert (await door.post(body())).status == 202


class TestWithRememberedKeys:
    """Keys are believed for a moment, so that storage is not asked with every request."""

    @pytest.fixture
    def wait(self):
        """The two seconds of promise 9."""
        return 2.0

    @pytest.fixture
    def config(self):
        return dataclasses.replace(CONFIG, key_ttl=2.0)

    async def test_storage_that_goes_after_the_lookup_still_means_503(self, door):
        """The intake itself says so: nothing was kept."""
        assert (await door.post(body())).status == 202
        door.lose_storage()
        answer = await door.post(body())
        assert (answer.status, answer.json()["code"]) == (503, "unavailable")
        door.find_storage()
        assert door.rows() == 1

    async def test_a_stuck_writer_means_503_within_two_seconds(self, door):
        """Another process holds the file: `unavailable` or `outcome_unknown`, with Retry-After."""
        assert (await door.post(body())).status == 202
        blocker = sqlite3.connect(door.engine.url.database, isolation_level=None)
        blocker.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        answer = await door.post(body())
        assert time.monotonic() - began < 10
        assert answer.status == 503
        assert answer.json()["code"] in {"unavailable", "outcome_unknown"}
        assert int(answer.headers["Retry-After"]) >= 1
        blocker.execute("ROLLBACK")
        blocker.close()

    async def test_a_revoked_key_ends_within_the_time_it_is_believed(self, door):
        """At most 2 s later; never extended by use."""
        assert (await door.ask("GET", "/v1/notifications")).status == 200
        api_keys.revoke(door.engine, key_id_of(door.key))
        began = time.monotonic()
        while (await door.ask("GET", "/v1/notifications")).status != 401:
            assert time.monotonic() - began < 15


class Broken:
    """An intake with a bug: no machine can be made to have one."""

    async def submit(self, submission, **_):
        raise RuntimeError("ada@example.com: SELECT secret")


async def test_what_nobody_foresaw_is_a_generic_500(door):
    """An event id to look for; no stack, no SQL, no value, in the answer or in the log."""
    from notifier.http.parts import PARTS

    app = door.app
    app._state[PARTS] = dataclasses.replace(app[PARTS], intake=Broken())
    with structlog.testing.capture_logs() as logs:
        answer = await door.post(body())
    problem = answer.json()
    assert (answer.status, problem["code"]) == (500, "internal_error")
    assert "detail" not in problem
    (event,) = [line for line in logs if line["log_level"] == "error"]
    assert event["event_id"] == problem["event_id"]
    assert "example.com" not in str(logs)
    assert "SELECT" not in str(logs) + answer.body.decode()


async def test_no_secret_is_ever_logged(door):
    """Canaries in every place a caller can put something: none comes back in a log line."""
    canary = "CANARY7"
    with structlog.testing.capture_logs() as logs:
        for sent in (
            body(),
            body(to={"email": f"{canary}@example.com"}, reference=canary, metadata={canary: canary}),
            body(to={"email": f"{canary} {canary}"}, **{canary: canary}),
            f'{{"{canary}": '.encode(),
        ):
            await door.post(sent, headers={"Idempotency-Key": canary, "X-Other": canary})
        await door.ask("GET", f"/{canary}?q={canary}")
        await door.ask("GET", f"/v1/notifications/ntf_{canary}")
        await door.ask("GET", f"/v1/notifications?reference={canary}&{canary}={canary}")
        await door.ask("GET", "/v1/notifications", key=f"nk_live_{canary}")
        await door.raw(canary.encode() + b"\r\n\r\n")
    assert len(logs) > 8
    assert canary not in str(logs)
    assert door.key not in str(logs)
    assert "example.com" not in str(logs)


async def test_each_request_is_logged_once_with_its_template(door):
    """Facts from closed sets: method, template, status, time, tenant, key id."""
    with structlog.testing.capture_logs() as logs:
        await door.ask("GET", "/v1/notifications/ntf_x?y=1")
    (event,) = [line for line in logs if line["event"] == "http_request"]
    assert event["route"] == "/v1/notifications/{id}"
    assert (event["method"], event["status"], event["tenant"]) == ("GET", 422, "acme")
    assert key_id_of(door.key) == redact(dict(event))["key_id"], "an id, not a secret: it is told"
