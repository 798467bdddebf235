"""FCM: what is sent for a message, and what each of its codes becomes."""

import json
import time
from dataclasses import replace
from uuid import UUID

import pytest

from notifier.domain.lanes import Channel, Priority
from notifier.domain.lifecycle import Reason
from notifier.domain.notification import Content, Outgoing
from notifier.domain.outcomes import Accepted, Answer, Deferred, Refused, Uncertain
from notifier.domain.recipients import PhoneNumber, Platform, PushToken
from notifier.providers.base import Deadline, ProviderDefaults, SetupError
from notifier.providers.fcm_codes import CODES
from notifier.providers.registry import parse_provider_url
from tests.nodes.google import PROJECT, google, key_file, token
from tests.nodes.web import Said, web_server

ID = "00000000-0000-0000-0000-000000000001"
MESSAGE = Outgoing(
    id=UUID(ID),
    recipient=PushToken("dGVzdA:APA91b", Platform.FCM),
    content=Content(title="Order €5", text="is on its way"),
    seconds_left=3_599.7,
)
TAKEN = Said(200, json.dumps({"name": f"projects/{PROJECT}/messages/0:15%31bd"}).encode())
REJECTED = Refused(Reason.PROVIDER_REJECTED)
INVALID = Refused(Reason.INVALID_RECIPIENT)
CONTENT = Refused(Reason.CONTENT_REJECTED)
CONFIG = Deferred(Reason.AUTH_FAILED)
AGAIN = Deferred(Reason.PROVIDER_UNAVAILABLE, 10.0)
THROTTLED = Deferred(Reason.THROTTLED, 60.0)


def problem(status, code="", message="no", own=None, details=(), headers=None):
    if own:
        kind = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
        details = [*details, {"@type": kind, "errorCode": own}]
    error = {"code": status, "message": message, "status": code, "details": list(details)}
    return Said(status, json.dumps({"error": error}).encode(), headers or {})


def violation(field):
    return {"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [{"field": field}]}


def quota(subject):
    return {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{"subject": subject}]}


class Fcm:
    """A server that answers, a token server beside it, and a provider that knows both."""

    def __init__(self, server, tokens):
        self.server, self.tokens = server, tokens
        url = f"fcm://127.0.0.1:{server.port}?dangerous_plain=true&{tokens.option}"
        self.account = parse_provider_url(Channel.PUSH, url, ProviderDefaults())
        self.provider = self.account.build()

    def send(self, answer=None, outgoing=MESSAGE, deadline=5.0):
        """The outcome without what was said."""
        self.server.answer = answer or self.server.answer
        self.said = self.provider.send(outgoing, Deadline(deadline))
        return replace(self.said, answer=Answer())

    def asked(self):
        return json.loads(self.server.heard[-1].body)


@pytest.fixture
def fcm(tmp_path):
    with web_server(TAKEN) as server, google(tmp_path) as tokens:
        made = Fcm(server, tokens)
        yield made
        made.provider.close()


def test_a_message_is_sent_as_fcm_asks(fcm):
    """The project of the key file, its access token, and the time that is left on every platform."""
    before = int(time.time())
    assert fcm.send() == Accepted("0:15%31bd")
    (heard,) = fcm.server.heard
    assert (heard.method, heard.path) == ("POST", f"/v1/projects/{PROJECT}/messages:send")
    assert heard.headers["authorization"] == "Bearer ya29.1"
    message = fcm.asked()["message"]
    expires = int(message["apns"]["headers"].pop("apns-expiration"))
    assert before + 3_599 <= expires <= int(time.time()) + 3_599
    assert fcm.asked() | {"message": message} == {
        "message": {
            "token": "dGVzdA:APA91b",
            "notification": {"title": "Order €5", "body": "is on its way"},
            "android": {"priority": "HIGH", "ttl": "3599s", "notification": {"tag": ID}},
            "apns": {"headers": {"apns-priority": "10", "apns-collapse-id": ID}},
            "webpush": {"headers": {"TTL": "3599", "Urgency": "high"}},
        }
    }


def test_what_the_request_asks_for_goes_along(fcm):
    """Data as it stands, and the collapse key for both kinds of devices."""
    options = {"push": {"collapse_key": "order-1", "data": {"order": "1"}}}
    fcm.send(outgoing=replace(MESSAGE, options=options, content=Content(text="t")))
    message = fcm.asked()["message"]
    assert message["data"] == {"order": "1"}
    assert message["notification"] == {"body": "t"}
    assert message["android"]["collapse_key"] == "order-1"
    assert message["android"]["notification"]["tag"] == "order-1"
    assert message["apns"]["headers"]["apns-collapse-id"] == "order-1"


def test_a_device_folds_the_attempts_of_one_notification(fcm):
    """Promise 3: both carry the same key, another notification another."""
    keys = []
    for made, attempt in ((MESSAGE.id, 1), (MESSAGE.id, 2), (UUID(int=2), 1)):
        fcm.send(outgoing=replace(MESSAGE, id=made, attempt=attempt))
        message = fcm.asked()["message"]
        keys.append(
            (message["android"]["notification"]["tag"], message["apns"]["headers"]["apns-collapse-id"])
        )
    assert keys[0] == keys[1] == (ID, ID) != keys[2]
    assert "collapse_key" not in message["android"]


@pytest.mark.parametrize(
    ("priority", "android", "apns"),
    [(Priority.HIGH, "HIGH", "10"), (Priority.MEDIUM, "HIGH", "10"), (Priority.LOW, "NORMAL", "5")],
)
def test_a_low_priority_wakes_no_device(fcm, priority, android, apns):
    fcm.send(outgoing=replace(MESSAGE, priority=priority))
    message = fcm.asked()["message"]
    assert message["android"]["priority"] == android
    assert message["apns"]["headers"]["apns-priority"] == apns


@pytest.mark.parametrize(("left", "ttl"), [(0.2, "0s"), (2_419_200.0, "2419200s"), (9_999_999.0, "2419200s")])
def test_fcm_keeps_a_message_no_longer_than_it_lives(fcm, left, ttl):
    """Four weeks at most, as FCM says; less than a second is now or never."""
    fcm.send(outgoing=replace(MESSAGE, seconds_left=left))
    assert fcm.asked()["message"]["android"]["ttl"] == ttl


@pytest.mark.parametrize(
    "recipient",
    [PushToken("a" * 64, Platform.APNS), PushToken("{}", Platform.WEBPUSH), PhoneNumber("+447700900123")],
)
def test_nothing_of_another_platform_is_sent(fcm, recipient):
    """It would tell Google of a device that is not its own, and suppress it for being unknown there."""
    assert fcm.send(outgoing=replace(MESSAGE, recipient=recipient)) == REJECTED
    assert fcm.server.heard == fcm.tokens.server.heard == []


#: reliability.md's table, apart from the module's own.
EXPECTED = {
    "UNREGISTERED": INVALID,
    "SENDER_ID_MISMATCH": REJECTED,
    "INVALID_ARGUMENT": CONTENT,
    "QUOTA_EXCEEDED": THROTTLED,
    "RESOURCE_EXHAUSTED": THROTTLED,
    "UNAVAILABLE": AGAIN,
    "INTERNAL": AGAIN,
    "DEADLINE_EXCEEDED": AGAIN,
    "ABORTED": AGAIN,
    "UNAUTHENTICATED": CONFIG,
    "PERMISSION_DENIED": CONFIG,
    "THIRD_PARTY_AUTH_ERROR": CONFIG,
    "UNSPECIFIED_ERROR": AGAIN,
}


def test_each_code_has_its_outcome(fcm):
    """FCM's own code goes before Google's beside it; it is kept for the operator's own rules."""
    assert set(EXPECTED) == set(CODES)
    for code, outcome in EXPECTED.items():
        assert fcm.send(problem(400, "INVALID_ARGUMENT", own=code)) == outcome, code
        assert fcm.said.answer == Answer(code, "no")
        assert fcm.send(problem(400, code)) == outcome, code


def test_a_wait_that_fcm_asks_for_is_kept(fcm):
    """Retry-After, and not less than the table says."""
    later = problem(429, own="QUOTA_EXCEEDED", headers={"Retry-After": "170"})
    assert fcm.send(later) == Deferred(Reason.THROTTLED, 170.0)
    sooner = problem(503, own="UNAVAILABLE", headers={"Retry-After": "3"})
    assert fcm.send(sooner) == AGAIN


def test_a_quota_of_one_device_slows_nobody_else(fcm):
    """The account's other messages go on."""
    one = problem(429, own="QUOTA_EXCEEDED", details=[quota("device:abc")])
    assert fcm.send(one) == replace(THROTTLED, one_connection=True)
    whole = problem(429, own="QUOTA_EXCEEDED", details=[quota("project:acme")])
    assert fcm.send(whole) == THROTTLED


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (problem(400, "INVALID_ARGUMENT", details=[violation("message.token")]), INVALID),
        (problem(400, "INVALID_ARGUMENT", "The registration token is not a valid FCM token"), INVALID),
        (problem(400, "INVALID_ARGUMENT", details=[violation("message.android.ttl")]), CONTENT),
        (problem(400, "INVALID_ARGUMENT", "Android message is too big", own="INVALID_ARGUMENT"), CONTENT),
    ],
)
def test_only_a_token_that_is_named_is_wrong(fcm, answer, outcome):
    """A message that is too long must not cut off its recipient."""
    assert fcm.send(answer) == outcome


def test_an_unspecified_error_is_tried_three_times(fcm):
    answer = problem(500, own="UNSPECIFIED_ERROR")
    assert fcm.send(answer, replace(MESSAGE, attempt=2)) == AGAIN
    assert fcm.send(answer, replace(MESSAGE, attempt=3)) == REJECTED


def test_a_wrong_project_suppresses_nobody(fcm):
    """One token of another project is a wrong token; if many are, it is the project."""
    mismatch = problem(403, own="SENDER_ID_MISMATCH")
    for _ in range(11):
        fcm.send(TAKEN)
    assert fcm.send(mismatch) == INVALID
    for _ in range(5):
        found = fcm.send(mismatch)
    assert found == CONFIG


@pytest.mark.parametrize("body", [b"<html>Welcome</html>", b"{}", b'{"name": "a b"}', b"[1]", b'{"name": 5}'])
def test_a_200_without_a_name_is_no_acceptance(fcm, body):
    """A proxy that says 200 to everything would swallow messages."""
    assert isinstance(fcm.send(Said(200, body)), Uncertain)


@pytest.mark.parametrize(
    "error",
    [
        5,
        "no",
        [],
        {"details": 5},
        {"details": [5, {"fieldViolations": 5}]},
        {"details": [{"violations": [5]}]},
    ],
)
def test_an_error_in_another_form_is_judged_by_its_status(fcm, error):
    assert fcm.send(Said(500, json.dumps({"error": error}).encode())) == replace(AGAIN, not_before=None)


def test_the_access_token_is_fetched_once_for_all_threads(fcm):
    """Not once for each provider, and not for each message."""
    for _ in range(3):
        other = fcm.account.build()
        other.send(MESSAGE, Deadline(5))
        other.close()
    fcm.send()
    assert len(fcm.tokens.server.heard) == 1
    assert fcm.tokens.server.heard[0].form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"


def test_an_access_token_that_is_refused_is_renewed_once(fcm):
    """It may have been revoked; a second refusal is ours to mend."""

    def picky(heard):
        return TAKEN if heard.headers["authorization"] == "Bearer ya29.2" else problem(401, "UNAUTHENTICATED")

    assert fcm.send(picky) == Accepted("0:15%31bd")
    assert fcm.send() == Accepted("0:15%31bd")
    assert len(fcm.tokens.server.heard) == 2
    assert fcm.send(problem(401, "UNAUTHENTICATED")) == CONFIG
    assert (len(fcm.tokens.server.heard), len(fcm.server.heard)) == (3, 5)


def test_a_third_party_s_refusal_renews_nothing(fcm):
    """It is not our token that is wrong."""
    assert fcm.send(problem(401, "UNAUTHENTICATED", own="THIRD_PARTY_AUTH_ERROR")) == CONFIG
    assert (len(fcm.tokens.server.heard), len(fcm.server.heard)) == (1, 1)


@pytest.mark.parametrize(
    ("answer", "outcome", "says"),
    [
        (TAKEN, None, None),
        (problem(400, "INVALID_ARGUMENT"), None, None),
        (problem(404, own="UNREGISTERED"), None, None),
        (problem(403, "PERMISSION_DENIED"), "PERMISSION_DENIED", "was 403 PERMISSION_DENIED"),
    ],
)
def test_doctor_has_a_message_looked_at_that_is_not_sent(fcm, answer, outcome, says):
    """FCM validates it only."""
    fcm.server.answer = answer
    found = fcm.provider.try_out(Deadline(5))
    assert found is None if says is None else found.endswith(says)
    assert fcm.asked()["validate_only"] is True


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "can't be read"),
        ("no JSON", "must be the key file of a service account"),
        ('{"type": "authorized_user"}', "must be the key file of a service account"),
        ('{"type": "service_account", "project_id": "acme-push"}', "incomplete or damaged"),
    ],
)
def test_a_key_file_that_will_not_do_is_named(tmp_path, content, says):
    """Without any of its content."""
    path = tmp_path / "key.json"
    if content is not None:
        path.write_text(content)
    account = parse_provider_url(Channel.PUSH, f"fcm://?credentials={path}", ProviderDefaults())
    with pytest.raises(SetupError, match=says):
        account.build()


def test_the_project_is_that_of_the_url_or_the_key_file(tmp_path):
    path = key_file(tmp_path, "https://127.0.0.1:1/token", project_id=None)
    named = f"fcm://?project=other-one&credentials={path}"
    assert (
        parse_provider_url(Channel.PUSH, named, ProviderDefaults())
        .build()
        ._path.startswith("/v1/projects/other-one/")
    )
    nameless = parse_provider_url(Channel.PUSH, f"fcm://?credentials={path}", ProviderDefaults())
    with pytest.raises(SetupError, match="names no project"):
        nameless.build()


def test_the_token_server_is_asked_over_tls_only(tmp_path):
    """The signed request is a secret for an hour; plain HTTP is for this host alone."""
    path = key_file(tmp_path, "http://oauth2.example/token")
    with pytest.raises(SetupError):
        parse_provider_url(Channel.PUSH, f"fcm://?credentials={path}", ProviderDefaults()).build()


def test_an_access_token_is_kept_until_it_is_about_to_end(tmp_path):
    """One that has a minute to live is not used any more."""
    with web_server(TAKEN) as server, google(tmp_path, token("short", 60)) as tokens:
        made = Fcm(server, tokens)
        made.send()
        made.send()
        made.provider.close()
        assert len(tokens.server.heard) == 2
