"""APNs: what is sent for a message, what each reason becomes, and tokens that are made neither too often nor too seldom."""

import json
import threading
import time
from dataclasses import replace
from uuid import UUID

import jwt
import pytest

from notifier.domain.lanes import Channel, Priority
from notifier.domain.lifecycle import Reason
from notifier.domain.notification import Content, Outgoing
from notifier.domain.outcomes import Accepted, Answer, Deferred, Refused, Uncertain
from notifier.domain.recipients import PhoneNumber, Platform, PushToken
from notifier.providers.apns_codes import CODES
from notifier.providers.apns_tokens import ProviderTokens
from notifier.providers.base import Deadline, ProviderDefaults, SetupError
from notifier.providers.registry import parse_provider_url
from notifier.providers.urls import ProviderUrlError, parse_url
from tests.nodes.apple import KEY_ID, TEAM, TOPIC, key_file, options, signing_key
from tests.nodes.http2 import Fault2, http2_server
from tests.nodes.web import Said, authority

TOKEN = "ab" * 32
ID = "01890a5d-ac96-774b-bcce-b302099a8057"
MESSAGE = Outgoing(
    id=UUID(ID),
    recipient=PushToken(TOKEN, Platform.APNS),
    content=Content(title="Order €5", text="is on its way"),
    seconds_left=3_599.7,
)
TAKEN = Said(200, headers={"apns-id": ID})
ACCEPTED = Accepted(ID)
INVALID = Refused(Reason.INVALID_RECIPIENT)
REJECTED = Refused(Reason.PROVIDER_REJECTED)
CONTENT = Refused(Reason.CONTENT_REJECTED)
CONFIG = Deferred(Reason.AUTH_FAILED)
AGAIN = Deferred(Reason.PROVIDER_UNAVAILABLE)


def problem(status, reason, **headers):
    return Said(status, json.dumps({"reason": reason}).encode(), headers)


class Apns:
    """A server that answers and a provider that knows it."""

    def __init__(self, server, folder, more="dangerous_plain=true"):
        self.server = server
        url = f"apns://{TEAM}@127.0.0.1:{server.port}?{options(key_file(folder))}&{more}"
        self.account = parse_provider_url(Channel.PUSH, url, ProviderDefaults())
        self.provider = self.account.build()

    def send(self, answer=None, seconds=5.0, **changed):
        """The outcome without what was said."""
        self.server.answer = answer or self.server.answer
        self.said = self.provider.send(replace(MESSAGE, **changed), Deadline(seconds))
        return replace(self.said, answer=Answer())

    @property
    def heard(self):
        return self.server.heard[-1]


@pytest.fixture
def apns(tmp_path):
    with http2_server(TAKEN) as server:
        made = Apns(server, tmp_path)
        yield made
        made.provider.close()


def test_a_message_is_sent_as_apple_asks(apns):
    """Our id, the topic, the time it may wait, and a token signed with the team's key."""
    before = int(time.time())
    assert apns.send() == ACCEPTED
    heard = apns.heard
    assert (heard.method, heard.path) == ("POST", f"/3/device/{TOKEN}")
    assert json.loads(heard.body) == {"aps": {"alert": {"title": "Order €5", "body": "is on its way"}}}
    sent = {name: text for name, text in heard.headers.items() if name.startswith("apns-")}
    assert before + 3_599 <= int(sent.pop("apns-expiration")) <= int(time.time()) + 3_600
    assert sent == {
        "apns-id": ID,
        "apns-collapse-id": ID,
        "apns-topic": TOPIC,
        "apns-push-type": "alert",
        "apns-priority": "10",
    }
    scheme, token = heard.headers["authorization"].split()
    claims = jwt.decode(token, signing_key().public_key(), algorithms=["ES256"])
    assert (scheme, claims["iss"], jwt.get_unverified_header(token)["kid"]) == ("bearer", TEAM, KEY_ID)
    assert before <= claims["iat"] <= int(time.time())


def test_what_the_request_asks_for_goes_along(apns):
    """Data beside `aps`, and the collapse key."""
    push = {"push": {"collapse_key": "order-1", "data": {"order": "1"}}}
    apns.send(options=push, content=Content(text="t"))
    assert json.loads(apns.heard.body) == {"order": "1", "aps": {"alert": {"body": "t"}}}
    assert apns.heard.headers["apns-collapse-id"] == "order-1"


def test_a_low_priority_does_not_wake_the_device(apns):
    for priority, said in ((Priority.HIGH, "10"), (Priority.MEDIUM, "10"), (Priority.LOW, "5")):
        apns.send(priority=priority)
        assert apns.heard.headers["apns-priority"] == said


@pytest.mark.parametrize(
    "recipient",
    [PushToken("f" * 20, Platform.FCM), PushToken("{}", Platform.WEBPUSH), PhoneNumber("+447700900123")],
)
def test_nothing_of_another_platform_is_sent(apns, recipient):
    assert apns.send(recipient=recipient) == REJECTED
    assert apns.server.heard == []


def test_the_id_is_the_same_in_every_attempt(apns):
    apns.send(attempt=1)
    apns.send(attempt=2)
    assert {heard.headers["apns-id"] for heard in apns.server.heard} == {ID}
    assert {heard.headers["apns-collapse-id"] for heard in apns.server.heard} == {ID}, "the device folds them"


#: reliability.md's table, apart from the module's own.
EXPECTED = [
    ("Unregistered ExpiredToken", INVALID),
    ("BadDeviceToken", REJECTED),  # too few answers to believe it
    (
        "DeviceTokenNotForTopic MissingDeviceToken BadPath MethodNotAllowed DuplicateHeaders",
        REJECTED,
    ),
    ("BadTopic MissingTopic TopicDisallowed InvalidPushType", CONFIG),
    ("BadCertificate BadCertificateEnvironment Forbidden", CONFIG),
    ("InvalidProviderToken MissingProviderToken ExpiredProviderToken", CONFIG),
    ("BadEnvironmentKeyIdInToken UnrelatedKeyIdInToken", CONFIG),
    ("TooManyProviderTokenUpdates", replace(CONFIG, not_before=1_200.0)),
    ("BadCollapseId BadExpirationDate BadPriority BadMessageId PayloadEmpty PayloadTooLarge", CONTENT),
    ("TooManyRequests", Deferred(Reason.THROTTLED, 60.0, one_connection=True)),
    ("InternalServerError ServiceUnavailable Shutdown IdleTimeout", AGAIN),
]
BY_REASON = {reason: outcome for reasons, outcome in EXPECTED for reason in reasons.split()}


def test_each_reason_has_its_outcome(apns):
    """Whatever the HTTP status beside it; the reason is kept for the operator's own rules."""
    assert set(BY_REASON) == set(CODES)
    for reason, outcome in BY_REASON.items():
        assert apns.send(problem(400, reason)) == outcome, reason
        assert apns.said.answer.code == reason


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (problem(400, "NobodyKnows"), REJECTED),
        (problem(500, "NobodyKnows"), AGAIN),
        (Said(502, b"<html>"), AGAIN),
        (Said(403, b""), CONFIG),
        (Said(429, b"", {"retry-after": "7"}), Deferred(Reason.THROTTLED, 7.0)),
        (Said(301, b"", {"location": "https://elsewhere.example/"}), REJECTED),
    ],
)
def test_a_reason_nobody_knows_is_judged_by_its_status(apns, answer, outcome):
    assert apns.send(answer) == outcome


def test_a_wrong_environment_suppresses_nobody(apns):
    """One bad token among good ones is a bad token; if many are, it is the environment."""
    for _ in range(11):
        apns.send(TAKEN)
    assert apns.send(problem(400, "BadDeviceToken")) == INVALID
    assert apns.send(problem(400, "DeviceTokenNotForTopic")) == REJECTED
    for _ in range(5):
        found = apns.send(problem(400, "BadDeviceToken"))
    assert found == CONFIG
    assert apns.send(problem(400, "DeviceTokenNotForTopic")) == CONFIG


def test_a_200_without_an_id_is_no_acceptance(apns):
    """Whoever says so is not APNs."""
    assert isinstance(apns.send(Said(200, b"{}")), Uncertain)


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        (Fault2.GOAWAY_UNSEEN, AGAIN),
        (Fault2.REFUSE, AGAIN),
        (Fault2.GOAWAY_SEEN, Uncertain()),
        (Fault2.RESET, Uncertain()),
        (Fault2.CLOSE, Uncertain()),
        (Fault2.GARBAGE, Uncertain()),
        (Fault2.HANG, Uncertain()),
        (Fault2.PINGS, Uncertain()),
    ],
    ids=lambda value: value.name if isinstance(value, Fault2) else "",
)
def test_only_what_apns_may_have_looked_at_is_uncertain(apns, fault, outcome):
    """Streams above a GOAWAY's last are sent again; those below nobody knows about."""
    started = time.monotonic()
    assert apns.send(fault, 0.6) == outcome
    assert time.monotonic() - started < 2
    assert apns.send(TAKEN) == ACCEPTED


def test_a_thread_s_messages_go_over_one_connection(apns):
    """Those that were refused too; another thread has its own."""
    for answer in (TAKEN, problem(410, "Unregistered"), TAKEN):
        apns.send(answer)
    other = apns.account.build()
    other.send(MESSAGE, Deadline(5))
    other.close()
    assert [heard.connection for heard in apns.server.heard] == [1, 1, 1, 2]
    assert len({heard.headers["authorization"] for heard in apns.server.heard}) == 1, "one token for all"


def test_32_threads_send_what_each_was_given(apns):
    """A client shared by threads would mix them up."""
    apns.server.answer = lambda heard: Said(200, headers={"apns-id": heard.headers["apns-id"]})
    outcomes, begin = {}, threading.Barrier(32)

    def work(number):
        provider = apns.account.build()
        begin.wait(60)
        for turn in range(3):
            made = UUID(int=number * 10 + turn)
            outcomes[made] = provider.send(replace(MESSAGE, id=made), Deadline(20))
        provider.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert outcomes == {made: Accepted(str(made), Answer("200")) for made in outcomes}
    assert (len(outcomes), apns.server.connections) == (96, 32)


def test_over_tls_the_certificate_is_verified(tmp_path):
    context, trusted = authority(tmp_path)
    with http2_server(TAKEN, context) as server:
        stranger = Apns(server, tmp_path, "timeout=20")
        assert stranger.send() == CONFIG
        assert "certificate" in stranger.said.answer.text
        friend = Apns(server, tmp_path, f"ca_file={trusted}")
        assert friend.send() == ACCEPTED
        friend.provider.close()
        assert len(server.heard) == 1


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (problem(400, "BadDeviceToken"), None),
        (problem(403, "InvalidProviderToken"), "was 403 InvalidProviderToken"),
        (problem(400, "TopicDisallowed"), "was 400 TopicDisallowed"),
        (Said(200, b""), "was 200 "),
    ],
)
def test_doctor_has_a_message_to_no_device_refused(apns, answer, says):
    apns.server.answer = answer
    found = apns.provider.try_out(Deadline(5))
    assert found is None if says is None else found.endswith(says)
    assert apns.heard.path == f"/3/device/{'0' * 64}"


# The provider token.


class Clock:
    def __init__(self):
        self.now = 1_800_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def tokens(clock):
    return ProviderTokens(TEAM, KEY_ID, signing_key(), clock)


def test_a_token_is_used_for_40_minutes(tokens, clock):
    """Between Apple's 20 and 60."""
    first = tokens.token()
    clock.now += 2_399
    assert tokens.token() == first
    clock.now += 1
    assert tokens.token() != first


def test_a_refused_token_is_renewed_but_not_within_20_minutes(tokens, clock):
    """Else Apple refuses every token of the key for a while."""
    first = tokens.token()
    clock.now += 1_199
    assert tokens.token(first) == first
    clock.now += 1
    second = tokens.token(first)
    assert second != first
    assert tokens.token(first) == second, "who was refused with the old one takes the new one"


def test_a_clock_that_was_set_back_makes_a_new_token(tokens, clock):
    first = tokens.token()
    clock.now -= 5
    assert tokens.token() != first


def test_an_expired_token_is_renewed_and_the_message_sent_once_more(apns, clock):
    """And once only."""
    tokens = ProviderTokens(TEAM, KEY_ID, signing_key(), clock)
    apns.provider._config = replace(apns.provider._config, tokens=tokens)
    old = tokens.token()
    clock.now += 1_500

    def picky(heard):
        return problem(403, "ExpiredProviderToken") if heard.headers["authorization"].endswith(old) else TAKEN

    assert apns.send(picky) == ACCEPTED
    assert apns.send(problem(403, "ExpiredProviderToken")) == CONFIG
    assert len(apns.server.heard) == 3


# The URL and the key.


@pytest.mark.parametrize(
    ("url", "says"),
    [
        (f"apns://?key=/k&key_id={KEY_ID}&topic={TOPIC}", "needs the team ID"),
        (f"apns://{TEAM}@?key_id={KEY_ID}&topic={TOPIC}", "needs the option key,"),
        (f"apns://{TEAM}@?key=/k&topic={TOPIC}", "needs the option key_id"),
        (f"apns://{TEAM}@?key=/k&key_id={KEY_ID}", "needs the option topic"),
        (f"apns://{TEAM}@?key=/k&key_id=short&topic={TOPIC}", "the option key_id must be the 10 letters"),
        (f"apns://{TEAM}@?key=/k&key_id={KEY_ID}&topic=a%20b", "the option topic must be"),
        (
            f"apns://{TEAM}@?key=/k&key_id={KEY_ID}&topic={TOPIC}&environment=test",
            "must be production or sandbox",
        ),
        (f"apns://{TEAM}:x@?key=/k&key_id={KEY_ID}&topic={TOPIC}", "takes no password"),
    ],
)
def test_a_url_that_will_not_do_is_named(url, says):
    with pytest.raises(ProviderUrlError, match=says):
        parse_url(Channel.PUSH, url)


@pytest.mark.parametrize(
    ("more", "host"), [("", "api.push.apple.com"), ("&environment=sandbox", "api.sandbox.push.apple.com")]
)
def test_the_environment_says_where_it_goes(tmp_path, more, host):
    url = f"apns://{TEAM}@?{options(key_file(tmp_path))}{more}"
    endpoint = parse_provider_url(Channel.PUSH, url, ProviderDefaults()).build()._config.endpoint
    assert (endpoint.host, endpoint.port, endpoint.plain) == (host, 443, False)


@pytest.mark.parametrize(
    "content", [None, b"", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"]
)
def test_a_key_that_will_not_do_is_named(tmp_path, content):
    path = tmp_path / "key.p8"
    if content is not None:
        path.write_bytes(content)
    url = f"apns://{TEAM}@?{options(path)}"
    with pytest.raises(SetupError, match="the option key"):
        parse_provider_url(Channel.PUSH, url, ProviderDefaults()).build()
