"""Twilio: what is sent for a message, and what each of its codes becomes."""

import json
from dataclasses import replace
from uuid import UUID

import pytest

from notifier.domain.lanes import Channel
from notifier.domain.lifecycle import Reason
from notifier.domain.notification import Content, Outgoing
from notifier.domain.outcomes import Accepted, Answer, Deferred, Refused, Uncertain
from notifier.domain.recipients import PhoneNumber
from notifier.providers.base import Deadline, ProviderDefaults
from notifier.providers.http_answers import basic
from notifier.providers.registry import parse_provider_url
from notifier.providers.twilio_codes import CODES
from tests.nodes.web import Said, web_server

SERVICE = "MG" + "0" * 32
ACCOUNT = "AC" + "0" * 32
MESSAGE = Outgoing(
    id=UUID(int=1),
    recipient=PhoneNumber("+447700900123"),
    content=Content(text="Käse & Brot €5"),
    seconds_left=3_599.7,
)
TAKEN = Said(201, json.dumps({"sid": "SM1", "status": "queued", "error_code": None}).encode())

AGAIN = Deferred(Reason.PROVIDER_UNAVAILABLE)
THROTTLED = Deferred(Reason.THROTTLED)
CONFIG = Deferred(Reason.AUTH_FAILED)
INVALID = Refused(Reason.INVALID_RECIPIENT)
REJECTED = Refused(Reason.PROVIDER_REJECTED)
CONTENT = Refused(Reason.CONTENT_REJECTED)


def send(url_options, answer, outgoing=MESSAGE, user=ACCOUNT, sms_from=None):
    """The outcome and the request, against a server that answers so."""
    with web_server(answer) as server:
        url = f"twilio://{user}:t0ken@127.0.0.1:{server.port}?dangerous_plain=true{url_options}"
        account = parse_provider_url(Channel.SMS, url, ProviderDefaults(sms_from=sms_from))
        provider = account.build()
        outcome = provider.send(outgoing, Deadline(5))
        provider.close()
        return outcome, server.heard[0]


def problem(status, code, message="no", headers=None):
    return Said(status, json.dumps({"code": code, "message": message}).encode(), headers or {})


def test_a_message_is_sent_as_twilio_asks():
    """Basic authentication, a form, the time that is left; the message's SID is the reference."""
    outcome, heard = send("&from=%2B15005550006&receipts_url=https%3A%2F%2Facme.example%2Fr", TAKEN)
    assert outcome == Accepted("SM1", Answer("201"))
    assert (heard.method, heard.path) == ("POST", f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json")
    assert heard.headers["authorization"] == basic(ACCOUNT, "t0ken")
    assert heard.form == {
        "To": "+447700900123",
        "From": "+15005550006",
        "Body": "Käse & Brot €5",
        "ValidityPeriod": "3599",
        "StatusCallback": f"https://acme.example/r?notification=ntf_{MESSAGE.id}",
    }


@pytest.mark.parametrize(
    ("left", "validity"), [(0.2, "1"), (60.0, "60"), (36_000.0, "36000"), (259_200.0, "36000")]
)
def test_twilio_keeps_a_message_no_longer_than_it_lives(left, validity):
    """As far as Twilio can: from 1 second to ten hours."""
    _, heard = send("&from=Acme", TAKEN, replace(MESSAGE, seconds_left=left))
    assert heard.form["ValidityPeriod"] == validity


def test_who_it_is_from():
    """The request's own sender, the URL's, a messaging service, the setting: in this order."""
    own = replace(MESSAGE, options={"sms": {"sender_id": "Shop"}})
    assert send(f"&messaging_service={SERVICE}", TAKEN, own)[1].form["From"] == "Shop"
    _, heard = send(f"&messaging_service={SERVICE}", TAKEN, sms_from="+15005550006")
    assert heard.form["MessagingServiceSid"] == SERVICE
    assert "From" not in heard.form
    assert send("&from=Acme", TAKEN, sms_from="+15005550006")[1].form["From"] == "Acme"
    assert send("", TAKEN, sms_from="+15005550006")[1].form["From"] == "+15005550006"


def test_an_api_key_signs_in_for_an_account():
    """Its SID and secret authenticate, the account's SID stands in the path."""
    _, heard = send(f"&from=Acme&account={ACCOUNT}", TAKEN, user="SK1")
    assert heard.path == f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
    assert heard.headers["authorization"] == basic("SK1", "t0ken")


#: (codes, the first try's outcome): reliability.md's table, apart from the module's own.
EXPECTED = [
    ("20429", THROTTLED),
    ("21611 30001 30022 30023", replace(THROTTLED, not_before=60.0)),
    ("20500 20503", AGAIN),
    ("20003 20005 20404 30002 21212 21603 21606 21659 21701 21703 21705 30034", CONFIG),
    ("21211 21214 21217 21614 21635 30005 30006", INVALID),
    ("21610", Refused(Reason.RECIPIENT_OPTED_OUT)),
    ("21408 21612 30004 30007", REJECTED),
    ("21602 21617 30019", CONTENT),
    ("30003", replace(AGAIN, not_before=1_800.0)),
    ("30008", AGAIN),
    ("30036", Refused(Reason.EXPIRED)),
]
BY_CODE = {code: outcome for codes, outcome in EXPECTED for code in codes.split()}


def test_the_whole_table_is_tested():
    assert set(BY_CODE) == set(CODES)


def test_each_code_has_its_outcome():
    """Whatever the HTTP status beside it; the code is kept for the operator's own rules."""
    answer = [problem(400, 1)]
    with web_server(lambda _: answer[0]) as server:
        url = f"twilio://{ACCOUNT}:t0ken@127.0.0.1:{server.port}?dangerous_plain=true&from=Acme"
        provider = parse_provider_url(Channel.SMS, url, ProviderDefaults()).build()
        found = {}
        for code in BY_CODE:
            answer[0] = problem(400, int(code))
            outcome = provider.send(MESSAGE, Deadline(5))
            assert outcome.answer == Answer(code, "no")
            found[code] = replace(outcome, answer=Answer())
        provider.close()
    assert found == BY_CODE


@pytest.mark.parametrize(
    ("code", "attempt", "outcome"),
    [
        (30003, 2, replace(AGAIN, not_before=1_800.0)),
        (30003, 3, Refused(Reason.UNREACHABLE_RECIPIENT)),
        (30008, 2, REJECTED),
    ],
)
def test_some_codes_are_tried_a_few_times_only(code, attempt, outcome):
    """Twilio's own advice: a one-time issue may be gone, a lasting one is not."""
    found, _ = send("&from=Acme", problem(400, code), replace(MESSAGE, attempt=attempt))
    assert replace(found, answer=Answer()) == outcome


@pytest.mark.parametrize("code", [21212, 21606, 30034])
def test_a_sender_that_the_request_chose_is_no_fault_of_the_account(code):
    """So that one caller's sender does not stop everybody's messages."""
    own = replace(MESSAGE, options={"sms": {"sender_id": "Shop"}})
    found, _ = send("&from=Acme", problem(400, code), own)
    assert replace(found, answer=Answer()) == REJECTED


def test_a_throttle_waits_as_long_as_it_is_asked_to():
    """Retry-After, and not less than the table says."""
    found, _ = send("&from=Acme", problem(429, 20429, headers={"Retry-After": "17"}))
    assert replace(found, answer=Answer()) == Deferred(Reason.THROTTLED, 17.0)
    found, _ = send("&from=Acme", problem(429, 30001, headers={"Retry-After": "17"}))
    assert replace(found, answer=Answer()) == Deferred(Reason.THROTTLED, 60.0)


def test_a_code_nobody_knows_is_judged_by_its_status():
    """An unknown 4xx is for good, an unknown 5xx is not."""
    assert replace(send("&from=Acme", problem(400, 29999))[0], answer=Answer()) == REJECTED
    assert replace(send("&from=Acme", problem(500, 29999))[0], answer=Answer()) == AGAIN


@pytest.mark.parametrize("body", [b"<html>Welcome</html>", b"{}", b'{"sid": "a b"}', b"[1]"])
def test_a_200_without_a_sid_is_no_acceptance(body):
    """A proxy that says 200 to everything would swallow messages; 201 is Twilio's own word."""
    assert isinstance(send("&from=Acme", Said(200, body))[0], Uncertain)
    assert send("&from=Acme", Said(201, body))[0] == Accepted("", Answer("201"))


def test_a_message_that_failed_at_once_is_not_accepted():
    """Its SID comes with an error code."""
    failed = json.dumps({"sid": "SM1", "status": "failed", "error_code": 30007, "error_message": "spam"})
    found, _ = send("&from=Acme", Said(201, failed.encode()))
    assert found == replace(REJECTED, answer=Answer("30007", "spam"))


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (Said(200, b'{"status": "active"}'), None),
        (Said(200, b'{"status": "suspended"}'), "the account is suspended"),
        (problem(401, 20003), "the answer to a look at the account was 401"),
    ],
)
def test_doctor_reads_the_account(answer, says):
    """Nothing is sent, and nothing but the account is asked for."""
    with web_server(answer) as server:
        url = f"twilio://{ACCOUNT}:t0ken@127.0.0.1:{server.port}?dangerous_plain=true&from=Acme"
        provider = parse_provider_url(Channel.SMS, url, ProviderDefaults()).build()
        assert provider.try_out(Deadline(5)) == says
        provider.close()
        assert [(heard.method, heard.path) for heard in server.heard] == [
            ("GET", f"/2010-04-01/Accounts/{ACCOUNT}.json")
        ]
