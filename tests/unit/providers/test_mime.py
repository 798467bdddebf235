"""E-mails arrive as they were written, and nothing in them can become another header."""

import base64
import email
import email.policy
from datetime import UTC, datetime
from email.message import EmailMessage
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from notifier.domain.attachments import Attachment, check_attachments
from notifier.domain.errors import RenderError
from notifier.domain.lanes import Channel
from notifier.domain.notification import Content, Outgoing
from notifier.domain.options import check_options
from notifier.domain.recipients import EmailAddress, PhoneNumber
from notifier.providers.mime import build_email
from notifier.providers.senders import Sender

ID = UUID("01890a5d-ac96-774b-bcce-b302099a8057")
SENDER = Sender("news@acme.example", "Acme, Inc.")
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
HEADERS = {
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
}
CONTROLS = "\r\n\t\0\x1b\x7f\x85\u2028\u2029"

#: Everything but lone surrogates, which no UTF-8 can hold; rich in what goes wrong.
awkward = st.sampled_from(
    [*'\r\n. =?_<>",;:@\t\\', "\r\n.\r\n", "👩‍👩‍👧", "e\u0301", "שלום", "\u202e", "\x85", "=?utf-8?q?a?="]
)
texts = st.lists(st.one_of(awkward, st.characters(exclude_categories=["Cs"])), max_size=200).map("".join)
lines = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=255)


def built(name=None, options=None, recipient=None, **content) -> bytes:
    outgoing = Outgoing(
        id=ID,
        recipient=recipient or EmailAddress("ada@example.com", name),
        content=Content(**content),
        options=options or {},
    )
    return build_email(outgoing, SENDER, NOW).data


def undotted(data: bytes) -> bytes:
    """What a server keeps (RFC 5321, 4.5.2)."""
    return b"\r\n".join(line.removeprefix(b".") for line in data.split(b"\r\n"))


def read(data: bytes) -> EmailMessage:
    return email.message_from_bytes(undotted(data), policy=email.policy.default)


def canonical(text: str) -> bytes:
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n").encode()


def check_lines(data: bytes) -> None:
    """Fit for DATA: CRLF only, 7-bit, short lines, no lone dot."""
    assert data.endswith(b"\r\n")
    assert data.isascii()
    for line in data.split(b"\r\n"):
        assert b"\r" not in line
        assert b"\n" not in line
        assert len(line) <= 200
        assert line != b"."


@given(texts)
@example("a" * 5000)
@example("." * 300)
@example("é" + "a" * 76)
@example("a" * 76)
@example("trailing blank \r\n \t")
@example("")
def test_a_text_arrives_byte_equal(text):
    """Whatever the text, decoding gives it back, line ends made CRLF; the wire form is fit for DATA."""
    data = built(subject="Hi", text=text)
    check_lines(data)
    found = email.message_from_bytes(undotted(data))
    assert found.get_payload(decode=True) == canonical(text)


@given(texts, texts)
@example("--=_01890a5dac96774bbcceb302099a8057--", "--=_01890a5dac96774bbcceb302099a8057\r\n")
def test_text_and_html_arrive_byte_equal(text, html):
    """The plain part comes first (RFC 2046, 5.1.4), and neither can end the other."""
    data = built(subject="Hi", text=text, html=html)
    check_lines(data)
    plain, rich = email.message_from_bytes(undotted(data)).get_payload()
    assert (plain.get_content_type(), rich.get_content_type()) == ("text/plain", "text/html")
    assert plain.get_payload(decode=True) == canonical(text)
    assert rich.get_payload(decode=True) == canonical(html)


@given(subject=lines, name=st.one_of(st.none(), lines))
@example("=?utf-8?q?evil?=", '<evil@example.com>, "x')
@example(" leading and trailing ", "back\\slash")
@example("x" * 255, "ü" * 200)
def test_subject_and_name_arrive_as_written(subject, name):
    """Any line of text comes back the same, and the recipient stays one."""
    data = built(name, subject=subject, text="x")
    check_lines(data)
    found = read(data)
    assert set(found.keys()) == HEADERS
    decoded = email.header.make_header(
        email.header.decode_header(email.message_from_bytes(data)["Subject"] or "")
    )
    assert str(decoded) == subject
    (to,) = found["To"].addresses
    assert to.addr_spec == "ada@example.com"


@given(st.text(), st.sampled_from(CONTROLS), st.text())
def test_a_control_character_in_a_header_is_refused(before, control, after):
    """No injected header survives: subject, name, custom value or Reply-To with a control is no message."""
    value = before + control + after
    for make in (
        lambda: built(subject=value, text="x"),
        lambda: built(value, subject="x", text="x"),
        lambda: built(subject="x", text="x", options={"email": {"headers": {"X-A": value}}}),
        lambda: built(subject="x", text="x", options={"email": {"reply_to": f"{value} <a@b.example>"}}),
        lambda: built(recipient=EmailAddress(f"a{control}@example.com"), text="x"),
    ):
        with pytest.raises(RenderError):
            make()


@pytest.mark.parametrize(
    "name",
    [
        "Bcc",
        "From",
        "To",
        "DKIM-Signature",
        "X-A\r\nBcc",
        "X-",
        "X-a b",
        "X-" + "a" * 41,
        "X-ü",
        "",
        "Received",
    ],
)
def test_a_header_name_that_is_not_allowed_is_refused(name):
    """Names come from a list, for a name can smuggle as well as a value."""
    with pytest.raises(RenderError):
        built(subject="x", text="x", options={"email": {"headers": {name: "v"}}})


def test_allowed_headers_and_reply_to_arrive():
    """What may be set is set."""
    options = {
        "email": {
            "reply_to": "Help Desk <help@acme.example>",
            "headers": {"X-Order": "42", "List-Id": "<news.acme.example>"},
        }
    }
    found = read(built(subject="x", text="x", options=options))
    (reply_to,) = found["Reply-To"].addresses
    assert (reply_to.display_name, reply_to.addr_spec) == ("Help Desk", "help@acme.example")
    assert (found["X-Order"], found["List-Id"]) == ("42", "<news.acme.example>")


@pytest.mark.parametrize(
    "value",
    ["größer 👋", "x" * 998, "blank separated " * 62, "é" * 499, "=?utf-8?q?evil?=", "<a@b.example> " * 71],
)
def test_every_value_the_door_takes_arrives(value):
    """However long or foreign: no line passes 998 octets, and the value comes back."""
    value = value.strip()
    options = {"email": {"headers": {"X-Note": value}}}
    assert check_options(Channel.EMAIL, options) == []
    data = built(subject="x", text="x", options=options)
    assert data.isascii()
    assert max(map(len, data.split(b"\r\n"))) <= 998
    header = email.message_from_bytes(data)["X-Note"].replace("\r\n", "")
    assert str(email.header.make_header(email.header.decode_header(header))) == value


@pytest.mark.parametrize(
    "options",
    [{"reply_to": "a@b.example"}, {"email": {"cc": "a@b.example"}}, {"email": {"headers": {"X-A": 5}}}],
)
def test_no_option_is_ignored(options):
    """An option that is not understood is told, never dropped."""
    with pytest.raises(RenderError):
        built(subject="x", text="x", options=options)


def test_the_options_of_other_channels_do_not_matter():
    """One request may carry options for all channels."""
    assert b"ACME" not in built(subject="x", text="x", options={"sms": {"sender_id": "ACME"}})


@pytest.mark.parametrize(
    ("recipient", "content"),
    [
        (PhoneNumber("+447700900000"), {"text": "x"}),
        (None, {"subject": "x"}),
        (None, {"text": "\ud800"}),
        (None, {"subject": "\ud800", "text": "x"}),
        (EmailAddress("a@x.com, evil@y.com"), {"text": "x"}),
        (EmailAddress("a@x.com> SIZE=1"), {"text": "x"}),
    ],
)
def test_what_can_not_become_an_email_is_refused(recipient, content):
    """A wrong recipient, no body, lone surrogates, two addresses in one."""
    with pytest.raises(RenderError):
        built(recipient=recipient, **content)


def test_message_id_date_and_from():
    """The Message-ID is the notification's id at the sender's domain, in each attempt the same."""
    found = read(built(subject="x", text="x"))
    assert found["Message-ID"] == f"<ntf_{ID}@acme.example>"
    assert found["From"] == '"Acme, Inc." <news@acme.example>'
    assert found["Date"] == "Sun, 01 Mar 2026 12:00:00 +0000"
    first, second = (
        Outgoing(id=ID, recipient=EmailAddress("a@b.example"), content=Content(text="x"), attempt=n)
        for n in (1, 2)
    )
    assert build_email(first, SENDER, NOW) == build_email(second, SENDER, NOW)


def test_only_a_non_ascii_address_needs_smtputf8():
    """RFC 6532: such an address stands in the header as UTF-8."""
    outgoing = Outgoing(id=ID, recipient=EmailAddress("jørn@example.com"), content=Content(text="ø"))
    mail = build_email(outgoing, SENDER, NOW)
    assert mail.needs_utf8
    assert "To: jørn@example.com\r\n".encode() in mail.data


def test_a_link_to_unsubscribe_stands_in_both_headers():
    """RFC 8058, 3.1; an e-mail without a link has neither."""
    url = "https://notify.example.com/v1/unsubscribe/token"
    outgoing = Outgoing(
        id=ID, recipient=EmailAddress("a@b.example"), content=Content(text="x"), unsubscribe_url=url
    )
    message = read(build_email(outgoing, SENDER, NOW).data)
    assert message["List-Unsubscribe"] == f"<{url}>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert not {"List-Unsubscribe", "List-Unsubscribe-Post"} & set(read(built(text="x")).keys())


def file(name: str, data: bytes, kind: str = "application/octet-stream") -> Attachment:
    return Attachment(filename=name, content_type=kind, data=base64.b64encode(data).decode())


@given(texts.filter(bool), lines, st.binary(min_size=1, max_size=400))
@example("t", "x" * 251 + ".txt", b"\r\n.\r\n")
@example("t", "=?utf-8?q?a?=.txt", b"--=_01890a5dac96774bbcceb302099a8057--")
@example("t", "q\"u'o;te*=%41.txt", bytes(range(256)))
@example("t", "ü" * 120, b"\0")
def test_files_arrive_byte_equal_under_their_names(text, name, data):
    """Behind the text, or behind text and HTML; a name that the door takes is read back as it was (RFC 2231)."""
    given_file = file(name, data)
    if check_attachments([given_file]):
        return
    for content in ({"text": text}, {"html": text}, {"text": text, "html": text}):
        made = built(subject="s", attachments=(given_file, file("b.pdf", b"2", "application/pdf")), **content)
        check_lines(made)
        message = read(made)
        assert message.get_content_type() == "multipart/mixed"
        body, first, second = message.iter_parts()
        texts_read = list(body.iter_parts()) if body.is_multipart() else [body]
        assert [one.get_payload(decode=True) for one in texts_read] == [canonical(text)] * len(content)
        assert [one.get_filename() for one in (first, second)] == [name, "b.pdf"]
        assert [one.get_content_type() for one in (first, second)] == [
            "application/octet-stream",
            "application/pdf",
        ]
        assert [one.get_payload(decode=True) for one in (first, second)] == [data, b"2"]
        assert [one.get_content_disposition() for one in (first, second)] == ["attachment"] * 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"filename": "a\r\nBcc: x@y.z"},
        {"content_type": "text/plain\r\nBcc: x@y.z"},
        {"data": "é"},
    ],
)
def test_a_stored_file_that_can_not_be_sent_is_refused(wrong):
    """Checked once more right before it is sent, whoever has checked it before."""
    fields = {"filename": "a.txt", "content_type": "text/plain", "data": "eA=="} | wrong
    with pytest.raises(RenderError):
        built(subject="s", text="t", attachments=(Attachment(**fields),))
