"""Section E of the catalogue: content, headers and attachments; templates answer `not_supported` until they come."""

import email as mail
import email.header
import email.policy
import json

import pytest
from sqlalchemy import select

from notifier.domain.ids import parse_notification_id
from notifier.domain.notification import Content, Outgoing
from notifier.domain.recipients import recipient_from_json
from notifier.providers.mime import build_email
from notifier.providers.senders import Sender
from notifier.storage.tables import notifications
from tests.catalogue.kit import (
    CANARY,
    SEND,
    Case,
    check,
    email,
    get,
    parts,
    post,
    push,
    request,
    sms,
    table,
    talk,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")


def template(name, **fields):
    return Case(
        name,
        post(email(content=..., template=fields)),
        wrong={"/content": "required", "/template": "not_supported"},
    )


def html(name, text):
    return Case(
        f"E08 {name}",
        post(email(content={"subject": "s", "html": text})),
        wrong={"/content/html": "script_link"},
    )


def header(name, code="not_allowed", value="x@y.z", below=None):
    below = name.replace("~", "~0").replace("/", "~1") if below is None else below
    pointer = f"/options/email/headers/{below}" if below else "/options/email/headers"
    return Case(
        f"E09 {json.dumps(name)[:45]} {json.dumps(value)[:20]}",
        post(email(options={"email": {"headers": {name: value}}})),
        wrong={pointer: code},
    )


def options(name, value, pointer, code, make=email):
    return Case(f"E09 {name}", post(make(options=value)), wrong={pointer: code})


def attachments(name, value, **wrong):
    sent = post(email(content={"subject": "s", "text": "t", "attachments": value}))
    return Case(
        f"E10 {name}",
        sent,
        wrong={f"/content/attachments{at}": code for at, code in wrong.pop("wrong").items()},
    )


def attached(name, code, at, **changes):
    """One file of which one thing is wrong."""
    file = {"filename": "a.txt", "content_type": "text/plain", "data": "eA=="} | changes
    return attachments(
        name, [{key: value for key, value in file.items() if value is not ...}], wrong={f"/0/{at}": code}
    )


CASES = [
    template("E01 a variable is missing", key="otp", data={}),
    template("E02 a variable too many", key="otp", data={"code": "1", "x": CANARY}),
    Case("E02 strict", post(email(template={"key": "otp"}), f"{SEND}?strict=true"), wrong={"/template": "not_supported"}),
    Case("E04 a template is put", request("PUT", "/v1/templates/otp", b'{"text": "{{ x.__class__ }}"}'), status=405, code="method_not_allowed"),
    Case("E04 a template is read", get("/v1/templates/otp"), status=404, code="not_found"),
    template("E05 a bomb in a template's data", key="otp", data={"code": "{{ 'a'*10**9 }}"}),
    Case("E05 a template in place of content", post(email(content="{{ 'a'*10**9 }}")), wrong={"/content": "invalid_type"}),
    Case("E07 CRLF in the subject", post(email(content={"subject": f"{CANARY}\r\nBcc: x@y.z", "text": "t"})), wrong={"/content/subject": "control_characters"}),
    Case("E07 a line separator in the subject", post(email(content={"subject": "a\u2028b", "text": "t"})), wrong={"/content/subject": "control_characters"}),
    Case("E07 a newline in a push title", post(push(content={"title": "a\nb", "text": "t"})), wrong={"/content/title": "control_characters"}),
    html("javascript:", "<a href='javascript:alert(1)'>x</a>"),
    html("javascript: by entities", '<a href="&#106;ava&Tab;script&colon;alert(1)">x</a>'),
    html("data:", '<a href="data:text/html;base64,PHNjcmlwdD4=">x</a>'),
    *(header(name) for name in ("Bcc", "bcc", "From", "To", "Sender", "DKIM-Signature", "Received", "Return-Path", "Content-Type", "MIME-Version", "Message-ID", "Subject", "X-", "X-a b", "X-a:", "X-ü", "X~a/b", "ARC-Seal", "Reply-To")),
    header("X-A\r\nBcc", below=""),
    header("X-" + "a" * 41),
    header("X-" + "a" * 100, below=""),
    options("a header without a name", {"email": {"headers": {"": "x"}}}, "/options/email/headers/", "not_allowed"),
    header("X-A", "invalid_header", f"a\r\nBcc: {CANARY}@y.z"),
    header("X-A", "invalid_header", " "),
    header("X-A", "invalid_header", "x" * 999),
    header("X-A", "invalid_type", 5),
    options("21 headers", {"email": {"headers": {f"X-{n}": "1" for n in range(21)}}}, "/options/email/headers", "too_many"),
    options("one header in two cases", {"email": {"headers": {"X-A": "1", "x-a": "2"}}}, "/options/email/headers/x-a", "duplicate"),
    options("reply_to of two", {"email": {"reply_to": "a@x.com, b@x.com"}}, "/options/email/reply_to", "invalid_address"),
    options("reply_to with a line end", {"email": {"reply_to": "a@x.com\r\nBcc: b@x.com"}}, "/options/email/reply_to", "invalid_address"),
    options("sender_id of 12", {"sms": {"sender_id": "A" * 12}}, "/options/sms/sender_id", "invalid_sender", sms),
    options("sender_id of digits", {"sms": {"sender_id": "12345"}}, "/options/sms/sender_id", "invalid_sender", sms),
    options("collapse_key of 65", {"push": {"collapse_key": "k" * 65}}, "/options/push/collapse_key", "invalid_collapse_key", push),
    options("a name that push services keep", {"push": {"data": {"google.x": "1"}}}, "/options/push/data/google.x", "reserved", push),
    options("push data nested", {"push": {"data": {"a": {"b": "c"}}}}, "/options/push/data/a", "invalid_type", push),
    attached("a path", "invalid_filename", "filename", filename="../../etc/passwd"),
    attached("a path of Windows", "invalid_filename", "filename", filename="C:\\boot.ini"),
    attached("dots in a name", "invalid_filename", "filename", filename="a..txt"),
    attached("a dot behind a name", "invalid_filename", "filename", filename="a.exe."),
    attached("a blank behind a name", "invalid_filename", "filename", filename="a.exe "),
    attached("CRLF in a name", "control_characters", "filename", filename=f"a\r\nBcc: {CANARY}@y.z"),
    attached("a name that turns its direction", "control_characters", "filename", filename="a\u202efdp.txt"),
    attached("a name of nothing", "length", "filename", filename="\u200b"),
    attached("a name of 256 bytes", "length", "filename", filename="ü" * 126 + ".txt"),
    attached("no name", "required", "filename", filename=...),
    *(attached(f"a program: {name}", "not_allowed", "filename", filename=name) for name in ("a.exe", "a.EXE", "a.pdf.js", ".bat", "a.jar", "a.xll")),
    attached("a URL", "unknown_field", "url", url="http://169.254.169.254/"),
    attachments("a URL in place of the bytes", ["http://169.254.169.254/"], wrong={"/0": "invalid_type"}),
    attached("a path in place of the bytes", "unknown_field", "path", path="/etc/passwd"),
    attached("no bytes", "required", "data", data=...),
    attached("no byte", "blank", "data", data=""),
    *(attached(f"bad base64 {data!r}", "invalid_base64", "data", data=data) for data in ("!", "eA=", "eA", "e A==", "eA==\n", "eA==eA==", "_-A=", "ü===", "data:text/plain;base64,eA==")),
    attached("bytes as a list", "invalid_type", "data", data=[120]),
    attached("no type", "required", "content_type", content_type=...),
    *(attached(f"a type of {kind!r}"[:40], "invalid_content_type", "content_type", content_type=kind) for kind in ("", "text", "text/", "text/plain; charset=x", f"text/plain\r\nBcc: {CANARY}@y.z", "tëxt/plain")),
    *(attached(f"a type of {kind}", "not_allowed", "content_type", content_type=kind) for kind in ("multipart/mixed", "message/rfc822", "application/x-msdownload")),
    attachments("50 files", [{"filename": f"{n}.txt", "content_type": "text/plain", "data": "eA=="} for n in range(50)], wrong={"": "too_many"}),
    attachments("21 files", [{"filename": f"{n}.txt", "content_type": "text/plain", "data": "eA=="} for n in range(21)], wrong={"": "too_many"}),
    attachments("more than 10 MB together", [{"filename": f"{n}.txt", "content_type": "text/plain", "data": "AAAA" * 1_000_000} for n in range(3)] + [{"filename": "n", "content_type": "text/plain", "data": "AAAA" * 495_254}], wrong={"": "too_large"}),
    attachments("no list", {"filename": "a.txt"}, wrong={"": "invalid_type"}),
    Case("E10 everything wrong at once", post(email(content={"subject": "s", "attachments": [5, {"filename": "a/b", "data": "!"}]})), wrong={"/content/text": "required", "/content/attachments/0": "invalid_type", "/content/attachments/1/filename": "invalid_filename", "/content/attachments/1/content_type": "required", "/content/attachments/1/data": "invalid_base64"}),
    Case("E10 with a text message", post(sms(content={"text": "t", "attachments": [{"filename": "a", "content_type": "a/b", "data": "eA=="}]})), wrong={"/content/attachments": "not_allowed"}),
    Case("E10 with a push message", post(push(content={"text": "t", "attachments": [{"filename": "a", "content_type": "a/b", "data": "eA=="}]})), wrong={"/content/attachments": "not_allowed"}),
]  # fmt: skip
assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.parametrize(**table(CASES))
async def test_section_e(door, case):
    """422 with the field; nothing that looks like a template or an attachment is taken and ignored."""
    await check(door, case)


VALUES = {
    "E03 a Python expression": "{{ ''.__class__.__mro__ }}",
    "E03 a Jinja loop": "{% for x in range(9999) %}x{% endfor %}",
    "E03 a Liquid include": "{% include '/etc/passwd' %}",
    "E03 a format string": "%s %n {0.__class__} ${jndi:ldap://x/}",
    "E06 a script": "<script>alert(1)</script>",
    "E11 emoji of several": "👩‍👩‍👧‍👦 🇪🇺 ✌🏽",
    "E11 right to left": "\u202e\u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627\u202c",
    "E11 combining": "e\u0301 q\u0307\u0323 Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤",
    "E11 four bytes": "𠜎𝔘𐍈",
    "E11 not normalised": "\u1e9b\u0323 ﬁ \u212b",
}


@pytest.mark.parametrize("text", VALUES.values(), ids=VALUES)
async def test_a_value_arrives_byte_equal(door, text):
    """E03, E06, E11: values are data: kept and sent as they are, in text, HTML, subject, SMS and push alike."""
    sent = [
        email(content={"subject": text, "text": text, "html": f"<p>{text}</p>"}),
        sms(content={"text": text}),
        push(content={"title": text, "text": text}),
    ]
    kept = [await _kept(door, value) for value in sent]
    assert [row.content for row in kept] == [value["content"] for value in sent]
    message = mail.message_from_bytes(_built(kept[0]), policy=mail.policy.SMTP)
    plain, rich = message.get_payload()
    assert plain.get_payload(decode=True).decode() == text
    assert rich.get_payload(decode=True).decode() == f"<p>{text}</p>"
    raw = mail.message_from_bytes(_built(kept[0]))["Subject"]
    assert str(mail.header.make_header(mail.header.decode_header(raw))) == text


async def _kept(door, value):
    made = parts(await talk(door.port, post(value)))
    assert made.status == 202, made.body
    wanted = parse_notification_id(made.json()["id"])
    with door.engine.connect() as connection:
        return connection.execute(select(notifications).where(notifications.c.id == wanted)).one()


def _built(row):
    content = Content(**row.content)
    outgoing = Outgoing(id=row.id, recipient=recipient_from_json(row.recipient), content=content)
    return build_email(outgoing, Sender("news@acme.example")).data


@pytest.mark.parametrize(
    ("text", "units"),
    [("€" * 80, 1), ("€" * 81, 2), ("a" * 158 + "€", 1), ("a" * 159 + "€", 2), ("[" * 76 + "a" + "]" * 76, 2), ("ж" * 71, 2)],
)  # fmt: skip
async def test_segments_are_counted_exactly(door, text, units):
    """E12: GSM's extension characters cost two septets and are never split."""
    answer = parts(await talk(door.port, post(sms(content={"text": text}), f"{SEND}?dry_run=true")))
    assert (answer.status, answer.json()["units"]) == (200, units)
