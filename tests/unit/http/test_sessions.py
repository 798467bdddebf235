"""The console's cookies: what they prove, and what they don't hold."""

import base64
from datetime import UTC, datetime

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from notifier.domain.keys import new_key
from notifier.domain.lifecycle import Mode
from notifier.http.problems import Problem
from notifier.http.sessions import (
    COOKIE,
    LIFETIME,
    LONGEST,
    PROOF,
    Session,
    Sessions,
    forget,
    must_be_ours,
    remember,
    session_of,
)

KEY_ID, KEY, HASH = new_key(Mode.LIVE)
NOW = datetime(2027, 1, 1, tzinfo=UTC).timestamp()


def request(method="GET", cookie=None, **headers):
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    if cookie is not None:
        given["Cookie"] = f"{COOKIE}={cookie}"
    return make_mocked_request(method, "/v1/lanes", headers=given)


def cookie_of(session, **headers):
    answer = web.Response()
    remember(answer, request(**headers), session, now=NOW)
    return answer.cookies[COOKIE]


def test_a_session_lasts_an_hour():
    """And not a second longer."""
    sessions = Sessions(["s" * 32])
    made = sessions.issue(KEY_ID, HASH, now=NOW)
    assert sessions.good(made, HASH, now=NOW + LIFETIME - 1)
    assert not sessions.good(made, HASH, now=NOW + LIFETIME)


def test_renewing_ends_twelve_hours_after_the_log_in():
    """However often somebody asks."""
    sessions = Sessions()
    made = sessions.issue(KEY_ID, HASH, now=NOW)
    for hour in range(1, 12):
        made = sessions.issue(KEY_ID, HASH, now=NOW + hour * 3600, former=made)
    assert made.ends == int(NOW) + LONGEST
    late = sessions.issue(KEY_ID, HASH, now=NOW + LONGEST + 5, former=made)
    assert not sessions.good(late, HASH, now=NOW + LONGEST + 5)


def test_a_renewed_session_is_the_same_one():
    """So that whoever ends it ends every copy; another log-in is another session."""
    sessions = Sessions()
    made = sessions.issue(KEY_ID, HASH, now=NOW)
    renewed = sessions.issue(KEY_ID, HASH, now=NOW + 60, former=made)
    assert (renewed.id, renewed.began) == (made.id, made.began)
    assert renewed.mac != made.mac
    assert sessions.issue(KEY_ID, HASH, now=NOW).id != made.id


def test_one_whose_time_is_over_is_still_known_as_ours():
    """It may be ended: somebody may have renewed a copy of it."""
    sessions = Sessions()
    made = sessions.issue(KEY_ID, HASH, now=NOW)
    assert sessions.genuine(made, HASH)
    assert not sessions.genuine(made, b"\0" * 32)


@pytest.mark.parametrize(
    "change",
    [
        {"key_id": "otherkey"},
        {"id": "A" * 22},
        {"began": int(NOW) + 1},
        {"ends": int(NOW) + 2 * LIFETIME},
        {"mac": "A" * 43},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_was_changed_is_not_honoured(change):
    """Neither whose it is nor when it ends can be chosen."""
    sessions = Sessions(["s" * 32])
    made = sessions.issue(KEY_ID, HASH, now=NOW)
    names = ("key_id", "id", "began", "ends", "mac")
    forged = Session(**{name: getattr(made, name) for name in names} | change)
    assert sessions.good(made, HASH, now=NOW)
    assert not sessions.good(forged, HASH, now=NOW)


def test_another_secret_or_another_key_makes_another_session():
    """The stored hash alone forges nothing; of several secrets each is honoured, the first seals."""
    made = Sessions(["a" * 32]).issue(KEY_ID, HASH, now=NOW)
    assert not Sessions(["b" * 32]).good(made, HASH, now=NOW)
    assert not Sessions(["a" * 32]).good(made, b"\0" * 32, now=NOW)
    assert Sessions(["b" * 32, "a" * 32]).good(made, HASH, now=NOW)
    first = Sessions(["a" * 32, "b" * 32]).issue(KEY_ID, HASH, now=NOW)
    assert Sessions(["a" * 32]).good(first, HASH, now=NOW)
    assert not Sessions(["b" * 32]).good(first, HASH, now=NOW)


def test_without_a_secret_the_processes_of_one_start_share_one():
    """What `notifier serve` forks has the same module."""
    assert Sessions().good(Sessions().issue(KEY_ID, HASH, now=NOW), HASH, now=NOW)


def test_the_cookie_holds_nothing_of_the_key_and_no_script_reads_it():
    """HttpOnly, for this site only, everywhere on it, as long as the session."""
    cookie = cookie_of(Sessions().issue(KEY_ID, HASH, now=NOW))
    secret = KEY.rsplit("_", 1)[1]
    for hidden in (secret, HASH.hex(), base64.urlsafe_b64encode(HASH).decode().rstrip("=")):
        assert hidden not in cookie.value
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Strict", "/")
    assert int(cookie["max-age"]) == LIFETIME
    assert not cookie["secure"]


def test_behind_tls_the_cookie_goes_over_tls_only():
    """What ends TLS before us says so; the cookie that forgets says the same."""
    made = Sessions().issue(KEY_ID, HASH, now=NOW)
    assert cookie_of(made, X_Forwarded_Proto="https")["secure"]
    answer = web.Response()
    forget(answer, request(X_Forwarded_Proto="https"))
    gone = answer.cookies[COOKIE]
    assert (gone.value, str(gone["max-age"])) == ("", "0")
    assert gone["secure"]


def test_a_cookie_is_read_as_it_was_written():
    made = Sessions().issue(KEY_ID, HASH, now=NOW)
    assert session_of(request(cookie=cookie_of(made).value)) == made


@pytest.mark.parametrize(
    "text",
    [
        "",
        "v2",
        "v2.a.b.c.d.e",
        "v1.k3v9x0ab.1.2." + "A" * 43,
        f"v2.k3v9x0ab.{'A' * 22}.1.2.{'A' * 42}",
        "x" * 5000,
    ],
)
def test_what_is_no_cookie_of_ours_is_none(text):
    assert session_of(request(cookie=text)) is None


def test_a_key_goes_before_a_cookie():
    """A program that sends both is asked for no proof."""
    cookie = cookie_of(Sessions().issue(KEY_ID, HASH, now=NOW)).value
    assert session_of(request("POST", cookie=cookie, Authorization=f"Bearer {KEY}")) is None


@pytest.mark.parametrize("method", ["POST", "DELETE", "PATCH"])
def test_what_changes_anything_needs_the_proof(method):
    """No form can send it, and no script of another origin without leave."""
    cookie = cookie_of(Sessions().issue(KEY_ID, HASH, now=NOW)).value
    with pytest.raises(Problem) as refused:
        session_of(request(method, cookie=cookie))
    assert refused.value.code == "forbidden"
    assert session_of(request(method, cookie=cookie, **{PROOF.replace("-", "_"): "1"})) is not None


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_what_another_site_sends_is_refused(site):
    """Reading too: another port of this host is the same site, but not this origin."""
    for method in ("GET", "POST"):
        with pytest.raises(Problem):
            must_be_ours(request(method, Sec_Fetch_Site=site, X_Notifier_Console="1"))
    for own in ("same-origin", "none"):
        must_be_ours(request(Sec_Fetch_Site=own))
