"""The console's own routes: its files, its policy, its sessions."""

import asyncio
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from http.cookies import SimpleCookie
from pathlib import Path

import msgspec
import pytest
import structlog
from sqlalchemy import select, update

import notifier.http
from notifier.cli import serve
from notifier.domain.keys import key_id_of
from notifier.domain.lifecycle import Mode
from notifier.http.console_answers import ConsoleSession
from notifier.http.sessions import COOKIE, PROOF
from notifier.storage import api_keys
from notifier.storage.tables import ended_sessions
from notifier.storage.types import db_now_plus
from tests.acceptance.http.test_sending import body

ASSETS = Path(notifier.http.__file__).with_name("assets")
PAGES = ("/console", "/docs")
OURS = {PROOF: "1"}
PAUSE = "/v1/lanes/email/low/pause"


def cookie_in(answer):
    return SimpleCookie(answer.headers["Set-Cookie"])[COOKIE]


async def log_in(door, key, **headers):
    return await door.ask("POST", "/console/session", key="", json={"key": key}, headers=OURS | headers)


async def session(door, key=None):
    """A cookie as a browser sends it."""
    answer = await log_in(door, key or door.new_key(scopes=("admin",)))
    assert answer.status == 200, answer.body
    return {"Cookie": f"{COOKIE}={cookie_in(answer).value}"}


async def as_browser(door, method, path, headers, **more):
    return await door.ask(method, path, key="", headers=headers, **more)


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_has_a_strict_policy(door, path):
    """Nothing inline, nothing from elsewhere, no frame around it; asked about again each time."""
    answer = await door.ask("GET", path, key="")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    policy = dict(part.split(" ", 1) for part in answer.headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-cache"
    text = answer.body.decode()
    assert not re.search(r"<script(?![^>]*src=)|<style|\sstyle=|\son[a-z]+=", text)
    for used in re.findall(r'(?:src|href)="(/console/[^"]+)"', text):
        assert (await door.ask("GET", used, key="")).status == 200


async def test_every_file_is_served_with_its_type_and_a_tag(door):
    """What is known already is not sent again."""
    kinds = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".html": "text/html"}
    names = sorted(path.name for path in ASSETS.iterdir())
    assert {"main.js", "console.css", "icon.svg"} <= set(names)
    for name in names:
        answer = await door.ask("GET", f"/console/{name}", key="")
        assert answer.body == (ASSETS / name).read_bytes()
        assert answer.headers["Content-Type"] == f"{kinds[Path(name).suffix]}; charset=utf-8"
        again = await door.ask(
            "GET", f"/console/{name}", key="", headers={"If-None-Match": answer.headers["ETag"]}
        )
        assert (again.status, again.body) == (304, b"")


@pytest.mark.parametrize(
    "name", ["nothing.js", "..%2Fapp.py", "%2e%2e%2fconsole.py", ".htaccess", "main.js%00"]
)
async def test_no_other_file_is_served(door, name):
    assert (await door.ask("GET", f"/console/{name}", key="")).status == 404


def test_no_file_names_another_address():
    """But for the names of XML's vocabularies, which nobody fetches."""
    for path in ASSETS.iterdir():
        found = set(re.findall(r"(?:https?:)?//[a-z0-9.-]+\.[a-z]+", path.read_text()))
        assert found <= {"http://www.w3.org"}, path.name


def test_no_script_makes_elements_out_of_text():
    """What a provider answers is shown, never run."""
    for path in ASSETS.glob("*.js"):
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|Function\(", path.read_text()
        )


async def test_a_key_becomes_a_session_that_can_read(door):
    """The answer says whose it is; the cookie does for the API what the key does."""
    key = door.new_key(scopes=("read",))
    answer = await log_in(door, key)
    told = msgspec.json.decode(answer.body, type=ConsoleSession)
    assert (told.key_id, told.tenant, told.mode, told.scopes) == (key_id_of(key), "acme", Mode.LIVE, ["read"])
    headers = {"Cookie": f"{COOKIE}={cookie_in(answer).value}"}
    assert (await as_browser(door, "GET", "/v1/lanes", headers)).status == 200
    shown = await as_browser(door, "GET", "/console/session", headers)
    assert msgspec.json.decode(shown.body, type=ConsoleSession) == told
    assert (await as_browser(door, "POST", PAUSE, headers | OURS)).status == 403


async def test_a_test_key_sees_its_own_data(door):
    """And the lanes, which all share."""
    sent = await door.post(body())
    headers = await session(door, door.new_key(mode=Mode.TEST, scopes=("admin",)))
    assert (await as_browser(door, "GET", "/v1/lanes", headers)).status == 200
    assert (await as_browser(door, "GET", "/v1/notifications", headers)).json()["data"] == []
    assert (await as_browser(door, "GET", sent.headers["Location"], headers)).status == 404
    assert (await as_browser(door, "POST", PAUSE, headers | OURS)).status == 403


async def test_what_is_no_key_gets_no_session(door):
    """The same 401 for all, no cookie, and nothing of the key in the answer or a log."""
    wrong = door.key[:-1] + ("A" if door.key[-1] != "A" else "B")
    revoked = door.new_key()
    api_keys.revoke(door.engine, key_id_of(revoked))
    with structlog.testing.capture_logs() as logs:
        answers = [await log_in(door, key) for key in ("x", wrong, revoked)]
        refused = await log_in(door, door.new_key(scopes=("send",)))
        taken = await log_in(door, door.key)
    assert [(one.status, one.json()["code"]) for one in answers] == [(401, "unauthorized")] * 3
    assert refused.status == 403
    assert taken.status == 200
    for one in (*answers, refused):
        assert "Set-Cookie" not in one.headers
        assert wrong.encode() not in one.body
    for key in (wrong, revoked, door.key):
        assert key.rsplit("_", 1)[1] not in str(logs)


async def test_no_other_site_can_log_somebody_in_or_act_in_a_session(door):
    """Without the header nothing changes; nor with it when the browser says that another site asks."""
    assert (await door.ask("POST", "/console/session", key="", json={"key": door.key})).status == 403
    headers = await session(door)
    assert (await as_browser(door, "POST", PAUSE, headers)).status == 403
    elsewhere = headers | OURS | {"Sec-Fetch-Site": "cross-site"}
    assert (await as_browser(door, "POST", PAUSE, elsewhere)).status == 403
    assert (
        await as_browser(door, "GET", "/v1/lanes", headers | {"Sec-Fetch-Site": "same-site"})
    ).status == 403
    assert (await as_browser(door, "DELETE", "/console/session", headers)).status == 403
    lanes = (await as_browser(door, "GET", "/v1/lanes", headers)).json()["data"]
    assert not any(one["paused"] for one in lanes)
    assert (await as_browser(door, "POST", PAUSE, headers | OURS)).status == 200


def test_what_serve_forks_shares_the_secret():
    """It is made with a module that is there before the first process is forked, or a log-in would hold in one alone."""
    code = (
        "import sys; from notifier.http.server import listen; print('notifier.http.sessions' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"
    forking = Path(serve.__file__).read_text()
    assert forking.index("from notifier.http.server import listen") < forking.index("_Supervisor(settings")


async def test_a_forged_or_foreign_cookie_is_401(door):
    headers = await session(door)
    forged = headers["Cookie"][:-1] + ("A" if headers["Cookie"][-1] != "A" else "B")
    for cookie in (forged, f"{COOKIE}=x", "other=1"):
        answer = await as_browser(door, "GET", "/v1/lanes", {"Cookie": cookie})
        assert (answer.status, answer.json()["code"]) == (401, "unauthorized")


async def test_a_revoked_key_ends_its_sessions(door):
    """At once: as soon as for the key itself."""
    key = door.new_key(scopes=("read",))
    headers = await session(door, key)
    assert (await as_browser(door, "GET", "/v1/lanes", headers)).status == 200
    api_keys.revoke(door.engine, key_id_of(key))
    assert (await as_browser(door, "GET", "/v1/lanes", headers)).status == 401


async def test_a_session_is_renewed_and_forgotten(door):
    """Another cookie by the old one; then none."""
    headers = await session(door)
    renewed = await as_browser(door, "POST", "/console/session/renew", headers | OURS)
    assert renewed.status == 200
    fresh = {"Cookie": f"{COOKIE}={cookie_in(renewed).value}"}
    assert (await as_browser(door, "GET", "/console/session", fresh)).status == 200
    gone = await as_browser(door, "DELETE", "/console/session", fresh | OURS)
    assert (gone.status, gone.body, cookie_in(gone).value) == (204, b"", "")
    assert str(cookie_in(gone)["max-age"]) == "0"


async def test_a_log_out_ends_every_copy_of_the_session(door):
    """Also one renewed before, by whomever; another session of the same key goes on."""
    stolen, other = await session(door), await session(door)
    renewed = await as_browser(door, "POST", "/console/session/renew", stolen | OURS)
    copies = [stolen, {"Cookie": f"{COOKIE}={cookie_in(renewed).value}"}]
    with structlog.testing.capture_logs() as logs:
        assert (await as_browser(door, "DELETE", "/console/session", copies[1] | OURS)).status == 204
    assert [one["event"] for one in logs if one["event"].startswith("console")] == ["console_logout"]
    for copy in copies:
        assert (await as_browser(door, "GET", "/v1/lanes", copy)).status == 401
        assert (await as_browser(door, "GET", "/v1/lanes/events?events=1", copy)).status == 401
        assert (await as_browser(door, "POST", PAUSE, copy | OURS)).status == 401
        assert (await as_browser(door, "POST", "/console/session/renew", copy | OURS)).status == 401
        assert (await as_browser(door, "DELETE", "/console/session", copy | OURS)).status == 204
    assert (await as_browser(door, "GET", "/v1/lanes", other)).status == 200


async def test_what_was_not_made_here_is_not_remembered_as_ended(door):
    """Nobody fills the list with ids of his own."""
    headers = await session(door)
    forged = headers["Cookie"][:-1] + ("A" if headers["Cookie"][-1] != "A" else "B")
    assert (await as_browser(door, "DELETE", "/console/session", {"Cookie": forged} | OURS)).status == 204
    with door.engine.connect() as connection:
        assert connection.execute(select(ended_sessions)).all() == []
    assert (await as_browser(door, "GET", "/v1/lanes", headers)).status == 200


async def test_with_storage_away_nobody_is_told_that_a_session_has_ended(door):
    """503, and the browser keeps it: it could not be ended."""
    headers = await session(door)
    door.lose_storage()
    answer = await as_browser(door, "DELETE", "/console/session", headers | OURS)
    assert (answer.status, answer.json()["code"]) == (503, "unavailable")
    assert "Set-Cookie" not in answer.headers


async def test_ended_sessions_are_forgotten_when_they_would_be_over_anyway(door):
    """With the next log-out."""
    gone, left = await session(door), await session(door)
    await as_browser(door, "DELETE", "/console/session", gone | OURS)
    with door.engine.begin() as connection:
        connection.execute(update(ended_sessions).values(forget_at=db_now_plus(-1.0)))
    await as_browser(door, "DELETE", "/console/session", left | OURS)
    with door.engine.connect() as connection:
        ((found, forget_at),) = connection.execute(select(ended_sessions)).all()
    assert found in left["Cookie"]
    assert forget_at > datetime.now(UTC) + timedelta(hours=11)


async def test_the_log_in_takes_a_small_json_object_only(door):
    for sent, status in (({}, 422), ({"key": 1}, 422), ({"key": "x", "more": 1}, 422)):
        answer = await door.ask("POST", "/console/session", key="", json=sent, headers=OURS)
        assert answer.status == status
    form = await door.ask("POST", "/console/session", key="", data={"key": door.key}, headers=OURS)
    assert form.status == 415


async def test_sessions_end_when_the_page_asks_about_none(door):
    """Without a cookie there is no session: 401, for the page to show its form."""
    assert (await door.ask("GET", "/console/session", key="")).status == 401
    assert (await door.ask("GET", "/console/session")).json()["expires_at"] is None
    await asyncio.gather(*(door.ask("GET", path, key="") for path in PAGES))
