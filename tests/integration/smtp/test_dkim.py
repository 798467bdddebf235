"""DKIM: what a server receives is verified by another implementation's reading of it, dkimpy's `verify`."""

import base64
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from notifier.domain.attachments import Attachment
from notifier.domain.lanes import Channel
from notifier.domain.notification import Content, Outgoing
from notifier.domain.outcomes import Accepted, Deferred, Outcome
from notifier.domain.recipients import EmailAddress
from notifier.providers.base import Deadline, Provider, ProviderDefaults
from notifier.providers.registry import parse_provider_url
from tests.nodes.smtp import Mail, SmtpServer, smtp_server

DEFAULTS = ProviderDefaults(email_from="Acme <news@acme.example>")
AWKWARD = "..\r\n.\r\n two  blanks \t \r\n\r\n\r\n👩‍👩‍👧 e\u0301 " + "long " * 400 + "\r\n\r\n"
FILE = Attachment(
    filename="größe.bin", content_type="text/plain", data=base64.b64encode(b".\r\n" * 99).decode()
)
OPTIONS = {"email": {"reply_to": "help@acme.example", "headers": {"X-Shop": "42", "References": "<a@b>"}}}

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture
def server():
    with smtp_server() as running:
        yield running


def pem(key: Key, password: bytes | None = None, form: str = "PKCS8") -> bytes:
    hiding = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, getattr(serialization.PrivateFormat, form), hiding)


def record(key: rsa.RSAPrivateKey, asked: list[bytes]) -> Callable[..., bytes]:
    """The DNS that publishes the key."""
    public = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )

    def look_up(name: bytes, timeout: float = 5) -> bytes:
        asked.append(name)
        return b"v=DKIM1; k=rsa; p=" + base64.b64encode(public)

    return look_up


def provider_of(server: SmtpServer, more: str) -> Provider:
    url = f"smtp://127.0.0.1:{server.port}?{more}"
    return parse_provider_url(Channel.EMAIL, url, DEFAULTS).build()


def send(provider: Provider, **given) -> Outcome:
    values = {
        "id": uuid4(),
        "recipient": EmailAddress("ada@example.com", "Ada, Countess of Lovelace"),
        "content": Content(
            subject="Größe 👋 " * 9, text=AWKWARD, html=f"<p>{AWKWARD}</p>", attachments=(FILE,)
        ),
        "options": OPTIONS,
    }
    return provider.send(Outgoing(**(values | given)), Deadline(10))


def signature_of(mail: Mail) -> dict[str, str]:
    head = mail.data.partition(b"\r\n\r\n")[0].decode()
    assert head.startswith("DKIM-Signature: ")
    value = head.split("\r\nFrom: ")[0].removeprefix("DKIM-Signature: ")
    pairs = (part.strip().split("=", 1) for part in value.split(";"))
    return {name: "".join(text.split()) for name, text in pairs}


@pytest.mark.parametrize("form", ["PKCS8", "TraditionalOpenSSL"])
def test_what_arrives_verifies(server, tmp_path, key, form):
    """Text, HTML, a file, dots, trailing blanks and empty lines: to the byte as they were signed."""
    (tmp_path / "dkim.pem").write_bytes(pem(key, form=form))
    provider = provider_of(server, f"dkim_selector=s1&dkim_key_file={tmp_path}/dkim.pem")
    assert isinstance(send(provider), Accepted)
    provider.close()
    (mail,) = server.mailbox.wait_for(1)
    asked: list[bytes] = []
    assert dkim.verify(mail.data, dnsfunc=record(key, asked))
    assert asked == [b"s1._domainkey.acme.example."]
    said = signature_of(mail)
    assert (said["a"], said["c"], said["d"], said["s"]) == (
        "rsa-sha256",
        "relaxed/relaxed",
        "acme.example",
        "s1",
    )
    assert said["h"].split(":") == (
        ["from", "from", "to", "subject", "date", "message-id", "mime-version", "content-type", "reply-to", "references"]
    )  # fmt: skip


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        (b"From: ", b"From: Bob <bob@evil.example>\r\nFrom: "),
        (b"To: ", b"To: bob@example.com,"),
        (b"Reply-To: help@", b"Reply-To: thief@"),
        (b"Content-Type: text/html", b"Content-Type: text/plain"),
        (b"<p>", b"<q>"),
    ],
)
def test_a_change_on_the_way_is_noticed(server, tmp_path, key, was, becomes):
    """In a header that is signed, a second From, or in the body."""
    (tmp_path / "dkim.pem").write_bytes(pem(key))
    provider = provider_of(server, f"dkim_selector=s1&dkim_key_file={tmp_path}/dkim.pem")
    assert isinstance(send(provider, content=Content(subject="s", text="t", html="<p>h</p>")), Accepted)
    provider.close()
    (mail,) = server.mailbox.wait_for(1)
    changed = mail.data.replace(was, becomes, 1)
    assert changed != mail.data
    assert dkim.verify(mail.data, dnsfunc=record(key, []))
    assert not dkim.verify(changed, dnsfunc=record(key, []))


def test_the_link_to_unsubscribe_is_signed(server, tmp_path, key):
    """Both headers (RFC 8058, 4): without that, mail programs show no button."""
    (tmp_path / "dkim.pem").write_bytes(pem(key))
    provider = provider_of(server, f"dkim_selector=s1&dkim_key_file={tmp_path}/dkim.pem")
    url = "https://notify.example.com/v1/unsubscribe/" + "a" * 43
    assert isinstance(send(provider, unsubscribe_url=url), Accepted)
    provider.close()
    (mail,) = server.mailbox.wait_for(1)
    assert f"\r\nList-Unsubscribe: <{url}>\r\n".encode() in mail.data
    assert b"\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" in mail.data
    assert {"list-unsubscribe", "list-unsubscribe-post"} <= set(signature_of(mail)["h"].split(":"))
    for was, becomes in ((b"notify.example", b"thief.example"), (b"=One-Click", b"=Two-Click")):
        assert dkim.verify(mail.data, dnsfunc=record(key, []))
        assert not dkim.verify(mail.data.replace(was, becomes, 1), dnsfunc=record(key, []))


def test_another_domain_may_sign(server, tmp_path, key):
    """For a sender whose organisation's domain holds the key."""
    (tmp_path / "dkim.pem").write_bytes(pem(key))
    options = f"from=a@news.acme.example&dkim_selector=2027.a&dkim_domain=acme.example&dkim_key_file={tmp_path}/dkim.pem"
    provider = provider_of(server, options)
    assert isinstance(send(provider), Accepted)
    provider.close()
    asked: list[bytes] = []
    assert dkim.verify(server.mailbox.wait_for(1)[0].data, dnsfunc=record(key, asked))
    assert asked == [b"2027.a._domainkey.acme.example."]


def test_a_utf8_address_is_signed_too(server, tmp_path, key):
    """Under SMTPUTF8 the header To is no ASCII."""
    (tmp_path / "dkim.pem").write_bytes(pem(key))
    provider = provider_of(server, f"dkim_selector=s1&dkim_key_file={tmp_path}/dkim.pem")
    assert isinstance(send(provider, recipient=EmailAddress("jørn@example.com")), Accepted)
    provider.close()
    (mail,) = server.mailbox.wait_for(1)
    assert "To: jørn@example.com".encode() in mail.data
    assert dkim.verify(mail.data, dnsfunc=record(key, []))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, "the file can't be read"),
        (b"", "no private key in PEM"),
        (b"-----BEGIN PRIVATE KEY-----\nc2VjcmV0LWtleQ==\n-----END PRIVATE KEY-----\n", "no private key in PEM"),
        (pem(ec.generate_private_key(ec.SECP256R1())), "must be RSA"),
        (pem(rsa.generate_private_key(65537, 1024), b"passw0rd"), "must not need a password"),
    ],
    ids=["missing", "empty", "garbage", "elliptic", "encrypted"],
)  # fmt: skip
def test_a_key_that_will_not_do_is_ours_to_mend(server, tmp_path: Path, key, text, told):
    """Nothing goes out unsigned, nothing of the file is told, and the mended file is taken without a restart."""
    path = tmp_path / "dkim.pem"
    if text is not None:
        path.write_bytes(text)
    provider = provider_of(server, f"dkim_selector=s1&dkim_key_file={path}")
    outcome = send(provider)
    assert isinstance(outcome, Deferred)
    assert outcome.reason == "auth_failed"
    assert outcome.answer.text.startswith("the option dkim_key_file: ")
    assert told in outcome.answer.text
    assert server.connections == 0
    path.write_bytes(pem(key))
    assert isinstance(send(provider), Accepted)
    path.unlink()
    assert isinstance(send(provider), Accepted), "read once"
    provider.close()
    assert all(dkim.verify(mail.data, dnsfunc=record(key, [])) for mail in server.mailbox.wait_for(2))
