"""Twilio's receipts: only what is signed is believed, only what is final is a receipt."""

import base64
from hashlib import sha1
from urllib.parse import urlencode
from uuid import UUID

import pytest

from notifier.domain.lifecycle import Reason, Status
from notifier.domain.receipts import Forged, Receipt
from notifier.providers.twilio_callbacks import callback_of
from notifier.providers.twilio_receipts import TwilioSigner, parse

TOKEN, ACCOUNT, SID = "12345", "AC" + "0" * 32, "SM" + "1" * 32
URL = "https://notify.example.com/v1/receipts/twilio?a=1&b=2"
SIGNER = TwilioSigner(ACCOUNT, TOKEN)


def signature(url, fields, token=TOKEN):
    """By hand (RFC 2104), so that no library is compared with itself."""
    key = token.encode().ljust(64, b"\0")
    text = url + "".join(name + fields[name] for name in sorted(fields))
    inner = sha1(bytes(byte ^ 0x36 for byte in key) + text.encode(), usedforsecurity=False).digest()
    outer = sha1(bytes(byte ^ 0x5C for byte in key) + inner, usedforsecurity=False).digest()
    return base64.b64encode(outer).decode()


def fields_of(**changes):
    return {
        "AccountSid": ACCOUNT,
        "MessageSid": SID,
        "MessageStatus": "delivered",
        "To": "+14155552671",
    } | changes


def read(fields, *, signed=None, url=URL, name="X-Twilio-Signature"):
    given = signature(url, fields) if signed is None else signed
    return parse(SIGNER, {"Host": "internal", name: given}, url, urlencode(fields).encode())


def test_the_example_of_twilios_documentation():
    """ "Webhooks security": its URL, fields and token give its signature, so it is another account that is wrong."""
    url = "https://mycompany.com/myapp.php?foo=1&bar=2"
    fields = {"CallSid": "CA1234567890ABCDE", "Caller": "+12349013030", "Digits": "1234",
              "From": "+12349013030", "To": "+18005551212"}  # fmt: skip
    assert signature(url, fields) == "0/KCTR6DLpKmkAf8muzZqo1nDgQ="
    assert read(fields, url=url, signed="0/KCTR6DLpKmkAf8muzZqo1nDgQ=") == Forged("another account")


@pytest.mark.parametrize("status", ["delivered", "read"])
def test_what_arrived_is_delivered(status):
    assert read(fields_of(MessageStatus=status)) == [Receipt(SID, Status.DELIVERED)]


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("30005", Reason.INVALID_RECIPIENT),
        ("30006", Reason.INVALID_RECIPIENT),
        ("21610", Reason.RECIPIENT_OPTED_OUT),
        ("30003", Reason.UNREACHABLE_RECIPIENT),
        ("30008", Reason.PROVIDER_REJECTED),
        ("30036", Reason.EXPIRED),
        ("39999", Reason.PROVIDER_REJECTED),
    ],
)
@pytest.mark.parametrize("status", ["undelivered", "failed"])
def test_what_did_not_arrive_has_the_reason_of_its_code(status, code, reason):
    found = read(fields_of(MessageStatus=status, ErrorCode=code))
    assert found == [Receipt(SID, Status.UNDELIVERED, reason, code)]


def test_without_a_code_it_is_refused_by_the_provider():
    found = read(fields_of(MessageStatus="failed", ErrorCode=""))
    assert found == [Receipt(SID, Status.UNDELIVERED, Reason.PROVIDER_REJECTED, None)]


@pytest.mark.parametrize("status", ["accepted", "queued", "sending", "sent", "canceled?", ""])
def test_what_may_still_change_is_no_receipt(status):
    assert read(fields_of(MessageStatus=status)) == []


@pytest.mark.parametrize("sid", ["", "a b", "x" * 10_000])
def test_a_reference_that_is_none_is_no_receipt(sid):
    assert read(fields_of(MessageSid=sid)) == []


@pytest.mark.parametrize(
    "change", [{"MessageStatus": "failed"}, {"MessageSid": "SM2"}, {"Extra": "1"}, {"To": ""}]
)
def test_a_changed_field_is_seen(change):
    assert read(fields_of(**change), signed=signature(URL, fields_of())) == Forged("wrong signature")


def test_another_url_token_or_account_is_seen():
    fields = fields_of()
    for wrong in (
        signature(URL + "3", fields),
        signature(URL, fields, "12346"),
        "x",
        "é",
        "\udcff",
        "A" * 10_000,
    ):
        assert read(fields, signed=wrong) == Forged("wrong signature")
    assert read(fields_of(AccountSid="AC1")) == Forged("another account")


def test_no_signature_is_none():
    assert parse(SIGNER, {}, URL, urlencode(fields_of()).encode()) == Forged("no signature")
    assert read(fields_of(), signed="") == Forged("no signature")


@pytest.mark.parametrize("body", [b"\xff", b"a", b"a=%ff", b"&".join([b"a=1"] * 101), b"{}"])
def test_what_is_no_form_is_refused(body):
    assert parse(SIGNER, {"X-Twilio-Signature": "x"}, URL, body) == Forged("no form")


def test_the_name_of_the_header_is_read_in_any_case():
    assert read(fields_of(), name="x-twilio-signature") == [Receipt(SID, Status.DELIVERED)]


@pytest.mark.parametrize(("scheme", "port"), [("https", 443), ("http", 80)])
def test_the_usual_port_may_be_signed_or_not(scheme, port):
    """Any other port is part of the URL."""
    with_port, bare, other = (f"{scheme}://example.com{end}/r" for end in (f":{port}", "", ":8443"))
    body = urlencode(fields_of()).encode()
    for signed, called in ((with_port, bare), (bare, with_port)):
        headers = {"X-Twilio-Signature": signature(signed, fields_of())}
        assert parse(SIGNER, headers, called, body) == [Receipt(SID, Status.DELIVERED)]
        assert parse(SIGNER, headers, other, body) == Forged("wrong signature")


def test_letters_beyond_ascii_and_blank_fields_are_signed_as_they_are():
    assert read(fields_of(FriendlyName="Zoë & Co", Empty="")) == [Receipt(SID, Status.DELIVERED)]


NOTIFICATION = UUID("01a22d51-136b-744e-82f3-57625a4075ce")


def read_at(told, query, url=URL):
    """What Twilio posts to the URL it was told, as the door hears it: its query may have been changed on the way."""
    fields = fields_of()
    headers = {"X-Twilio-Signature": signature(told, fields)}
    return parse(SIGNER, headers, url, urlencode(fields).encode(), query)


@pytest.mark.parametrize(
    "url", [URL, "https://notify.example.com/r", "https://notify.example.com/r?channel=sms"]
)
def test_our_id_comes_back_in_the_url_that_was_told(url):
    """And may stand anywhere in a query that a proxy has made."""
    told = callback_of(url, NOTIFICATION)
    own = f"notification=ntf_{NOTIFICATION}"
    assert told == f"{url}{'&' if '?' in url else '?'}{own}"
    for query in (told.partition("?")[2], own, f"way=proxy&{own}", f"{own}&way=proxy"):
        assert read_at(told, query, url) == [Receipt(SID, Status.DELIVERED, notification=NOTIFICATION)]


@pytest.mark.parametrize("said", ["ntf_1", f"ntf_{UUID(int=5)}", str(NOTIFICATION), "", "%00"])
def test_an_id_that_was_not_signed_is_forged(said):
    """Nobody on the way can make a receipt be about something else, or about nothing."""
    told = callback_of(URL, NOTIFICATION)
    assert read_at(told, f"notification={said}") == Forged("wrong signature")
    assert read_at(told, "&".join("a" * 200)) == Forged("wrong signature")
    assert read_at(URL, f"notification=ntf_{NOTIFICATION}") == Forged("wrong signature")


def test_what_was_told_without_an_id_is_believed_as_before():
    """Messages that an older version sent, and a messaging service's own callback."""
    for query in ("", "a=1&b=2", "way=changed", "notification=ntf_1"):
        assert read_at(URL, query) == [Receipt(SID, Status.DELIVERED)]


def test_a_token_is_never_shown():
    assert TOKEN not in repr(SIGNER)
