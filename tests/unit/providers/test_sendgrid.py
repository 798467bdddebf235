"""SendGrid: what is sent for a message, and what each of its answers becomes."""

import json
import time
from base64 import b64decode, b64encode
from dataclasses import replace
from email.header import decode_header, make_header
from uuid import UUID

import pytest

from notifier.domain.attachments import MAX_BYTES, Attachment
from notifier.domain.ids import notification_id
from notifier.domain.lanes import Channel
from notifier.domain.lifecycle import Reason
from notifier.domain.notification import Content, Outgoing
from notifier.domain.outcomes import Accepted, Answer, Deferred, Refused, Uncertain
from notifier.domain.recipients import EmailAddress, PhoneNumber
from notifier.providers.base import Deadline, ProviderDefaults
from notifier.providers.registry import parse_provider_url
from notifier.providers.sendgrid_codes import CODES, until_reset
from notifier.providers.urls import ProviderUrlError
from tests.nodes.web import Fault, Said, web_server
from tests.unit.providers.test_sendgrid_receipts import shown

MESSAGE = Outgoing(
    id=UUID(int=1),
    recipient=EmailAddress("ada@example.com", "Ada, Countess"),
    content=Content(subject="Käse", text="Brot\n", html="<p>Brot</p>"),
)
TAKEN = Said(202, headers={"X-Message-Id": "14Y8kI2zQwGzVqTnE0-s_A"})
KEY = "SG.k3y"

AGAIN = Deferred(Reason.PROVIDER_UNAVAILABLE)
CONFIG = Deferred(Reason.AUTH_FAILED)
REJECTED = Refused(Reason.PROVIDER_REJECTED)
CONTENT = Refused(Reason.CONTENT_REJECTED)
INVALID = Refused(Reason.INVALID_RECIPIENT)


def problem(status, *fields, message="no", headers=None):
    """An error for each field, as SendGrid words them."""
    errors = [{"message": message, "field": field, "help": None} for field in fields]
    return Said(status, json.dumps({"errors": errors}).encode(), headers or {})


def provider_at(server, options=""):
    url = f"sendgrid://:{KEY}@127.0.0.1:{server.port}?dangerous_plain=true{options}"
    defaults = ProviderDefaults(email_from="Acme News <news@acme.example>")
    return parse_provider_url(Channel.EMAIL, url, defaults).build()


def send(answer, outgoing=MESSAGE, options=""):
    """The outcome and the request, against a server that answers so; no request where none was made."""
    with web_server(answer) as server:
        provider = provider_at(server, options)
        outcome = provider.send(outgoing, Deadline(5))
        provider.close()
        return outcome, server.heard[0] if server.heard else None


def sent(outgoing=MESSAGE, options=""):
    """The JSON that went out."""
    return json.loads(send(TAKEN, outgoing, options)[1].body)


def bare(outcome):
    return replace(outcome, answer=Answer())


def test_a_message_is_sent_as_sendgrid_asks():
    """The key in a header, text before HTML, our id where every event repeats it; the message's id is the reference."""
    outcome, heard = send(TAKEN)
    assert outcome == Accepted("14Y8kI2zQwGzVqTnE0-s_A", Answer("202"))
    assert (heard.method, heard.path) == ("POST", "/v3/mail/send")
    assert heard.headers["authorization"] == f"Bearer {KEY}"
    assert heard.headers["content-type"] == "application/json"
    assert json.loads(heard.body) == {
        "personalizations": [{"to": [{"email": "ada@example.com", "name": "Ada, Countess"}]}],
        "from": {"email": "news@acme.example", "name": "Acme News"},
        "subject": "Käse",
        "content": [
            {"type": "text/plain", "value": "Brot\n"},
            {"type": "text/html", "value": "<p>Brot</p>"},
        ],
        "headers": {"Message-ID": f"<{notification_id(MESSAGE.id)}@acme.example>"},
        "custom_args": {"notification_id": notification_id(MESSAGE.id)},
    }


def test_who_it_is_from():
    """The URL's sender goes before the setting's."""
    assert sent(options="&from=Shop%20<shop@acme.example>")["from"] == {
        "email": "shop@acme.example",
        "name": "Shop",
    }


def test_answers_go_to_whom_the_request_says():
    asked = replace(MESSAGE, options={"email": {"reply_to": "Help <help@acme.example>"}})
    assert sent(asked)["reply_to"] == {"email": "help@acme.example", "name": "Help"}


def test_own_headers_arrive_as_they_are_meant():
    """On one line each; what is not ASCII is encoded (RFC 2047), for SendGrid does not do it."""
    long = "word " * 300 + "end"
    headers = {"X-Campaign": "autumn", "X-City": "Zürich ist groß " * 4, "X-Long": long}
    found = sent(replace(MESSAGE, options={"email": {"headers": headers}}))["headers"]
    assert found["X-Campaign"] == "autumn"
    assert found["X-City"].isascii()
    assert "\n" not in found["X-City"] + found["X-Long"]
    assert str(make_header(decode_header(found["X-City"]))) == headers["X-City"]
    assert str(make_header(decode_header(found["X-Long"]))) == long


def test_a_reader_leaves_with_one_click_and_by_our_link_alone():
    """Both headers of RFC 8058; SendGrid's own subscription link, if the account has one, is off for this message."""
    found = sent(replace(MESSAGE, unsubscribe_url="https://notify.example.com/v1/unsubscribe/T"))
    assert found["headers"]["List-Unsubscribe"] == "<https://notify.example.com/v1/unsubscribe/T>"
    assert found["headers"]["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert found["tracking_settings"] == {"subscription_tracking": {"enable": False}}


def test_files_go_along():
    data = b64encode(b"%PDF-1.7 \0\xff").decode()
    file = Attachment(filename="Rechnung März.pdf", content_type="application/pdf", data=data)
    content = Content(subject="Hi", text="It is attached.", attachments=(file,))
    assert sent(replace(MESSAGE, content=content))["attachments"] == [
        {
            "content": data,
            "type": "application/pdf",
            "filename": "Rechnung März.pdf",
            "disposition": "attachment",
        }
    ]


def test_the_largest_files_that_a_caller_may_attach_arrive_whole():
    """10 MB, in one request of 13 MB."""
    data = b64encode(bytes(range(256)) * (MAX_BYTES // 256)).decode()
    file = Attachment(filename="all.bin", content_type="application/octet-stream", data=data)
    content = replace(MESSAGE.content, attachments=(file,))
    assert sent(replace(MESSAGE, content=content))["attachments"][0]["content"] == data


def test_the_answer_to_a_message_with_files_is_kept_too():
    """Their data is no text that an answer would repeat."""
    file = Attachment(filename="a.pdf", content_type="application/pdf", data="AAAA")
    content = replace(MESSAGE.content, attachments=(file,))
    outcome, _ = send(problem(400, "attachments.0.type"), replace(MESSAGE, content=content))
    assert outcome == replace(CONTENT, answer=Answer("400 attachments.type", "no"))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"recipient": PhoneNumber("+447700900123")}, "no e-mail address"),
        ({"recipient": EmailAddress("ada@example.com, eve@example.com")}, "no plain address"),
        ({"recipient": EmailAddress("ada@example.com", "Ada\r\nBcc: eve@example.com")}, "control character"),
        ({"content": Content(subject="", text="x")}, "without a subject"),
        ({"content": Content(text="x")}, "without a subject"),
        ({"content": Content(subject="a\nb", text="x")}, "control character"),
        ({"content": Content(subject="Hi", text="")}, "needs text or html"),
        ({"content": Content(subject="Hi", text="\ud800")}, "lone surrogate"),
        ({"options": {"email": {"headers": {"X-SG-EID": "1"}}}}, "keeps the header X-SG-EID to itself"),
        ({"options": {"email": {"headers": {"x-sg-id": "1"}}}}, "keeps the header x-sg-id to itself"),
        ({"options": {"email": {"headers": {"Bcc": "eve@example.com"}}}}, "not allowed"),
        ({"options": {"email": {"headers": {"X-A": "1\r\nBcc: eve@example.com"}}}}, "control character"),
        ({"options": {"email": {"reply_to": "nobody"}}}, "no e-mail address"),
        ({"options": {"email": {"cc": "eve@example.com"}}}, "reply_to and headers"),
    ],
)
def test_what_can_t_become_an_e_mail_is_never_sent(change, says):
    outcome, heard = send(TAKEN, replace(MESSAGE, **change))
    assert heard is None
    assert isinstance(outcome, Refused)
    assert outcome.reason == Reason.RENDER_ERROR
    assert says in outcome.answer.text


def test_a_sandbox_sends_to_nobody_and_says_so():
    """Only where the URL asks for it; else a 200 is nobody's word for a message that was taken."""
    checked = Said(200)
    outcome, heard = send(checked, options="&sandbox=true")
    assert outcome == Accepted("", Answer("200", "sandbox: checked, sent to nobody"))
    assert json.loads(heard.body)["mail_settings"] == {"sandbox_mode": {"enable": True}}
    assert "mail_settings" not in sent()
    assert "mail_settings" not in sent(options="&sandbox=false")
    assert isinstance(send(checked)[0], Uncertain)


#: (codes, outcome), apart from the module's own table.
EXPECTED = [
    ("401|403|451|400 from", CONFIG),
    ("429", Deferred(Reason.THROTTLED)),
    ("400 personalizations.to", INVALID),
    ("400 subject|400 content|400 attachments|413|415", CONTENT),
]
BY_CODE = {code: outcome for codes, outcome in EXPECTED for code in codes.split("|")}


def test_the_whole_table_is_tested():
    assert set(BY_CODE) == set(CODES)


@pytest.mark.parametrize("code", BY_CODE)
def test_each_code_has_its_outcome(code):
    """The status and the field are kept as the code, for the operator's own rules."""
    status, _, named = code.partition(" ")
    outcome, _ = send(problem(int(status), named or None))
    assert outcome == replace(BY_CODE[code], answer=Answer(code, "no"))


@pytest.mark.parametrize(
    ("status", "fields", "code", "expected"),
    [
        (400, ["personalizations.0.to.0.email"], "400 personalizations.to.email", INVALID),
        (400, ["content.1.value"], "400 content.value", CONTENT),
        (400, ["from.email"], "400 from.email", CONFIG),
        (403, ["from"], "403 from", CONFIG),
        (400, ["headers"], "400 headers", REJECTED),
        (400, ["personalizations"], "400 personalizations", REJECTED),
        (400, ["reply_to.email"], "400 reply_to.email", REJECTED),
        (400, [None], "400", REJECTED),
        (400, ["personalizations.0.to.0.email", "from"], "400 from", CONFIG),
        (400, ["custom_args", "subject"], "400 subject", CONTENT),
        (400, ["custom_args", "x y"], "400 custom_args", REJECTED),
        (400, ["a" * 100], "400", REJECTED),
        (404, [None], "404", REJECTED),
        (406, [None], "406", REJECTED),
        (500, [None], "500", AGAIN),
        (503, ["from"], "503 from", AGAIN),
    ],
)
def test_an_answer_is_judged_by_its_fields(status, fields, code, expected):
    """What is below a field counts as the field; what is ours to mend goes before what speaks of the message."""
    outcome, _ = send(problem(status, *fields))
    assert (outcome.answer.code, bare(outcome)) == (code, expected)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"errors": {}}', b'{"errors": ["no"]}', b'{"errors": [{"field": 5}]}', b"\xff"]
)
def test_an_answer_in_another_form_is_judged_by_its_status(body):
    assert bare(send(Said(400, body))[0]) == REJECTED
    assert bare(send(Said(401, body))[0]) == CONFIG


def test_all_that_is_said_is_kept_without_what_is_private():
    """The words of every error; no address, name, text or key in them."""
    words = f"ada@example.com alias Ada, Countess: {KEY} got <p>Brot</p>"
    outcome, _ = send(problem(400, "subject", "content", message=words))
    assert outcome.answer.text == "; ".join(["<address> alias <secret>: <secret> got <secret>"] * 2)


def test_a_throttle_waits_until_the_limit_begins_anew():
    """X-RateLimit-Reset is a moment; Retry-After goes before it, and a status that is no throttle has none."""
    moment = {"X-RateLimit-Reset": str(int(time.time()) + 90)}
    outcome, _ = send(problem(429, None, headers=moment))
    assert outcome.reason == Reason.THROTTLED
    assert 80 < outcome.not_before <= 90
    assert send(problem(429, None, headers={**moment, "Retry-After": "7"}))[0].not_before == 7
    assert send(problem(500, None, headers=moment))[0].not_before is None


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("1800000060", 60.0), ("1799999999", 0.0), ("30", 30.0), ("99999999999", 86_400.0)]
    + [(bad, None) for bad in ("", "soon", "-1", "1.5", "٣")],
)
def test_a_reset_is_a_moment_or_seconds(said, seconds):
    assert until_reset({"x-ratelimit-reset": said}, 1_800_000_000) == seconds


@pytest.mark.parametrize("fault", [Fault.CUT_BODY, Fault.CLOSE])
def test_what_nobody_knows_stays_uncertain(fault):
    """A 201 is not SendGrid's word, and no answer is none."""
    assert isinstance(send(fault)[0], Uncertain)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (Said(200, b'{"scopes": ["alerts.read", "mail.send"]}'), None),
        (Said(200, b'{"scopes": ["alerts.read"]}'), "the API key lacks the scope mail.send"),
        (Said(200, b"<html>"), "the answer to a look at the key's scopes was 200"),
        (problem(401, None), "the answer to a look at the key's scopes was 401"),
    ],
)
def test_doctor_reads_what_the_key_may_do(answer, says):
    """Nothing is sent."""
    with web_server(answer) as server:
        provider = provider_at(server)
        assert provider.try_out(Deadline(5)) == says
        provider.close()
        (heard,) = server.heard
        assert (heard.method, heard.path) == ("GET", "/v3/scopes")
        assert heard.headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(
    ("key", "says"),
    [(shown(), None), (b64encode(b64decode(shown())[:-1] + b"\0").decode(), "no key on the curve")],
)
def test_doctor_looks_at_the_key_of_receipts(key, says):
    """Else only the first receipt would show that it was copied wrong."""
    with web_server(Said(200, b'{"scopes": ["mail.send"]}')) as server:
        provider = provider_at(server, f"&verification_key={key}")
        found = provider.try_out(Deadline(5))
        provider.close()
    assert found is None if says is None else says in found


@pytest.mark.parametrize(
    ("options", "host"), [("", "api.sendgrid.com"), ("&region=eu", "api.eu.sendgrid.com")]
)
def test_an_account_sends_from_its_region(options, host):
    """Whoever is kept in the EU is never sent to from elsewhere."""
    account = parse_provider_url(
        Channel.EMAIL, f"sendgrid://:{KEY}@?from=a@acme.example{options}", ProviderDefaults()
    )
    provider = account.build()
    assert (provider._config.endpoint.host, provider._config.endpoint.port) == (host, 443)
    assert account.name == "sendgrid"


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("sendgrid://", "needs the API key, as in sendgrid://:API_KEY@"),
        ("sendgrid://user:HUNTER22@", "takes no user"),
        ("sendgrid://:HUNTER22@?region=us", "region must be global or eu"),
        ("sendgrid://:HUNTER22@api.example.com?region=eu", "a host and a region, not both"),
        ("sendgrid://:HUNTER22@?sandbox=yes", "sandbox must be true or false"),
        ("sendgrid://:HUNTER22@api.example.com?dangerous_plain=true", "only for one of"),
    ],
)
def test_a_url_that_won_t_do_is_refused_without_its_key(url, says):
    with pytest.raises(ProviderUrlError, match=says) as wrong:
        parse_provider_url(Channel.EMAIL, url, ProviderDefaults())
    assert "HUNTER22" not in str(wrong.value)
