"""An e-mail as bytes: MIME with CRLF, built once for all uses.

Written by hand because the standard library's `EmailMessage` takes four times as long. Bodies are always
quoted-printable or base64: so they are 7-bit, no line passes 76 characters, and not even a missing last line end is
lost. Line ends are made canonical (RFC 2046, 4.1.1): CR LF, a bare LF and a bare CR all arrive as line ends.
"""

import binascii
import re
from base64 import encodebytes
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from notifier.domain.attachments import Attachment
from notifier.domain.errors import RenderError
from notifier.domain.ids import notification_id
from notifier.domain.notification import Content, Outgoing
from notifier.domain.recipients import EmailAddress
from notifier.providers.email_headers import custom_header, disposition, mailbox, safe, unstructured
from notifier.providers.email_options import email_options
from notifier.providers.senders import Sender

_LINE_END = re.compile(r"\r\n|\r|\n")
#: RFC 2045, 6.7: no encoded line passes 76 characters.
_QP_LINE = _BASE64_LINE = 76
_LEADING_DOT = re.compile(rb"^\.", re.MULTILINE)


class NoSigner(Exception):
    """There is no key to sign with; the text says why, with nothing secret in it."""


@dataclass(frozen=True, slots=True)
class Email:
    """An e-mail and its envelope. `data` ends with CRLF."""

    sender: str = field(repr=False)
    recipient: str = field(repr=False)
    data: bytes = field(repr=False)
    needs_utf8: bool


def build_email(
    outgoing: Outgoing,
    sender: Sender,
    now: datetime | None = None,
    sign: Callable[[bytes], bytes] | None = None,
) -> Email:
    """The e-mail for `outgoing` as DATA takes it: leading dots are doubled (RFC 5321, 4.5.2). As `build_message`."""
    message = build_message(outgoing, sender, now, sign)
    return replace(message, data=_LEADING_DOT.sub(b"..", message.data))


def build_message(
    outgoing: Outgoing,
    sender: Sender,
    now: datetime | None = None,
    sign: Callable[[bytes], bytes] | None = None,
) -> Email:
    """The e-mail for `outgoing`; raises `RenderError` for what can't become one.

    Its Message-ID is made of the notification's id, so that all attempts carry the same. `sign` makes of the whole
    message the same one with a signature before it.
    """
    recipient = outgoing.recipient
    if not isinstance(recipient, EmailAddress):
        raise RenderError("the recipient has no e-mail address")
    options = _email_options(outgoing.options)
    lines = [
        f"From: {mailbox(sender.address, sender.name)}",
        f"To: {mailbox(recipient.address, recipient.name)}",
        f"Subject: {unstructured(outgoing.content.subject or '')}",
        f"Date: {format_datetime(now or datetime.now(UTC))}",
        f"Message-ID: {message_id(outgoing, sender)}",
        "MIME-Version: 1.0",
        *options,
        *_unsubscribe(outgoing.unsubscribe_url),
    ]
    try:
        body_headers, body = _whole(outgoing.content, f"=_{outgoing.id.hex}")
        data = "\r\n".join([*lines, *body_headers, "", ""]).encode() + body
    except UnicodeEncodeError:
        raise RenderError("the content holds a lone surrogate") from None
    if not data.endswith(b"\r\n"):
        data += b"\r\n"
    data = sign(data) if sign else data
    return Email(sender.address, recipient.address, data, not recipient.address.isascii())


def message_id(outgoing: Outgoing, sender: Sender) -> str:
    """``<ntf_…@domain of the sender>``."""
    return f"<{notification_id(outgoing.id)}@{sender.domain}>"


def _unsubscribe(url: str | None) -> list[str]:
    """Both headers of RFC 8058, 3.1."""
    if url is None:
        return []
    return [f"List-Unsubscribe: <{safe(url)}>", "List-Unsubscribe-Post: List-Unsubscribe=One-Click"]


def _email_options(options: Mapping[str, Any]) -> list[str]:
    """The header lines of ``{"email": {"reply_to", "headers"}}``."""
    asked = email_options(options)
    reply = asked.reply_to
    lines = [f"Reply-To: {mailbox(reply.address, reply.name)}"] if reply else []
    return lines + [custom_header(name, value) for name, value in asked.headers.items()]


def _whole(content: Content, boundary: str) -> tuple[list[str], bytes]:
    """The headers and bytes of everything. `boundary` begins with "=_", which no encoding can produce."""
    if not content.attachments:
        return _body(content, boundary, alone=True)
    outer = f"{boundary}.files"
    headers, body = _body(content, boundary, alone=False)
    pieces = [(headers, body), *map(_file, content.attachments)]
    return [f'Content-Type: multipart/mixed; boundary="{outer}"'], _multipart(outer, pieces)


def _multipart(boundary: str, pieces: list[tuple[list[str], bytes]]) -> bytes:
    """Parts behind one another (RFC 2046, 5.1.1)."""
    found = bytearray()
    for headers, body in pieces:
        found += "\r\n".join([f"--{boundary}", *headers, "", ""]).encode()
        found += body
        found += b"\r\n"
    return bytes(found) + f"--{boundary}--\r\n".encode()


def _file(attachment: Attachment) -> tuple[list[str], bytes]:
    """One file's headers and base64 lines (RFC 2045, 6.8: at most 76 characters)."""
    headers = [
        f"Content-Type: {safe(attachment.content_type)}",
        disposition(attachment.filename),
        "Content-Transfer-Encoding: base64",
    ]
    data = attachment.data
    lines = (data[start : start + _BASE64_LINE] for start in range(0, len(data), _BASE64_LINE))
    try:
        return headers, "\r\n".join(lines).encode("ascii")
    except UnicodeEncodeError:
        raise RenderError("an attachment is no base64") from None


def _body(content: Content, boundary: str, *, alone: bool) -> tuple[list[str], bytes]:
    """The headers and bytes of the texts. `alone`: the message, not a boundary, puts a line end behind them."""
    wanted = [(content.text, "plain"), (content.html, "html")]
    texts = [(text, subtype) for text, subtype in wanted if text is not None]
    if not texts:
        raise RenderError("an e-mail needs text or html")
    if len(texts) == 1:
        return _part(*texts[0], alone=alone)
    pieces = [_part(text, subtype, alone=False) for text, subtype in texts]
    return [f'Content-Type: multipart/alternative; boundary="{boundary}"'], _multipart(boundary, pieces)


def _part(text: str, subtype: str, *, alone: bool) -> tuple[list[str], bytes]:
    """One text's headers and body. `alone`: the message, not a boundary, puts a line end behind it."""
    raw = _LINE_END.sub("\r\n", text).encode()
    kind = f'Content-Type: text/{subtype}; charset="utf-8"'
    # Quoted-printable spends 3 octets on each that is not ASCII, base64 4 on every 3.
    foreign = len(raw) - len(text.encode("ascii", "ignore"))
    body = None if foreign * 6 > len(raw) else _quoted_printable(raw, alone=alone)
    if body is None:
        return [kind, "Content-Transfer-Encoding: base64"], encodebytes(raw).replace(b"\n", b"\r\n")
    return [kind, "Content-Transfer-Encoding: quoted-printable"], body


def _quoted_printable(raw: bytes, *, alone: bool) -> bytes | None:
    """`raw` encoded; None when there is no room for the "=" that takes back the message's own line end."""
    # b2a_qp writes soft breaks with the line end it meets first, and a bare LF where it meets none.
    encoded = binascii.b2a_qp(raw, istext=True).replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    if not alone or not encoded or encoded.endswith(b"\r\n"):
        return encoded
    last = len(encoded) - encoded.rfind(b"\n") - 1
    return encoded + b"=" if last < _QP_LINE else None
