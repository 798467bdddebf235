"""Web Push: what the browser can read and nobody else, where messages may go, and what each answer becomes."""

import base64
import json
from dataclasses import replace
from uuid import UUID

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from notifier.domain.lanes import Channel, Priority
from notifier.domain.lifecycle import Reason
from notifier.domain.notification import Content, Outgoing
from notifier.domain.outcomes import Accepted, Answer, Deferred, Refused
from notifier.domain.recipients import PhoneNumber, Platform, PushToken
from notifier.providers.base import Deadline, ProviderDefaults, SetupError
from notifier.providers.option_values import contact as read_contact
from notifier.providers.registry import parse_provider_url
from notifier.providers.urls import ProviderUrlError, parse_url
from notifier.providers.vapid import Signer
from notifier.providers.webpush_codes import CODES
from notifier.providers.webpush_hosts import KNOWN, is_allowed, patterns_of
from tests.nodes.browser import SUBJECT, Subscription, base64url, options, point, vapid_file, vapid_key
from tests.nodes.web import Said, authority, web_server

ENDPOINT = "https://push.example.com/wpush/v2/s3cret?x=1"
TAKEN = Said(201, headers={"Location": "https://push.example.com/m/0:15%31bd"})
MESSAGE = Outgoing(
    id=UUID("01890a5d-ac96-774b-bcce-b302099a8057"),
    recipient=PushToken("{}", Platform.WEBPUSH),
    content=Content(title="Order €5", text="is on its way"),
    seconds_left=3_599.7,
)
INVALID = Refused(Reason.INVALID_RECIPIENT)
REJECTED = Refused(Reason.PROVIDER_REJECTED)
CONFIG = Deferred(Reason.AUTH_FAILED)


class Push:
    """A push service that is called for every subscription, and a provider for it."""

    def __init__(self, server, folder, more="dangerous_plain=true"):
        self.server = server
        self.subscription = Subscription(ENDPOINT)
        url = f"webpush://127.0.0.1:{server.port}?{options(vapid_file(folder))}&hosts=push.example.com&{more}"
        self.provider = parse_provider_url(Channel.PUSH, url, ProviderDefaults()).build()

    def send(self, answer=None, **changed):
        """The outcome without what was said."""
        self.server.answer = answer or self.server.answer
        outgoing = replace(MESSAGE, **{"recipient": self.subscription.recipient, **changed})
        self.said = self.provider.send(outgoing, Deadline(5))
        return replace(self.said, answer=Answer())

    @property
    def headers(self):
        return self.server.heard[-1].headers

    def read(self):
        """What the browser reads of the last message."""
        return self.subscription.decrypted(self.server.heard[-1].body)


@pytest.fixture
def push(tmp_path):
    with web_server(TAKEN) as server:
        made = Push(server, tmp_path)
        yield made
        made.provider.close()


def test_the_browser_can_read_it_and_the_push_service_not(push):
    """RFC 8291: one record, encrypted for the subscription's keys."""
    assert push.send() == Accepted("0:15%31bd")
    (heard,) = push.server.heard
    assert (heard.method, heard.path) == ("POST", "/wpush/v2/s3cret?x=1")
    assert push.read() == {"notification": {"title": "Order €5", "body": "is on its way"}}
    assert heard.headers["content-encoding"] == "aes128gcm"
    assert b"way" not in heard.body
    push.send(options={"push": {"data": {"order": "1"}}})
    assert push.read()["data"] == {"order": "1"}


def test_the_push_service_learns_who_we_are(push):
    """RFC 8292: a token for its origin alone, for less than a day, signed with the key that stands beside it."""
    push.send()
    scheme, _, rest = push.headers["authorization"].partition(" ")
    parts = dict(part.strip().split("=", 1) for part in rest.split(","))
    assert scheme == "vapid"
    assert parts["k"] == base64url(point(vapid_key().public_key()))
    public = vapid_key().public_key()
    claims = jwt.decode(parts["t"], public, algorithms=["ES256"], audience="https://push.example.com")
    assert claims["sub"] == SUBJECT


def test_ttl_urgency_and_topic_go_in_the_clear(push):
    """RFC 8030, 5.2 to 5.4; TTL must stand there."""
    push.send()
    assert push.headers["ttl"] == "3599"
    assert push.headers["topic"] == "01890a5dac96774bbcceb302099a8057"
    assert push.headers["urgency"] == "normal"
    for priority, urgency in ((Priority.HIGH, "high"), (Priority.LOW, "low")):
        push.send(priority=priority)
        assert push.headers["urgency"] == urgency
    for left, ttl in ((0.3, "0"), (9_999_999.0, "2592000")):
        push.send(seconds_left=left)
        assert push.headers["ttl"] == ttl


def test_a_collapse_key_is_the_topic(push):
    """Of any 64 characters; 32 of base64url are allowed."""
    topics = []
    for key in ("order 1 / ü"[:9], "order-2", "order-2"):
        push.send(options={"push": {"collapse_key": key}})
        topics.append(push.headers["topic"])
    assert topics[0] != topics[1] == topics[2]
    assert all(len(topic) == 32 and base64.urlsafe_b64decode(topic) for topic in topics)


def test_a_message_holds_3993_bytes(push):
    """More would be a second record, which RFC 8291 forbids."""
    frame = len(json.dumps({"notification": {"body": ""}}, separators=(",", ":")))
    assert isinstance(push.send(content=Content(text="x" * (3_993 - frame))), Accepted)
    assert len(push.server.heard[-1].body) == 4_096
    assert len(push.read()["notification"]["body"]) == 3_993 - frame
    assert push.send(content=Content(text="x" * (3_994 - frame))) == Refused(Reason.CONTENT_REJECTED)
    assert len(push.server.heard) == 1


@pytest.mark.parametrize("recipient", [PushToken("a" * 64, Platform.APNS), PhoneNumber("+447700900123")])
def test_nothing_of_another_platform_is_sent(push, recipient):
    assert push.send(recipient=recipient) == REJECTED
    assert push.server.heard == []


def test_every_row_of_the_table(push):
    """reliability.md, 6; the others are judged by their status, as the conformance suite shows."""
    assert set(CODES) == {"404", "410", "403"}
    assert push.send(Said(404, b'{"errno": 102}')) == INVALID
    assert push.send(Said(410, b'{"errno": 103, "message": "Subscription has expired"}')) == INVALID
    assert push.said.answer == Answer("410", "Subscription has expired")
    assert push.send(Said(403, b'{"reason": "BadJwtToken"}')) == CONFIG
    assert push.said.answer == Answer("403", "BadJwtToken")
    assert push.send(Said(202)) == Accepted("01890a5dac96774bbcceb302099a8057")


def test_one_subscription_of_an_old_key_does_not_stop_the_account(push):
    """If many are refused so, it is our key."""
    for _ in range(12):
        push.send(TAKEN)
    assert push.send(Said(403)) == REJECTED
    for _ in range(5):
        found = push.send(Said(403))
    assert found == CONFIG


def test_a_long_reference_is_a_key_and_not_kept(push):
    """Who knows the message's URL may withdraw it."""
    secret = "gAAAAAB" + "x" * 180
    assert push.send(Said(201, headers={"Location": f"https://push.example.com/m/{secret}"})) == Accepted(
        "01890a5dac96774bbcceb302099a8057"
    )


def test_the_endpoint_is_not_in_the_answer(push):
    """Nor the token that was signed for it, in whatever spelling they are repeated."""

    def repeating(heard):
        words = f"no {heard.path} {heard.headers['authorization']} {ENDPOINT}"
        return Said(400, json.dumps({"message": words}).encode())

    push.send(repeating)
    text = push.said.answer.text
    assert text.startswith("no ")
    assert "s3cret" not in text
    assert push.headers["authorization"].split("t=")[1].split(",")[0] not in text


# Where messages may go.


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://127.0.0.1/x",
        "https://localhost/x",
        "https://[::1]/x",
        "https://push.example.org/x",
        "https://push.example.com:8443/x",
        "http://push.example.com/x",
        "https://user@push.example.com/x",
        "https://push.example.com.evil.example/x",
        "https://evil-push.example.com/x",
    ],
)
def test_an_endpoint_elsewhere_is_not_called(push, endpoint):
    """Whatever let it through the door."""
    assert push.send(recipient=Subscription(endpoint).private()) == REJECTED
    assert push.server.heard == []


def private_provider(folder, more):
    url = f"webpush://?{options(vapid_file(folder))}&{more}"
    return parse_provider_url(Channel.PUSH, url, ProviderDefaults()).build()


def test_an_allowed_name_that_leads_inside_is_not_called(tmp_path):
    """Any host is allowed here, and each address is judged when it is connected to."""
    provider = private_provider(tmp_path, "hosts=*")
    for host in ("127.0.0.1", "localhost", "2130706433", "0x7f000001"):
        recipient = Subscription(f"https://{host}/x").private()
        outcome = provider.send(replace(MESSAGE, recipient=recipient), Deadline(5))
        assert outcome == replace(REJECTED, answer=Answer(text="the host's address is not public"))
    provider.close()


def test_each_push_service_has_a_connection_that_is_kept(tmp_path):
    """And of many only the last few are."""
    context, trusted = authority(tmp_path)
    provider = private_provider(tmp_path, f"dangerous_private=true&ca_file={trusted}")
    with web_server(TAKEN, context) as first, web_server(TAKEN, context) as second:
        for server in (first, second, first, second):
            recipient = Subscription(f"https://127.0.0.1:{server.port}/x").private()
            assert isinstance(provider.send(replace(MESSAGE, recipient=recipient), Deadline(5)), Accepted)
        assert (first.connections, second.connections) == (1, 1)
        for number in range(10):
            gone = Subscription(f"https://127.0.0.1:{first.port}/x").private()
            other = json.loads(gone.token) | {"endpoint": f"https://localhost:{1 + number}/x"}
            recipient = PushToken(json.dumps(other), Platform.WEBPUSH)
            provider.send(replace(MESSAGE, recipient=recipient), Deadline(5))
        assert len(provider._clients) == 8
        provider.close()


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("fcm.googleapis.com", True),
        ("updates.push.services.mozilla.com", True),
        ("web.push.apple.com", True),
        ("wns2-par02p.notify.windows.com", True),
        ("FCM.googleapis.com.", True),
        ("push.apple.com", False),
        ("evilpush.apple.com", False),
        ("fcm.googleapis.com.evil.example", False),
        ("googleapis.com", False),
        ("169.254.169.254", False),
    ],
)
def test_known_push_services_are_allowed_and_no_others(host, allowed):
    assert is_allowed(host, KNOWN) is allowed


def test_hosts_take_the_place_of_the_known_ones():
    patterns = patterns_of("push.example.com,*.example.org")
    assert is_allowed("push.example.com", patterns)
    assert is_allowed("a.b.example.org", patterns)
    assert not is_allowed("fcm.googleapis.com", patterns)
    assert is_allowed("anything", patterns_of("*"))
    assert patterns_of(None) == KNOWN


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("vapid_key=/k", "needs the option subject"),
        ("subject=mailto:a@b.example", "needs the option vapid_key"),
        ("vapid_key=k&subject=mailto:a@b.example", "the option vapid_key must be the absolute path"),
        ("vapid_key=/k&subject=ops@example.com", "the option subject must be mailto:"),
        ("vapid_key=/k&subject=mailto:a@b.example&hosts=*.com/x", "the option hosts must be"),
        ("vapid_key=/k&subject=mailto:a@b.example&hosts=a.example,*", "the option hosts must be"),
        ("vapid_key=/k&subject=mailto:a@b.example&dangerous_plain=true", "only for one of"),
    ],
)
def test_a_url_that_will_not_do_is_named(query, says):
    with pytest.raises(ProviderUrlError, match=says.replace("*", r"\*")):
        parse_url(Channel.PUSH, f"webpush://?{query}")


# The key.


def pem(key, password=None):
    kind = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, kind)


@pytest.mark.parametrize(
    "content",
    [
        None,
        b"",
        b"no key",
        b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        base64.urlsafe_b64encode(b"x" * 31),
        pem(ec.generate_private_key(ec.SECP384R1())),
        pem(rsa.generate_private_key(public_exponent=65_537, key_size=1_024)),
        pem(ec.generate_private_key(ec.SECP256R1()), b"locked"),
    ],
    ids=["missing", "empty", "words", "damaged", "short", "P-384", "RSA", "locked"],
)
def test_a_key_that_will_not_do_is_named(tmp_path, content):
    """And none is made in its place, as the library would: its subscriptions would all be lost."""
    path = tmp_path / "vapid.pem"
    if content is not None:
        path.write_bytes(content)
    url = f"webpush://?{options(path)}"
    with pytest.raises(SetupError, match="the option vapid_key"):
        parse_provider_url(Channel.PUSH, url, ProviderDefaults()).build()
    assert path.exists() is (content is not None)


def test_a_key_in_base64url_does_as_well(tmp_path):
    path = tmp_path / "vapid.txt"
    raw = vapid_key().private_numbers().private_value.to_bytes(32, "big")
    path.write_text(base64url(raw) + "\n")
    provider = parse_provider_url(Channel.PUSH, f"webpush://?{options(path)}", ProviderDefaults()).build()
    header = provider._config.signer.authorization("https://push.example.com")
    assert header.endswith(f",k={base64url(point(vapid_key().public_key()))}")


def test_a_token_is_used_for_hours_and_no_longer():
    """Push services may refuse who makes a new one for each message, and must refuse one of more than a day."""
    now = [1_000_000.0]
    signer = Signer(vapid_key(), SUBJECT, clock=lambda: now[0])
    first = signer.authorization("https://a.example")
    now[0] += 21_599
    assert signer.authorization("https://a.example") == first
    assert signer.authorization("https://b.example") != first
    now[0] += 1
    assert signer.authorization("https://a.example") != first
    now[0] -= 50_000
    later = signer.authorization("https://a.example")
    claims = jwt.decode(later.split("t=")[1].split(",")[0], options={"verify_signature": False})
    assert claims["exp"] == int(now[0]) + 43_200, "a clock that was set back makes no token of the future"


@pytest.mark.parametrize("subject", ["mailto:ops@localhost", "https://example.com/contact?a=b", SUBJECT])
def test_every_subject_that_a_url_takes_can_be_signed(subject):
    """A library that is stricter than our own check would fail at the first send."""
    read_contact(subject)
    assert Signer(vapid_key(), subject).authorization("https://push.example.com")


def test_tokens_of_many_origins_are_not_kept_for_ever():
    """With `hosts=*` a stranger chooses them."""
    signer = Signer(vapid_key(), SUBJECT)
    for number in range(300):
        signer.authorization(f"https://{number}.example")
    assert len(signer._made) == 256
