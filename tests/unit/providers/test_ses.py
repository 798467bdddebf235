"""Amazon SES: what is sent for an e-mail, and what each of its errors becomes."""

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from notifier.domain.attachments import Attachment
from notifier.domain.ids import notification_id
from notifier.domain.lanes import Channel
from notifier.domain.lifecycle import Reason
from notifier.domain.notification import Content, Outgoing
from notifier.domain.outcomes import Accepted, Answer, Deferred, Refused, Uncertain
from notifier.domain.recipients import EmailAddress
from notifier.providers.base import Deadline, ProviderDefaults
from notifier.providers.registry import parse_provider_url
from notifier.providers.ses_codes import CODES
from notifier.providers.urls import ProviderUrlError, parse_url
from tests.nodes.aws import Ses, problem
from tests.nodes.web import Fault, Said, web_server

SECRET = "wJalr/XUtn+FEMI"
ENCODED = "wJalr%2FXUtn+FEMI"
TOKEN = "IQoJb3JpZ2luX2VjEXAMPLE+/token=="
MESSAGE = Outgoing(
    id=UUID(int=1),
    recipient=EmailAddress("ada@example.com", "Ada"),
    content=Content(subject="Grüße", text="Käse, Brot und anderes\n.\n..\n.x\n", html="<p>Käse</p>"),
)
AGAIN = Deferred(Reason.PROVIDER_UNAVAILABLE)
THROTTLED = Deferred(Reason.THROTTLED)
USED_UP = Deferred(Reason.THROTTLED, 600.0)
CONFIG = Deferred(Reason.AUTH_FAILED)
CONTENT = Refused(Reason.CONTENT_REJECTED)
REJECTED = Refused(Reason.PROVIDER_REJECTED)
INVALID = Refused(Reason.INVALID_RECIPIENT)


def provider_at(server, options="", key=f"AKID:{ENCODED}"):
    url = f"ses://{key}@127.0.0.1:{server.port}?region=eu-west-1&dangerous_plain=true&from=News%20<news@acme.example>{options}"
    return parse_provider_url(Channel.EMAIL, url, ProviderDefaults()).build()


def send(answer, outgoing=MESSAGE, options=""):
    """The outcome and the requests, against a server that answers so."""
    with web_server(answer) as server:
        provider = provider_at(server, options)
        outcome = provider.send(outgoing, Deadline(5))
        provider.close()
        return outcome, server.heard


def account(**changes):
    return Ses(id="AKID", secret=SECRET, **changes)


def bare(outcome):
    return replace(outcome, answer=Answer())


def test_an_e_mail_is_sent_as_ses_asks():
    """Signed, to one recipient, our id as a tag, and the whole message as it would go over SMTP."""
    outcome, (heard,) = send(ses := account(), options="&configuration_set=events")
    assert outcome == Accepted("010f01-000000", Answer("200"))
    (taken,) = ses.taken
    data = taken.pop("Content")["Raw"]["Data"]
    assert taken == {
        "FromEmailAddress": "news@acme.example",
        "Destination": {"ToAddresses": ["ada@example.com"]},
        "EmailTags": [{"Name": "notification", "Value": notification_id(MESSAGE.id)}],
        "ConfigurationSetName": "events",
    }
    assert heard.headers["host"].startswith("127.0.0.1:")
    ses.taken[0]["Content"] = {"Raw": {"Data": data}}
    (message,) = ses.messages()
    assert (message["From"], message["To"]) == ("News <news@acme.example>", "Ada <ada@example.com>")
    assert message["Subject"] == "Grüße"
    text, html = message.get_payload()
    # No dots are doubled: that is SMTP's.
    assert text.get_content() == "Käse, Brot und anderes\r\n.\r\n..\r\n.x\r\n"
    assert html.get_content().strip() == "<p>Käse</p>"


def test_without_a_configuration_set_none_is_named():
    _, (heard,) = send(account())
    assert "ConfigurationSetName" not in json.loads(heard.body)


def test_files_headers_and_the_link_to_unsubscribe_go_along():
    data = bytes(range(256)) * 300
    whole = replace(
        MESSAGE,
        content=replace(
            MESSAGE.content,
            attachments=(
                Attachment(
                    filename="größe.pdf", content_type="application/pdf", data=base64.b64encode(data).decode()
                ),
            ),
        ),
        options={"email": {"reply_to": "desk@acme.example", "headers": {"X-Order": "7"}}},
        unsubscribe_url="https://notify.example.com/u/1",
    )
    outcome, _ = send(ses := account(), whole)
    assert isinstance(outcome, Accepted)
    (message,) = ses.messages()
    (file,) = message.iter_attachments()
    assert (file.get_filename(), file.get_content()) == ("größe.pdf", data)
    assert (message["Reply-To"], message["X-Order"]) == ("desk@acme.example", "7")
    assert message["List-Unsubscribe"] == "<https://notify.example.com/u/1>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


def test_what_ses_says_of_an_e_mail_with_files_is_kept():
    """Their bytes are no text that could be masked."""
    content = replace(
        MESSAGE.content,
        attachments=(Attachment(filename="a.txt", content_type="text/plain", data="YQ=="),),
    )
    outcome, _ = send(problem(400, "MessageRejected", "a virus"), replace(MESSAGE, content=content))
    assert outcome == Refused(Reason.CONTENT_REJECTED, Answer("MessageRejected", "a virus"))


@pytest.mark.parametrize("name", ["X-SES-CONFIGURATION-SET", "x-ses-source-arn"])
def test_a_caller_can_not_steer_the_account(name):
    """SES reads headers of its own: whose identity sends, which events are published."""
    own = replace(MESSAGE, options={"email": {"headers": {name: "x"}}})
    with web_server(account()) as server:
        outcome = provider_at(server).send(own, Deadline(5))
        assert bare(outcome) == Refused(Reason.RENDER_ERROR)
        assert server.heard == []


def test_what_can_not_become_an_e_mail_is_not_sent():
    for wrong, expected in [
        (replace(MESSAGE, content=Content(subject="x")), Refused(Reason.RENDER_ERROR)),
        (replace(MESSAGE, recipient=EmailAddress("jørn@example.com")), REJECTED),
    ]:
        with web_server(account()) as server:
            assert bare(provider_at(server).send(wrong, Deadline(5))) == expected
            assert server.heard == []


@pytest.mark.parametrize("ahead", [timedelta(hours=-7), timedelta(minutes=6), timedelta(days=400)])
def test_a_wrong_clock_holds_nothing_up(ahead):
    """Promise 12. SES's own time is learnt from its refusal, once: the next message is right at once."""
    with web_server(ses := account(ahead=ahead)) as server:
        provider = provider_at(server)
        for _ in range(2):
            assert isinstance(provider.send(MESSAGE, Deadline(5)), Accepted)
        provider.close()
        assert len(ses.taken) == 2
        assert len(server.heard) == 3


def test_a_clock_that_is_set_right_later_is_learnt_too():
    with web_server(ses := account(ahead=timedelta(hours=3))) as server:
        provider = provider_at(server)
        assert isinstance(provider.send(MESSAGE, Deadline(5)), Accepted)
        ses.ahead = timedelta(0)
        assert isinstance(provider.send(MESSAGE, Deadline(5)), Accepted)
        provider.close()


@pytest.mark.parametrize("date", [None, "none", "Mon, 99 Foo 2026 00:00:00 GMT"])
def test_a_refused_signature_is_not_tried_twice_by_a_right_clock(date):
    """It is the secret that is wrong."""
    answer = problem(403, "InvalidSignatureException", date=None if date else datetime.now(UTC))
    if date:
        answer = replace(answer, headers={**answer.headers, "Date": date})
    outcome, heard = send(answer)
    assert bare(outcome) == CONFIG
    assert len(heard) == 1


def test_a_clock_that_can_not_be_put_right_waits():
    """The second answer counts, whatever it is."""
    outcome, heard = send(problem(403, "RequestExpired", date=datetime.now(UTC) + timedelta(hours=2)))
    assert bare(outcome) == CONFIG
    assert len(heard) == 2


@pytest.mark.parametrize(
    ("key", "changes", "outcome"),
    [
        (f"AKID:{ENCODED}", {"secret": "another"}, CONFIG),
        (f"AKID:{ENCODED}", {"region": "eu-west-2"}, CONFIG),
        (f"AKID2:{ENCODED}", {}, CONFIG),
        (f"AKID:{ENCODED}", {"token": TOKEN}, CONFIG),
    ],
)
def test_a_wrong_key_is_ours_to_mend(key, changes, outcome):
    """The look-alike checks signatures by code of its own, so these show that it does."""
    ses = Ses(**({"id": "AKID", "secret": SECRET} | changes))
    with web_server(ses) as server:
        provider = provider_at(server, key=key)
        assert bare(provider.send(MESSAGE, Deadline(5))) == outcome
        provider.close()
        assert ses.taken == []


def test_a_lent_key_sends_its_token():
    ses = account(token=TOKEN)
    outcome, (heard,) = send(ses, options="&session_token=IQoJb3JpZ2luX2VjEXAMPLE+%2Ftoken%3D%3D")
    assert isinstance(outcome, Accepted)
    assert heard.headers["x-amz-security-token"] == TOKEN


#: (codes, outcome), apart from the module's own table.
EXPECTED = [
    ("TooManyRequests Throttling Throttled RequestThrottled RequestLimitExceeded", THROTTLED),
    ("LimitExceeded", USED_UP),
    ("AccountSuspended SendingPaused MailFromDomainNotVerified NotFound", CONFIG),
    ("InvalidClientTokenId UnrecognizedClient MissingAuthenticationToken OptInRequired", CONFIG),
    ("InvalidSignature SignatureDoesNotMatch IncompleteSignature", CONFIG),
    ("RequestExpired RequestTimeTooSkewed RequestInTheFuture ExpiredToken InvalidToken", CONFIG),
    ("AccessDenied NotAuthorized UnknownOperation InvalidAction", CONFIG),
    ("InternalFailure InternalServiceError InternalServerError InternalServer", AGAIN),
    ("ServiceUnavailable RequestTimeout", AGAIN),
    ("MessageRejected RequestEntityTooLarge", CONTENT),
    (
        "BadRequest InvalidParameterValue Validation ValidationError MalformedHttpRequest Serialization",
        REJECTED,
    ),
]
BY_CODE = {code: outcome for codes, outcome in EXPECTED for code in codes.split()}


def test_the_whole_table_is_tested():
    assert set(BY_CODE) == set(CODES)


@pytest.mark.parametrize("code", BY_CODE)
@pytest.mark.parametrize("end", ["", "Exception"])
def test_each_code_has_its_outcome(code, end):
    """Whatever the status; the code is kept without its end, for the operator's own rules."""
    outcome, _ = send(problem(418, code + end))
    assert outcome == replace(BY_CODE[code], answer=Answer(code, "no"))


@pytest.mark.parametrize(
    ("code", "text", "expected"),
    [
        ("MessageRejected", "Email address is not verified. The following identities failed the check in region EU-WEST-1: x", CONFIG),
        ("MessageRejected", "Sending suspended for this account. For more information, please check the inbox", CONFIG),
        ("BadRequestException", "Configuration set <events> does not exist.", CONFIG),
        ("ThrottlingException", "Daily message quota exceeded.", USED_UP),
        ("TooManyRequestsException", "Maximum sending rate exceeded.", THROTTLED),
        ("BadRequestException", "Missing final '@domain'", INVALID),
        ("BadRequestException", "Domain contains control or whitespace", INVALID),
        ("InvalidParameterValue", "Local address contains control or whitespace", INVALID),
        ("BadRequestException", "Invalid From address: Missing final '@domain'", REJECTED),
        ("MessageRejected", "Address blacklisted.", INVALID),
        ("InvalidParameterValue", "Message length is more than 41943040 bytes long: '50000000'.", CONTENT),
        ("BadRequestException", "a" * 60_000, REJECTED),
    ],
)  # fmt: skip
def test_a_text_goes_before_its_code(code, text, expected):
    assert bare(send(problem(400, code, text))[0]) == expected


@pytest.mark.parametrize(
    "answer",
    [
        Said(400, b'{"message": "no"}', {"x-amzn-errortype": "MessageRejected"}),
        Said(400, b'{"Message": "no", "__type": "com.amazonaws.ses#MessageRejected"}'),
        Said(400, b'{"message": "no", "code": "MessageRejected"}'),
        Said(400, b'{"message": "no", "__type": "com.amazonaws.ses#MessageRejected:http://x#y"}'),
    ],
)
def test_a_code_is_read_wherever_aws_puts_it(answer):
    assert send(answer)[0] == Refused(Reason.CONTENT_REJECTED, Answer("MessageRejected", "no"))


def test_a_code_nobody_knows_is_judged_by_its_status():
    for status, expected in [(400, REJECTED), (403, CONFIG), (429, THROTTLED), (500, AGAIN)]:
        assert send(problem(status, "NewsException"))[0] == replace(expected, answer=Answer("News", "no"))


def test_the_longer_wait_counts():
    asked = problem(429, "TooManyRequestsException")
    outcome, _ = send(replace(asked, headers={**asked.headers, "Retry-After": "30"}))
    assert bare(outcome) == Deferred(Reason.THROTTLED, 30.0)


@pytest.mark.parametrize(
    "answer",
    [
        Said(200, b"<html>Welcome</html>"),
        Said(200, b"{}"),
        Said(200, b'{"MessageId": ["010f"]}'),
        Said(202, b'{"MessageId": "010f"}'),
        Fault.CUT_BODY,
    ],
)
def test_a_success_in_another_form_is_uncertain(answer):
    """The request was taken by somebody, and nobody has said what became of it."""
    assert isinstance(send(answer)[0], Uncertain)


def test_neither_key_nor_message_stays_in_an_answer():
    """AWS repeats a request that it can't verify."""

    def repeats(heard):
        return problem(403, "InvalidSignatureException", f"{heard.headers} {heard.body.decode()} {SECRET}")

    outcome, (heard,) = send(repeats, options="&session_token=IQoJb3JpZ2luX2VjEXAMPLE+%2Ftoken%3D%3D")
    data = json.loads(heard.body)["Content"]["Raw"]["Data"]
    for private in (
        "AKID",
        SECRET,
        TOKEN,
        "ada@example.com",
        data[:60],
        heard.headers["authorization"][-64:],
    ):
        assert private not in outcome.answer.text


@pytest.mark.parametrize(
    ("account", "says"),
    [
        ({"SendingEnabled": True, "ProductionAccessEnabled": True, "EnforcementStatus": "PROBATION"}, None),
        ({"SendingEnabled": True, "ProductionAccessEnabled": False}, "the account is in the sandbox: it sends to verified addresses only"),
        ({"SendingEnabled": False, "ProductionAccessEnabled": False}, "sending is off for the account"),
        ({"SendingEnabled": True, "EnforcementStatus": "SHUTDOWN"}, "SES has shut down sending for the account"),
        ({"Welcome": True}, "the answer to a look at the account was none of SES's"),
    ],
)  # fmt: skip
def test_doctor_reads_the_account(account, says):
    """Nothing is sent."""
    ses = Ses(id="AKID", secret=SECRET, account=account)
    with web_server(ses) as server:
        provider = provider_at(server)
        assert provider.try_out(Deadline(5)) == says
        provider.close()
        assert [(heard.method, heard.path) for heard in server.heard] == [("GET", "/v2/email/account")]
        assert ses.taken == []


def test_doctor_says_what_ses_refuses():
    with web_server(problem(403, "AccessDeniedException")) as server:
        provider = provider_at(server)
        assert provider.try_out(Deadline(5)) == "the answer to a look at the account was 403 AccessDenied"
        provider.close()
    assert provider.try_out(Deadline(5)).startswith("no connection")


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("eu-west-1", "email.eu-west-1.amazonaws.com"),
        ("us-gov-west-1", "email.us-gov-west-1.amazonaws.com"),
        ("cn-north-1", "email.cn-north-1.amazonaws.com.cn"),
    ],
)
def test_a_region_leads_to_its_endpoint(region, host):
    """Its account is named after the region."""
    found = parse_provider_url(Channel.EMAIL, f"ses://AKID:{ENCODED}@{region}", ProviderDefaults())
    assert found.name == f"ses-{region}"
    config = found.build()._config
    assert (config.endpoint.host, config.endpoint.port, config.region) == (host, 443, region)
    assert config.key.secret == SECRET
    assert not config.endpoint.plain


def test_another_endpoint_needs_its_region():
    url = f"ses://AKID:{ENCODED}@email-fips.us-east-1.amazonaws.com?region=us-east-1"
    config = parse_provider_url(Channel.EMAIL, url, ProviderDefaults()).build()._config
    assert (config.endpoint.host, config.region) == ("email-fips.us-east-1.amazonaws.com", "us-east-1")


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("ses://", "needs"),
        ("ses://AKID:HUNTER22@", "needs a host"),
        ("ses://AKID@eu-west-1", "needs the secret access key"),
        ("ses://AKID:HUN/TER22@eu-west-1", "percent-encoded"),
        ("ses://AKID:HUNTER22@email.eu-west-1.amazonaws.com", "needs a region as its host"),
        ("ses://AKID:HUNTER22@eu-west-1?region=eu-west-1", "not both"),
        ("ses://AKID:HUNTER22@h?region=Europe", "region must be a region"),
        ("ses://AKID:HUNTER22@eu-west-1?configuration_set=a%20b", "configuration_set must be"),
        ("ses://AKID:HUNTER22@eu-west-1?session_token=HUNTER22", "session_token must be"),
        ("ses://AKID:HUNTER22@eu-west-1?topic=events", "topic must be the ARN"),
        ("ses://AKID:HUNTER22@eu-west-1?topic=arn:aws:sns:eu-west-1:123456789012:a,arn", "topic must be the ARN"),
        ("ses://AKID:HUNTER22@eu-west-1?dangerous_plain=true", "dangerous_plain is only for"),
    ],
)  # fmt: skip
def test_a_wrong_url_is_refused_with_what_is_allowed(url, says):
    with pytest.raises(ProviderUrlError) as told:
        parse_provider_url(Channel.EMAIL, url, ProviderDefaults())
    assert says in str(told.value)
    assert "TER22" not in str(told.value)


def test_no_key_is_shown():
    url = f"ses://AKID:{ENCODED}@eu-west-1?session_token=IQoJb3JpZ2luX2VjEXAMPLE"
    shown = f"{parse_url(Channel.EMAIL, url)!r} {parse_provider_url(Channel.EMAIL, url, ProviderDefaults()).build()._config!r}"
    assert not [secret for secret in (SECRET, "AKID", "IQoJ") if secret in shown]
