"""SendGrid's receipts: only what is signed is believed, only what is final is a receipt."""

import base64
import json
import time
from hashlib import sha256
from uuid import UUID

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from notifier.domain.lanes import Channel
from notifier.domain.lifecycle import Reason, Status
from notifier.domain.receipts import Forged, Receipt, ReceiptRequest
from notifier.providers.base import Deadline, ProviderDefaults, SetupError
from notifier.providers.registry import parse_provider_url
from notifier.providers.sendgrid_receipts import MAX_EVENTS, WINDOW, parse, public_key
from notifier.providers.urls import ProviderUrlError

# P-256 (FIPS 186-4, D.1.2.3), so that no library is compared with itself.
P = 2**256 - 2**224 + 2**192 + 2**96 - 1
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
PRIVATE = 0xC9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721
NOW = 1_800_000_000
NOTIFICATION = UUID("01a22d51-136b-744e-82f3-57625a4075ce")
REFERENCE = "14c5d75ce93-dfd_64b469"


def plus(one, other):
    """The sum of two points, None for the point at infinity."""
    if one is None or other is None:
        return one or other
    if one[0] == other[0]:
        if one != other:
            return None
        slope = (3 * one[0] ** 2 - 3) * pow(2 * one[1], -1, P)
    else:
        slope = (other[1] - one[1]) * pow(other[0] - one[0], -1, P)
    x = (slope**2 - one[0] - other[0]) % P
    return x, (slope * (one[0] - x) - one[1]) % P


def times(number, point):
    found = None
    while number:
        found = plus(found, point) if number & 1 else found
        point, number = plus(point, point), number >> 1
    return found


def shown(private=PRIVATE):
    """The public key as SendGrid shows it: an uncompressed point in a SubjectPublicKeyInfo, in base64."""
    x, y = times(private, G)
    head = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200")
    return base64.b64encode(head + b"\4" + x.to_bytes(32, "big") + y.to_bytes(32, "big")).decode()


def integer(number):
    """In DER: a leading zero where the first bit would make it negative."""
    raw = number.to_bytes(number.bit_length() // 8 + 1, "big")
    return bytes([2, len(raw)]) + raw


def signature(body, moment=NOW, private=PRIVATE, number=0x1234567890ABCDEF):
    """ECDSA (FIPS 186-4, 6.4) over the moment and the body, in DER and base64."""
    digest = int.from_bytes(sha256(str(moment).encode() + body).digest(), "big")
    r = times(number, G)[0] % N
    s = pow(number, -1, N) * (digest + r * private) % N
    pair = integer(r) + integer(s)
    return base64.b64encode(bytes([0x30, len(pair)]) + pair).decode()


KEY = public_key(shown())


def event(word, **fields):
    return {
        "email": "ada@example.com",
        "timestamp": NOW - 10,
        "event": word,
        "sg_event_id": "6g4ZI7SA-xmRDv57GoPIPw==",
        "sg_message_id": f"{REFERENCE}.recvd-5f9ffdf494-9kc6l-1-673C6EB0-B.0",
        "notification_id": "ntf_1",
    } | fields


def read(*events, now=NOW, moment=NOW):
    body = json.dumps(events).encode()
    return parse_signed(body, signature(body, moment), now, moment)


def parse_signed(body, signed, now=NOW, moment=NOW):
    headers = {
        "Host": "internal",
        "X-Twilio-Email-Event-Webhook-Signature": signed,
        "X-Twilio-Email-Event-Webhook-Timestamp": str(moment),
    }
    return parse(KEY, headers, body, now)


def test_what_sendgrid_s_own_libraries_are_tested_with():
    """The vector of sendgrid-python and sendgrid-go ("Event Webhook helper"), its line end too."""
    key = public_key(
        "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVp"
        "iglSI8eNEc6wEA3F+g=="
    )
    headers = {
        "x-twilio-email-event-webhook-signature": (
            "MEUCIGHQVtGj+Y3LkG9fLcxf3qfI10QysgDWmMOVmxG0u6ZUAiEAyBiXDWzM+uOe5W0JuG+luQAbPIqHh89M15TluLtEZtM="
        ),
        "x-twilio-email-event-webhook-timestamp": "1600112502",
    }
    body = (
        b'[{"email":"hello@world.com","event":"dropped","reason":"Bounced Address",'
        b'"sg_event_id":"ZHJvcC0xMDk5NDkxOS1MUnpYbF9OSFN0T0doUTRrb2ZTbV9BLTA",'
        b'"sg_message_id":"LRzXl_NHStOGhQ4kofSm_A.filterdrecv-p3mdw1-756b745b58-kmzbl-18-5F5FC76C-9.0",'
        b'"smtp-id":"<LRzXl_NHStOGhQ4kofSm_A@ismtpd0039p1iad1.sendgrid.net>","timestamp":1600112492}]\r\n'
    )
    dropped = Receipt(
        "LRzXl_NHStOGhQ4kofSm_A", Status.UNDELIVERED, Reason.PROVIDER_REJECTED, "Bounced Address"
    )
    assert parse(key, headers, body, 1600112503) == [dropped]
    assert parse(key, headers, body.rstrip(), 1600112503) == Forged("wrong signature")
    assert parse(KEY, headers, body, 1600112503) == Forged("wrong signature")


@pytest.mark.parametrize("word", ["delivered", "bounce", "dropped", "spamreport"])
def test_our_id_comes_back_beside_the_fields(word):
    """As one of the message's own arguments; what is no id of ours is left out."""
    (found,) = read(event(word, notification_id=f"ntf_{NOTIFICATION}"))
    assert (found.reference, found.notification) == (REFERENCE, NOTIFICATION)
    for other in ("ntf_1", str(NOTIFICATION), 7, None, [f"ntf_{NOTIFICATION}"]):
        (found,) = read(event(word, notification_id=other))
        assert (found.reference, found.notification) == (REFERENCE, None)


def test_what_arrived_is_delivered():
    assert read(event("delivered", response="250 OK")) == [Receipt(REFERENCE, Status.DELIVERED)]


@pytest.mark.parametrize(
    ("fields", "reason", "code"),
    [
        ({"bounce_classification": "Invalid Address", "status": "5.1.1"}, Reason.INVALID_RECIPIENT, "bounce 5.1.1"),
        ({"bounce_classification": "Mailbox Unavailable"}, Reason.UNREACHABLE_RECIPIENT, "bounce"),
        ({"bounce_classification": "Content", "status": "5.7.1"}, Reason.CONTENT_REJECTED, "bounce 5.7.1"),
        ({"bounce_classification": "Reputation"}, Reason.PROVIDER_REJECTED, "bounce"),
        ({"bounce_classification": "Frequency or Volume Too High"}, Reason.PROVIDER_REJECTED, "bounce"),
        ({"bounce_classification": "Technical Failure"}, Reason.PROVIDER_REJECTED, "bounce"),
        ({"bounce_classification": "Unclassified", "status": "5.1.1"}, Reason.INVALID_RECIPIENT, "bounce 5.1.1"),
        ({"bounce_classification": "Unclassified", "status": "5.2.2"}, Reason.UNREACHABLE_RECIPIENT, "bounce 5.2.2"),
        ({"status": "5.7.26"}, Reason.PROVIDER_REJECTED, "bounce 5.7.26"),
        ({"status": "5.0.0", "reason": "500 unknown recipient"}, Reason.UNREACHABLE_RECIPIENT, "bounce 5.0.0"),
        ({"status": "4.4.1"}, Reason.PROVIDER_UNAVAILABLE, "bounce 4.4.1"),
        ({"status": "ada@example.com"}, Reason.UNREACHABLE_RECIPIENT, "bounce"),
        ({"type": "blocked", "bounce_classification": "Reputation"}, Reason.PROVIDER_REJECTED, "blocked"),
        ({"type": "blocked", "bounce_classification": "Invalid Address"}, Reason.UNREACHABLE_RECIPIENT, "blocked"),
        ({"type": "blocked", "status": "5.2.2"}, Reason.UNREACHABLE_RECIPIENT, "blocked 5.2.2"),
        ({"type": "blocked", "status": "5.1.1"}, Reason.UNREACHABLE_RECIPIENT, "blocked 5.1.1"),
        ({"type": "blocked", "status": "5.0.0"}, Reason.PROVIDER_REJECTED, "blocked 5.0.0"),
        ({"type": "expired"}, Reason.EXPIRED, "expired"),
        ({"type": ["blocked"], "bounce_classification": {}, "status": 5}, Reason.UNREACHABLE_RECIPIENT, "bounce"),
    ],
)  # fmt: skip
def test_a_bounce_has_the_reason_of_its_classification_or_code(fields, reason, code):
    """What was blocked was not refused for good, so it never suppresses at once."""
    found = read(event("bounce", **({"type": "bounce"} | fields)))
    assert found == [Receipt(REFERENCE, Status.UNDELIVERED, reason, code)]


@pytest.mark.parametrize(
    ("said", "reason", "code"),
    [
        ("Invalid", Reason.INVALID_RECIPIENT, "Invalid"),
        ("Unsubscribed Address", Reason.RECIPIENT_OPTED_OUT, "Unsubscribed Address"),
        ("Spam Reporting Address", Reason.RECIPIENT_OPTED_OUT, "Spam Reporting Address"),
        ("Bounced Address", Reason.PROVIDER_REJECTED, "Bounced Address"),
        ("Spam Content", Reason.CONTENT_REJECTED, "Spam Content"),
        ("Recipient List over Package Quota", Reason.PROVIDER_REJECTED, "Recipient List over Package Quota"),
        ("no mail for ada@example.com", Reason.PROVIDER_REJECTED, "dropped"),
        (None, Reason.PROVIDER_REJECTED, "dropped"),
    ],
)
def test_what_sendgrid_dropped_has_the_reason_it_gives(said, reason, code):
    """Words that nobody knows are not kept: they may hold an address."""
    found = read(event("dropped", reason=said))
    assert found == [Receipt(REFERENCE, Status.UNDELIVERED, reason, code)]


@pytest.mark.parametrize("word", ["spamreport", "unsubscribe"])
def test_who_wants_no_more_is_heard(word):
    """It arrived, and nothing more shall."""
    assert read(event(word)) == [Receipt(REFERENCE, Status.DELIVERED, Reason.RECIPIENT_OPTED_OUT, word)]


@pytest.mark.parametrize(
    "word",
    ["processed", "deferred", "open", "click", "group_unsubscribe", "group_resubscribe", "account_status_change",
     "", None, 5, ["delivered"]],
)  # fmt: skip
def test_what_may_still_change_or_says_nothing_of_delivery_is_no_receipt(word):
    assert read(event(word)) == []


def test_a_batch_is_read_in_its_order():
    """Each event by itself: one that is none, or of no message, hides no other."""
    other = event("bounce", type="bounce", sg_message_id="b.filter-1.0", status="5.1.1")
    found = read(event("delivered"), 5, None, ["delivered"], event("delivered", sg_message_id=None), other)
    assert found == [
        Receipt(REFERENCE, Status.DELIVERED),
        Receipt("b", Status.UNDELIVERED, Reason.INVALID_RECIPIENT, "bounce 5.1.1"),
    ]
    assert read() == []


def test_a_batch_has_an_end():
    """Ten times what SendGrid posts at once is no batch of its."""
    assert len(read(*[event("delivered")] * 4_000)) == 4_000
    assert read(*[{}] * MAX_EVENTS) == []
    assert read(*[{}] * (MAX_EVENTS + 1)) == Forged("no form")


@pytest.mark.parametrize(
    ("message_id", "reference"),
    [
        ("yW5utel5TYuIBREiXJi7aA.recvd-5f9ffdf494-9kc6l-1-673C6EB0-B.0", "yW5utel5TYuIBREiXJi7aA"),
        ("XBg2anf2TqCy6WXKQFhieQ.filter0905p1mdw1-4434-59E0C6FF-3.0", "XBg2anf2TqCy6WXKQFhieQ"),
        ("5lFl7Fr1Rjme_EyzNNB_5A.stfilter-015.5185.55F883172.0", "5lFl7Fr1Rjme_EyzNNB_5A"),
        ("14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.0", "14c5d75ce93.dfd.64b469"),
        ("14c5d75ce93.dfd.64b469.recvd-5f9ffdf494-1.0", "14c5d75ce93.dfd.64b469"),
        ("14c5d75ce93.dfd.64b469.stfilter-015.5185.0", "14c5d75ce93.dfd.64b469"),
        ("evEK_IhZSlKus235aGfxIQ.another-1.0", "evEK_IhZSlKus235aGfxIQ"),
        ("evEK_IhZSlKus235aGfxIQ", "evEK_IhZSlKus235aGfxIQ"),
    ],
)
def test_an_event_s_id_begins_with_the_reference(message_id, reference):
    """What follows is the server that took it and a count, in every form that SendGrid has had."""
    assert read(event("delivered", sg_message_id=message_id)) == [Receipt(reference, Status.DELIVERED)]


@pytest.mark.parametrize("message_id", ["", ".filter", "a b.filter1", "x" * 10_000, 5, None])
def test_a_reference_that_is_none_is_no_receipt(message_id):
    assert read(event("delivered", sg_message_id=message_id)) == []


def test_no_signature_is_none():
    body = b"[]"
    assert parse(KEY, {}, body, NOW) == Forged("no signature")
    assert parse_signed(body, "") == Forged("no signature")
    assert parse(KEY, {"X-Twilio-Email-Event-Webhook-Signature": signature(body)}, body, NOW) == Forged(
        "no signature"
    )


def test_what_was_changed_is_seen():
    """The body, the moment, the key; a signature that is none."""
    body = json.dumps([event("delivered")]).encode()
    good = signature(body)
    assert parse_signed(body, good) == [Receipt(REFERENCE, Status.DELIVERED)]
    assert parse_signed(body.replace(b"delivered", b"dropped  "), good) == Forged("wrong signature")
    assert parse_signed(body + b" ", good) == Forged("wrong signature")
    assert parse_signed(body, good, moment=NOW + 1) == Forged("wrong signature")
    assert parse_signed(body, signature(body, private=PRIVATE + 1)) == Forged("wrong signature")
    for wrong in ("x", "é", "\udcff", "AAAA", "MAA=", good[:-4], good + "AAAA", "A" * 10_000):
        assert parse_signed(body, wrong) == Forged("wrong signature")


@pytest.mark.parametrize("moment", ["soon", "", "١٨٠٠٠٠٠٠٠٠", f" {NOW}", f"-{NOW}", "1e9", "9" * 500])
def test_a_moment_that_is_none_is_refused_though_it_is_signed(moment):
    assert isinstance(parse_signed(b"[]", signature(b"[]", moment), moment=moment), Forged)


@pytest.mark.parametrize("ahead", [-WINDOW, -86_400, -300, 0, 300, 6 * 3_600, WINDOW])
def test_a_retry_of_a_day_ago_is_heard_and_so_is_a_host_whose_clock_is_wrong(ahead):
    """SendGrid retries for 24 hours and does not say that it signs anew; promise 12 lets a clock be off by hours."""
    assert read(event("delivered"), now=NOW - ahead) == [Receipt(REFERENCE, Status.DELIVERED)]


@pytest.mark.parametrize("ahead", [-WINDOW - 1, WINDOW + 1])
def test_what_is_older_or_further_ahead_is_refused(ahead):
    assert read(event("delivered"), now=NOW - ahead) == Forged("too old")


@pytest.mark.parametrize("body", [b"", b"{}", b"5", b"[", b"\xff", b"[" * 100_000, b'"delivered"'])
def test_what_is_no_list_is_refused(body):
    assert parse_signed(body, signature(body)) == Forged("no form")


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(),
                    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))  # fmt: skip
def test_no_field_of_any_kind_breaks_the_reading(value):
    """Whatever SendGrid adds one day."""
    names = ("sg_message_id", "status", "type", "reason", "bounce_classification")
    body = json.dumps(
        [event(word, **{name: value}) for word in ("bounce", "dropped") for name in names]
    ).encode()
    assert len(parse_signed(body, signature(body))) <= 10


def test_the_key_stands_in_the_url_as_sendgrid_shows_it():
    """Whatever is in its base64; with it the account has receipts, without it none."""
    url = "sendgrid://:SG.k3y@?from=a@acme.example"
    assert parse_provider_url(Channel.EMAIL, url, ProviderDefaults()).receipts is None
    account = parse_provider_url(Channel.EMAIL, f"{url}&verification_key={shown()}", ProviderDefaults())
    body, moment = json.dumps([event("delivered")]).encode(), int(time.time())
    headers = {
        "X-Twilio-Email-Event-Webhook-Signature": signature(body, moment),
        "X-Twilio-Email-Event-Webhook-Timestamp": str(moment),
    }
    request = ReceiptRequest(headers=headers, body=body)
    assert account.receipts().read(request, Deadline(1)) == [Receipt(REFERENCE, Status.DELIVERED)]


@pytest.mark.parametrize("key", ["", "x", "AAAA", shown()[:-8], base64.b64encode(b"0" * 91).decode()])
def test_a_key_of_another_form_is_refused_when_the_settings_are_read(key):
    with pytest.raises(ProviderUrlError, match="must be the verification key that SendGrid shows"):
        parse_provider_url(
            Channel.EMAIL, f"sendgrid://:k@?from=a@acme.example&verification_key={key}", ProviderDefaults()
        )


def test_a_key_that_is_no_point_of_the_curve_can_t_be_built_with():
    """Its form is checked with the URL, the point where the mathematics are at hand."""
    wrong = base64.b64encode(base64.b64decode(shown())[:-1] + b"\0").decode()
    account = parse_provider_url(
        Channel.EMAIL, f"sendgrid://:k@?from=a@acme.example&verification_key={wrong}", ProviderDefaults()
    )
    with pytest.raises(SetupError, match="P-256"):
        account.receipts()
    other = ec.generate_private_key(ec.SECP384R1()).public_key()
    der = other.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    for key in ("AAAA", base64.b64encode(der).decode()):
        with pytest.raises(SetupError, match="P-256"):
            public_key(key)
