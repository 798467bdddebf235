"""Vonage: what is sent for a message, and what each status of a part becomes."""

import json
from dataclasses import replace
from uuid import UUID

import pytest

from notifier.domain.ids import notification_id
from notifier.domain.lanes import Channel
from notifier.domain.lifecycle import Reason
from notifier.domain.notification import Content, Outgoing
from notifier.domain.outcomes import Accepted, Answer, Deferred, Refused, Uncertain
from notifier.domain.recipients import PhoneNumber
from notifier.providers.base import Deadline, ProviderDefaults
from notifier.providers.http_answers import basic
from notifier.providers.registry import parse_provider_url
from notifier.providers.vonage_codes import CODES
from tests.nodes.web import Fault, Said, web_server

MESSAGE = Outgoing(
    id=UUID(int=1),
    recipient=PhoneNumber("+447700900123"),
    content=Content(text="Käse & Brot"),
    seconds_left=3_600.0,
)
AGAIN = Deferred(Reason.PROVIDER_UNAVAILABLE)
THROTTLED = Deferred(Reason.THROTTLED)
CONFIG = Deferred(Reason.AUTH_FAILED)
INVALID = Refused(Reason.INVALID_RECIPIENT)
REJECTED = Refused(Reason.PROVIDER_REJECTED)


def parts(*statuses):
    """An answer with a part for each status."""
    found = [
        {"status": status, "message-id": f"0C{number}"}
        if status == "0"
        else {"status": status, "error-text": "no"}
        for number, status in enumerate(statuses)
    ]
    return Said(200, json.dumps({"message-count": str(len(found)), "messages": found}).encode())


def send(answer, outgoing=MESSAGE, options="&from=Acme"):
    """The outcome and the request, against a server that answers so."""
    with web_server(answer) as server:
        url = f"vonage://k3y:s3cret@127.0.0.1:{server.port}?dangerous_plain=true{options}"
        provider = parse_provider_url(Channel.SMS, url, ProviderDefaults()).build()
        outcome = provider.send(outgoing, Deadline(5))
        provider.close()
        return outcome, server.heard[0]


def bare(outcome):
    return replace(outcome, answer=Answer())


def test_a_message_is_sent_as_vonage_asks():
    """A form with the credentials in it, numbers without +, our id as client-ref."""
    options = "&from=%2B15005550006&receipts_url=https%3A%2F%2Facme.example%2Fr"
    outcome, heard = send(parts("0", "0"), options=options)
    assert outcome == Accepted("0C0", Answer("0"))
    assert (heard.method, heard.path) == ("POST", "/sms/json")
    assert heard.form == {
        "api_key": "k3y",
        "api_secret": "s3cret",
        "from": "15005550006",
        "to": "447700900123",
        "text": "Käse & Brot",
        "type": "text",
        "ttl": "3600000",
        "client-ref": notification_id(MESSAGE.id),
        "status-report-req": "true",
        "callback": "https://acme.example/r",
    }


@pytest.mark.parametrize(("text", "kind"), [("€ {äöü}", "text"), ("Привет", "unicode"), ("ok 👍", "unicode")])
def test_a_text_beyond_the_gsm_alphabet_goes_as_unicode(text, kind):
    """Else Vonage would put question marks in its place."""
    _, heard = send(parts("0"), replace(MESSAGE, content=Content(text=text)))
    assert (heard.form["type"], heard.form["text"]) == (kind, text)


@pytest.mark.parametrize(("left", "ttl"), [(0.5, "20000"), (60.5, "60500"), (9_999_999.0, "604800000")])
def test_vonage_tries_no_longer_than_a_message_lives(left, ttl):
    """As far as Vonage can: from 20 seconds to seven days, in milliseconds."""
    _, heard = send(parts("0"), replace(MESSAGE, seconds_left=left))
    assert heard.form["ttl"] == ttl


def test_a_request_s_own_sender_goes_first():
    own = replace(MESSAGE, options={"sms": {"sender_id": "Shop"}})
    assert send(parts("0"), own)[1].form["from"] == "Shop"
    assert bare(send(parts("15"), own)[0]) == REJECTED


#: (statuses, outcome), apart from the module's own table.
EXPECTED = [
    ("1 10", THROTTLED),
    ("5", AGAIN),
    ("2 4 8 9 11 14 15 23 32", CONFIG),
    ("6 33", INVALID),
    ("3 7 22 29", REJECTED),
    ("12", Refused(Reason.CONTENT_REJECTED)),
]
BY_STATUS = {status: outcome for statuses, outcome in EXPECTED for status in statuses.split()}


def test_the_whole_table_is_tested():
    assert set(BY_STATUS) == set(CODES)


@pytest.mark.parametrize("status", BY_STATUS)
def test_each_status_has_its_outcome(status):
    """The status is kept as the code, for the operator's own rules."""
    outcome, _ = send(parts(status, status))
    assert outcome == replace(BY_STATUS[status], answer=Answer(status, "no"))


def test_a_status_nobody_knows_is_a_refusal():
    """It is no success, whatever else it says; a number is a status too."""
    assert bare(send(parts("99"))[0]) == REJECTED
    assert bare(send(parts(1))[0]) == THROTTLED


def test_a_message_of_which_a_part_was_taken_is_uncertain():
    """Nobody can take back the part that went, nor knows whether the rest will follow."""
    outcome, _ = send(parts("0", "1", "0"))
    assert outcome == Uncertain(answer=Answer("1", "1 of 3 parts not taken, the first: no"))


@pytest.mark.parametrize(
    "answer",
    [
        Said(200, b"<html>Welcome</html>"),
        Said(200, b'{"messages": []}'),
        Said(200, b'{"messages": ["0"]}'),
        Said(200, b'{"messages": [{}]}'),
        Said(202, b'{"messages": [{"status": "0"}]}'),
        Fault.CUT_BODY,
    ],
)
def test_an_answer_in_another_form_is_uncertain(answer):
    """The request was taken by somebody, and nobody has said what became of it."""
    assert isinstance(send(answer)[0], Uncertain)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (Said(200, b'{"value": 3.14}'), None),
        (Said(401), "the answer to a look at the balance was 401"),
    ],
)
def test_doctor_reads_the_balance(answer, says):
    """Nothing is sent, and no secret stands in the URL."""
    with web_server(answer) as server:
        url = f"vonage://k3y:s3cret@127.0.0.1:{server.port}?dangerous_plain=true&from=Acme"
        provider = parse_provider_url(Channel.SMS, url, ProviderDefaults()).build()
        assert provider.try_out(Deadline(5)) == says
        provider.close()
        (heard,) = server.heard
        assert (heard.method, heard.path) == ("GET", "/account/get-balance")
        assert heard.headers["authorization"] == basic("k3y", "s3cret")
