"""Access tokens: whatever the token server does, the message waits and nothing is uncertain."""

import json
import threading
import time

import jwt
import pytest

from notifier.domain.lifecycle import Reason
from notifier.domain.outcomes import Deferred
from notifier.providers.base import Deadline
from notifier.providers.google_tokens import TokenHolder, key_of
from tests.nodes.google import google, token
from tests.nodes.web import Fault, Said


def holder_of(found):
    return TokenHolder(key_of(str(found.path)), ca_file=None, connect_timeout=2)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Said(400, b'{"error": "invalid_grant", "error_description": "ya29.s3cret"}'), Reason.AUTH_FAILED),
        (Said(401, b"{}"), Reason.AUTH_FAILED),
        (Said(403, b"<html>"), Reason.AUTH_FAILED),
        (Said(301, b"", {"Location": "http://127.0.0.1:1/"}), Reason.AUTH_FAILED),
        (Said(200, b"{}"), Reason.AUTH_FAILED),
        (Said(200, b"<html>"), Reason.AUTH_FAILED),
        (Said(200, b'{"access_token": "a", "expires_in": "soon"}'), Reason.AUTH_FAILED),
        (Said(429, b"{}"), Reason.PROVIDER_UNAVAILABLE),
        (Said(500, b"{}"), Reason.PROVIDER_UNAVAILABLE),
        (Said(503, b"{}"), Reason.PROVIDER_UNAVAILABLE),
        (Fault.CLOSE, Reason.PROVIDER_UNAVAILABLE),
        (Fault.GARBAGE, Reason.PROVIDER_UNAVAILABLE),
        (Fault.HANG, Reason.PROVIDER_TIMEOUT),
        (Fault.TRICKLE_HEADERS, Reason.PROVIDER_TIMEOUT),
    ],
    ids=str,
)
def test_without_a_token_the_message_waits(tmp_path, answer, reason):
    """By the deadline, though google-auth would wait and ask again; and nothing of the answer is kept but its code."""
    with google(tmp_path, answer) as found:
        started = time.monotonic()
        outcome = holder_of(found).token(Deadline(0.6))
        assert time.monotonic() - started < 2
        assert isinstance(outcome, Deferred)
        assert outcome.reason is reason
        assert "s3cret" not in outcome.answer.text
        assert len(found.server.heard) == 1


def test_threads_that_come_together_fetch_one_token(tmp_path):
    """Whoever comes first fetches it; the others wait."""
    begun, go = threading.Event(), threading.Event()

    def slowly(_):
        begun.set()
        assert go.wait(60)
        return token("one")

    with google(tmp_path, slowly) as found:
        holder = holder_of(found)
        tokens = []
        threads = [
            threading.Thread(target=lambda: tokens.append(holder.token(Deadline(10)))) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        assert begun.wait(60)
        late = holder.token(Deadline(0.05))
        assert isinstance(late, Deferred)
        assert late.reason is Reason.PROVIDER_TIMEOUT
        go.set()
        for thread in threads:
            thread.join(10)
        assert tokens == ["one"] * 8
        assert len(found.server.heard) == 1


def test_a_refused_token_is_renewed_by_one_of_those_who_were_refused(tmp_path):
    """The others take what that one has fetched."""
    with google(tmp_path) as found:
        holder = holder_of(found)
        first = holder.token(Deadline(5))
        assert holder.token(Deadline(5), first) == "ya29.2"
        assert holder.token(Deadline(5), first) == "ya29.2"
        assert len(found.server.heard) == 2


def test_the_request_is_signed_for_messages_only(tmp_path):
    """Scope and audience stand in the assertion (RFC 7523); google-auth has signed it with the key."""

    with google(tmp_path) as found:
        holder_of(found).token(Deadline(5))
        assertion = found.server.heard[0].form["assertion"]
        claims = jwt.decode(assertion, options={"verify_signature": False})
        key = json.loads(found.path.read_text())
        assert claims["scope"] == "https://www.googleapis.com/auth/firebase.messaging"
        assert claims["iss"] == key["client_email"]
