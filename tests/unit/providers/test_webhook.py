"""Signed webhooks: what goes over the wire, whom it may go to, and what the answers mean."""

import base64
import dataclasses
import hashlib
import hmac
import json
import time
from datetime import UTC, datetime
from urllib.parse import quote
from uuid import UUID

import pytest

from notifier.domain.ids import uuid7
from notifier.domain.lanes import Channel, Priority
from notifier.domain.lifecycle import Reason
from notifier.domain.notification import Content, Outgoing
from notifier.domain.outcomes import Accepted, Deferred, Refused
from notifier.domain.recipients import ChatDestination
from notifier.providers.base import Deadline, ProviderDefaults, SetupError
from notifier.providers.registry import parse_provider_url
from notifier.providers.urls import ProviderUrlError, parse_url
from notifier.providers.webhook_secrets import secrets_in
from notifier.providers.webhook_signing import headers_of, signature
from tests.nodes.web import Said, web_server

OLD, NEW = b"an-old-secret-of-24-bytes", b"a-new-secret-with-32-bytes-in-it"
ID = UUID("01890a5d-ac96-774b-bcce-b302099a8057")


def written(secret):
    return "whsec_" + base64.b64encode(secret).decode()


def outgoing(**more):
    usual = {"recipient": ChatDestination("ops"), "content": Content(title="Deploy", text="**Done** é")}
    return Outgoing(id=ID, priority=Priority.HIGH, **(usual | more))


def url(at, more="dangerous_plain=true", secret=None):
    secret = written(NEW) if secret is None else secret
    return f"webhook+https://{at}/notify/t0k3n-path?name=ops&secret={quote(secret, safe='')}&{more}"


def sent(server, message=None, **how):
    provider = parse_provider_url(
        Channel.CHAT, url(f"127.0.0.1:{server.port}", **how), ProviderDefaults()
    ).build()
    try:
        return provider.send(message or outgoing(), Deadline(5))
    finally:
        provider.close()


def verified(heard, secret):
    """As a receiver would check it, by the specification's own words."""
    name, stamp = heard.headers["webhook-id"], heard.headers["webhook-timestamp"]
    digest = hmac.new(secret, f"{name}.{stamp}.".encode() + heard.body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode() in heard.headers["webhook-signature"].split(" ")


def test_the_specifications_own_example_is_signed_as_it_says():
    """From the test vectors of its reference libraries: the signature is over the very bytes."""
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    made = signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert secrets_in("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw") == (secret,)


def test_what_goes_over_the_wire_can_be_verified_and_is_what_the_page_says():
    with web_server(Said(200, b"ok")) as server:
        outcome = sent(server, outgoing(options={"chat": {"format": "markdown"}}))
    (heard,) = server.heard
    assert outcome == Accepted(f"ntf_{ID}", outcome.answer)
    assert (heard.method, heard.path) == ("POST", "/notify/t0k3n-path")
    assert verified(heard, NEW)
    assert not verified(heard, OLD)
    assert abs(int(heard.headers["webhook-timestamp"]) - time.time()) < 60
    assert heard.headers["content-type"] == "application/json"
    assert json.loads(heard.body) == {
        "type": "notification.chat",
        "timestamp": "2023-06-30T03:34:18.518000+00:00",
        "data": {
            "id": f"ntf_{ID}",
            "title": "Deploy",
            "text": "**Done** é",
            "format": "markdown",
            "priority": "high",
        },
    }


def test_while_a_secret_is_changed_a_message_is_signed_by_both():
    with web_server(Said(204)) as server:
        sent(server, secret=f"{written(NEW)},{written(OLD)}")
    (heard,) = server.heard
    assert verified(heard, NEW)
    assert verified(heard, OLD)
    assert len(heard.headers["webhook-signature"].split(" ")) == 2


def test_each_attempt_is_signed_anew_over_the_same_id_and_body():
    """By the id a receiver knows a copy; by the timestamp it knows that the copy is no replay."""
    first = headers_of(outgoing(attempt=1), b"{}", (NEW,), 1000)
    second = headers_of(outgoing(attempt=2), b"{}", (NEW,), 1060)
    assert first["webhook-id"] == second["webhook-id"]
    assert first["webhook-signature"] != second["webhook-signature"]
    assert "." not in first["webhook-id"]
    other = dataclasses.replace(outgoing(), id=uuid7(datetime.now(UTC)))
    assert headers_of(other, b"{}", (NEW,), 1000)["webhook-id"] != first["webhook-id"]


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (200, Accepted),
        (204, Accepted),
        (299, Accepted),
        (302, Refused(Reason.PROVIDER_REJECTED)),
        (400, Refused(Reason.PROVIDER_REJECTED)),
        (401, Deferred(Reason.AUTH_FAILED)),
        (404, Deferred(Reason.PROVIDER_UNAVAILABLE)),
        (408, Deferred(Reason.PROVIDER_UNAVAILABLE)),
        (410, Deferred(Reason.AUTH_FAILED)),
        (413, Refused(Reason.CONTENT_REJECTED)),
        (425, Deferred(Reason.PROVIDER_UNAVAILABLE)),
        (429, Deferred(Reason.THROTTLED, 9.0)),
        (502, Deferred(Reason.PROVIDER_UNAVAILABLE)),
    ],
)
def test_what_an_answer_means(status, expected):
    """As docs/providers/webhook.md has it; a Retry-After is kept."""
    headers = {"Retry-After": "9"} if status == 429 else {}
    with web_server(Said(status, b"", headers)) as server:
        outcome = sent(server)
    if expected is Accepted:
        assert isinstance(outcome, Accepted)
    else:
        assert dataclasses.replace(outcome, answer=expected.answer) == expected
        assert outcome.answer.code == str(status)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "10.0.0.1", "169.254.169.254", "2130706433"])
def test_a_private_address_is_never_called(host):
    """Unless the operator says so: refused for good, and nothing of the network inside is told."""
    with web_server(Said(200)) as server:
        provider = parse_provider_url(
            Channel.CHAT, url(f"{host}:{server.port}", "timeout=3"), ProviderDefaults()
        ).build()
        outcome = provider.send(outgoing(), Deadline(3))
        provider.close()
    assert isinstance(outcome, Refused)
    assert outcome.reason == Reason.PROVIDER_REJECTED
    assert "not public" in outcome.answer.text
    assert server.connections == 0


def test_a_receivers_own_query_goes_along_and_is_a_secret():
    at_rest = "dangerous_plain=true&query=key%3Ds3cret-query%26x%3D1"
    with web_server(lambda heard: Said(400, json.dumps({"error": f"bad {heard.path}"}).encode())) as server:
        outcome = sent(server, more=at_rest)
    assert server.heard[0].path == "/notify/t0k3n-path?key=s3cret-query&x=1"
    assert "s3cret-query" not in outcome.answer.text
    assert "t0k3n-path" not in outcome.answer.text


def test_a_path_of_short_pieces_is_a_secret_as_a_whole():
    given = url("AT").replace("/notify/t0k3n-path", "/a7/b7/c7")
    with web_server(lambda heard: Said(400, json.dumps({"error": f"no {heard.path}"}).encode())) as server:
        at = given.replace("AT", f"127.0.0.1:{server.port}")
        provider = parse_provider_url(Channel.CHAT, at, ProviderDefaults()).build()
        outcome = provider.send(outgoing(), Deadline(5))
        provider.close()
    assert outcome.answer.text == "no <secret>"


def test_secrets_may_stand_in_a_file(tmp_path):
    path = tmp_path / "secret"
    path.write_text(f"{written(NEW)}\n{written(OLD)}\n")
    with web_server(Said(200)) as server:
        given = f"webhook+https://127.0.0.1:{server.port}/?name=ops&secret_file={path}&dangerous_plain=true"
        provider = parse_provider_url(Channel.CHAT, given, ProviderDefaults()).build()
        provider.send(outgoing(), Deadline(5))
        provider.close()
    assert verified(server.heard[0], NEW)
    assert verified(server.heard[0], OLD)
    path.write_text("whsec_dG9vIHNob3J0")
    with pytest.raises(SetupError, match="24 to 64 bytes") as caught:
        parse_provider_url(Channel.CHAT, given, ProviderDefaults()).build()
    assert "dG9vIHNob3J0" not in str(caught.value)
    path.unlink()
    with pytest.raises(SetupError, match="secret_file"):
        parse_provider_url(Channel.CHAT, given, ProviderDefaults()).build()


@pytest.mark.parametrize(
    "secret",
    ["", "whsec_", written(b"x" * 23), written(b"x" * 65), "x" * 40, f"{written(NEW)}," * 2 + written(OLD)],
)
def test_a_secret_that_would_not_protect_is_refused(secret):
    """24 to 64 bytes, one or two of them; the secret is not repeated."""
    with pytest.raises(ProviderUrlError) as caught:
        parse_url(Channel.CHAT, url("hooks.example.com", "timeout=3", secret=secret))
    assert "option secret" in str(caught.value)
    assert len(secret) < 8 or secret not in str(caught.value)


def test_nothing_that_is_kept_shows_the_secret_or_the_path():
    parsed = parse_url(Channel.CHAT, url("hooks.example.com", "query=key%3Ds3cret-query"))
    provider = parse_provider_url(
        Channel.CHAT, url("hooks.example.com", "timeout=3"), ProviderDefaults()
    ).build()
    shown = f"{parsed.options!r} {provider!r} {provider._config!r}"
    assert not [one for one in (written(NEW), "s3cret-query", "t0k3n-path", repr(NEW)) if one in shown]
