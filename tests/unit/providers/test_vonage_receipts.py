"""Vonage's receipts: only what is signed is believed, in either way; only what is final is a receipt."""

import base64
import hashlib
import json
import time
from urllib.parse import urlencode
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.domain.lanes import Channel
from notifier.domain.lifecycle import Reason, Status
from notifier.domain.receipts import Forged, Receipt, ReceiptRequest
from notifier.providers.base import Deadline, ProviderDefaults
from notifier.providers.registry import parse_provider_url
from notifier.providers.urls import ProviderUrlError
from notifier.providers.vonage_receipts import ERRORS, parse
from notifier.providers.vonage_signatures import WINDOW, VonageSigner

SECRET, ACCOUNT, ID = "s1gnature&secret", "abcd1234", "0A0000001234567B"
SIGNER = VonageSigner(ACCOUNT, SECRET)
NOW = 1_800_000_000
DELIVERED = [Receipt(ID, Status.DELIVERED)]
NOTIFICATION = UUID("01a22d51-136b-744e-82f3-57625a4075ce")
BLOCK = {"md5": 64, "sha1": 64, "sha256": 64, "sha512": 128}


def digest(method, data):
    return hashlib.new(method, data, usedforsecurity=False)


def hmac_of(method, text, secret=SECRET):
    """By hand (RFC 2104), so that no library is compared with itself."""
    key = secret.encode().ljust(BLOCK[method], b"\0")
    inner = digest(method, bytes(byte ^ 0x36 for byte in key) + text).digest()
    return digest(method, bytes(byte ^ 0x5C for byte in key) + inner)


def signature(fields, method="sha256", secret=SECRET):
    """As "Signing Messages" says it, step by step."""
    text = ""
    for name in sorted(fields):
        text += "&" + name + "=" + fields[name].replace("&", "_").replace("=", "_")
    if method == "md5hash":
        return digest("md5", (text + secret).encode()).hexdigest()
    return hmac_of(method, text.encode(), secret).hexdigest()


def fields_of(**changes):
    return {
        "msisdn": "447700900123",
        "to": "Acme & Co=",
        "network-code": "23410",
        "messageId": ID,
        "price": "0.03330000",
        "status": "delivered",
        "scts": "2001011400",
        "err-code": "0",
        "api-key": ACCOUNT,
        "client-ref": "ntf_1",
        "message-timestamp": "2020-01-01 12:00:00",
        "timestamp": str(NOW),
        "nonce": "aaaaaaaa-bbbb-cccc-dddd-0123456789ab",
    } | changes


def signed(fields, method="sha256", secret=SECRET):
    return fields | {"sig": signature(fields, method, secret)}


def as_form(fields):
    return ReceiptRequest(headers={}, body=urlencode(fields).encode())


def as_json(fields):
    return ReceiptRequest(headers={}, body=json.dumps(fields).encode())


def as_query(fields):
    return ReceiptRequest(headers={}, body=b"", query=urlencode(fields))


def read(fields, form=as_form, now=NOW, signer=SIGNER):
    return parse(signer, form(fields), now)


def part(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def token(claims, header=None, secret=SECRET):
    """A JWT (RFC 7515, 7.1)."""
    text = f"{part({'typ': 'JWT', 'alg': 'HS256'} if header is None else header)}.{part(claims)}"
    mac = base64.urlsafe_b64encode(hmac_of("sha256", text.encode(), secret).digest())
    return f"{text}.{mac.rstrip(b'=').decode()}"


def claims_of(payload, **changes):
    return {
        "iat": NOW,
        "jti": "c5ba8f24-1a14-4c10-bfdf-3fbe8ce511b5",
        "iss": "Vonage",
        "payload_hash": hashlib.sha256(payload).hexdigest(),
        "api_key": ACCOUNT,
    } | changes


def with_token(jwt, body=b"", query="", now=NOW, scheme="Bearer"):
    request = ReceiptRequest(headers={"authorization": f"{scheme} {jwt}"}, body=body, query=query)
    return parse(SIGNER, request, now)


@pytest.mark.parametrize("form", [as_form, as_json, as_query])
@pytest.mark.parametrize("method", ["md5hash", "md5", "sha1", "sha256", "sha512"])
def test_what_is_signed_by_the_account_s_method_is_believed(form, method):
    """In each form that an account may choose, capitals or not; by no other method than the account's own."""
    signer = VonageSigner(ACCOUNT, SECRET, method)
    fields = signed(fields_of(), method)
    assert read(fields, form, signer=signer) == DELIVERED
    assert read(fields | {"sig": fields["sig"].upper()}, form, signer=signer) == DELIVERED
    for other in {"md5hash", "sha256"} - {method}:
        assert read(signed(fields_of(), other), form, signer=signer) == Forged("wrong signature")


@pytest.mark.parametrize(
    "change", [{"status": "failed"}, {"messageId": "0B"}, {"extra": "1"}, {"to": "Acme"}]
)
def test_a_changed_parameter_is_seen(change):
    assert read(signed(fields_of()) | change) == Forged("wrong signature")


@pytest.mark.parametrize("form", [as_form, as_json, as_query])
def test_a_name_can_t_swallow_other_parameters(form):
    """The signed text would be the same: a failure would lose its error, or a receipt its status."""
    fields = signed(fields_of(**{"status": "failed", "err-code": "9"}))
    assert fields.pop("err-code") == "9"
    assert fields.pop("client-ref") == "ntf_1"
    fields["client-ref=ntf_1&err-code"] = "9"
    assert signature({name: text for name, text in fields.items() if name != "sig"}) == fields["sig"]
    assert read(fields, form) == Forged("no form")


def test_another_secret_or_account_is_seen():
    assert read(signed(fields_of(), secret="another")) == Forged("wrong signature")
    for wrong in ("x", "é", "\udcff", "0" * 64, "A" * 10_000):
        assert read(fields_of(sig=wrong), as_json) == Forged("wrong signature")
    assert read(signed(fields_of(**{"api-key": "another1"}))) == Forged("another account")


def test_a_receipt_without_the_account_s_key_is_that_of_its_secret():
    """Older ones have none."""
    fields = fields_of()
    del fields["api-key"]
    assert read(signed(fields)) == DELIVERED


@pytest.mark.parametrize("form", [as_form, as_json, as_query])
def test_no_signature_is_none(form):
    assert read(fields_of(), form) == Forged("no signature")
    assert read(fields_of(sig=""), form) == Forged("no signature")


@pytest.mark.parametrize("ahead", [-WINDOW, -72 * 3_600, -300, 0, 300, 6 * 3_600, WINDOW])
def test_a_retry_of_three_days_ago_is_heard_and_so_is_a_host_whose_clock_is_wrong(ahead):
    """Vonage retries for 72 hours and does not say that it signs anew; promise 12 lets a clock be off by hours."""
    assert read(signed(fields_of()), now=NOW - ahead) == DELIVERED
    body = b'{"messageId":"0A0000001234567B","status":"delivered"}'
    assert with_token(token(claims_of(body)), body, now=NOW - ahead) == DELIVERED


@pytest.mark.parametrize("ahead", [-WINDOW - 1, WINDOW + 1])
def test_what_is_older_or_further_ahead_is_refused(ahead):
    assert read(signed(fields_of()), now=NOW - ahead) == Forged("too old")
    assert with_token(token(claims_of(b"{}")), b"{}", now=NOW - ahead) == Forged("too old")


@pytest.mark.parametrize("moment", ["", "soon", "-1", "1.5", "١٨٠٠٠٠٠٠٠٠", "9" * 400])
def test_a_moment_that_is_none_is_refused(moment):
    assert read(signed(fields_of(timestamp=moment)), as_json) == Forged("too old")


@pytest.mark.parametrize("moment", [None, "1800000000", True, [], float("nan"), float("inf")])
def test_a_token_without_a_moment_is_refused(moment):
    assert with_token(token(claims_of(b"{}", iat=moment)), b"{}") == Forged("too old")


@pytest.mark.parametrize("body", [json.dumps(fields_of()).encode(), urlencode(fields_of()).encode()])
def test_a_token_binds_the_body(body):
    """Its hash is that of the bytes; a token of another body is worth nothing."""
    assert with_token(token(claims_of(body)), body) == DELIVERED
    assert with_token(token(claims_of(body)), body, scheme="bearer") == DELIVERED
    assert (
        with_token(token(claims_of(body, payload_hash=claims_of(body)["payload_hash"].upper())), body)
        == DELIVERED
    )
    assert with_token(token(claims_of(body)), body.replace(b"0A00", b"0B00")) == Forged("wrong signature")
    for payload_hash in (None, "", "\ud800", 5):
        assert with_token(token(claims_of(body, payload_hash=payload_hash)), body) == Forged(
            "wrong signature"
        )


def test_a_token_binds_the_query_where_there_is_no_body():
    """ "How do I verify …": the parameters as an object in their order. The hash of no body binds nothing."""
    fields = {"messageId": ID, "status": "delivered", "to": "Zoë"}
    payload = f'{{"messageId":"{ID}","status":"delivered","to":"Zoë"}}'.encode()
    jwt = token(claims_of(payload))
    assert with_token(jwt, query=urlencode(fields)) == DELIVERED
    assert with_token(jwt, query=urlencode(fields | {"status": "failed"})) == Forged("wrong signature")
    assert with_token(token(claims_of(b"")), query=urlencode(fields)) == Forged("wrong signature")


def test_a_token_counts_alone():
    """A `sig` beside it mends nothing."""
    body = urlencode(signed(fields_of())).encode()
    assert with_token(token(claims_of(b"another")), body) == Forged("wrong signature")
    assert with_token("", body) == DELIVERED  # no token at all: then the `sig` counts


@pytest.mark.parametrize(
    "jwt",
    [
        token(claims_of(b"{}"), secret="another"),
        token(claims_of(b"{}"), header={"typ": "JWT", "alg": "none"}),
        token(claims_of(b"{}"), header={"typ": "JWT", "alg": "HS512"}),
        token(claims_of(b"{}"), header=["HS256"]),
        token(["iat"]),
        part({"alg": "none"}) + "." + part(claims_of(b"{}")) + ".",
        token(claims_of(b"{}")) + "A",
        token(claims_of(b"{}")) + ".A",
        token(claims_of(b"{}")).rpartition(".")[0],
        "a.b.c",
        "é.é.é",
        "\udcff.x.y",
        "..",
        "." * 100_000,
        ("A" * 20_000) + ".A.A",
    ],
)
def test_a_token_that_is_none_of_ours_is_refused(jwt):
    """Whatever algorithm it names: only HS256 under our secret is Vonage's."""
    assert with_token(jwt, b"{}") == Forged("wrong signature")


def test_a_token_of_another_account_is_refused():
    assert with_token(token(claims_of(b"{}", api_key="another1")), b"{}") == Forged("another account")


def test_credentials_of_another_kind_are_no_token():
    """As those that a receipts URL may hold for a proxy before us."""
    request = ReceiptRequest(
        headers={"Authorization": "Basic YTpi"}, body=urlencode(signed(fields_of())).encode()
    )
    assert parse(SIGNER, request, NOW) == DELIVERED


@pytest.mark.parametrize("status", ["failed", "undelivered", "rejected", "expired"])
@pytest.mark.parametrize(
    ("error", "reason"),
    [
        ("2", Reason.UNREACHABLE_RECIPIENT),
        ("3", Reason.INVALID_RECIPIENT),
        ("4", Reason.INVALID_RECIPIENT),
        ("5", Reason.PROVIDER_REJECTED),
        ("6", Reason.PROVIDER_REJECTED),
        ("7", Reason.UNREACHABLE_RECIPIENT),
        ("8", Reason.PROVIDER_UNAVAILABLE),
        ("9", Reason.RECIPIENT_OPTED_OUT),
        ("10", Reason.CONTENT_REJECTED),
        ("11", Reason.PROVIDER_REJECTED),
        ("12", Reason.UNREACHABLE_RECIPIENT),
        ("13", Reason.PROVIDER_REJECTED),
        ("14", Reason.UNREACHABLE_RECIPIENT),
        ("15", Reason.UNREACHABLE_RECIPIENT),
        ("16", Reason.PROVIDER_REJECTED),
        ("50", Reason.PROVIDER_REJECTED),
        ("51", Reason.PROVIDER_REJECTED),
        ("52", Reason.CONTENT_REJECTED),
        ("53", Reason.PROVIDER_REJECTED),
        ("54", Reason.PROVIDER_REJECTED),
        ("99", Reason.PROVIDER_REJECTED),
        ("98", Reason.PROVIDER_REJECTED),
    ],
)
def test_what_did_not_arrive_has_the_reason_of_its_error(status, error, reason):
    found = read(signed(fields_of(status=status, **{"err-code": error})))
    assert found == [Receipt(ID, Status.UNDELIVERED, reason, f"{status} {error}")]


def test_the_whole_table_is_tested():
    """Apart from 1, which says nothing."""
    tested = test_what_did_not_arrive_has_the_reason_of_its_error.pytestmark[0].args[1]
    assert {error for error, _ in tested} - {"98"} == {word for row in ERRORS for word in row.said} - {"1"}


@pytest.mark.parametrize("error", ["0", "1", "", "ada@example.com"])
@pytest.mark.parametrize(
    ("status", "reason"), [("expired", Reason.EXPIRED), ("failed", Reason.PROVIDER_REJECTED)]
)
def test_without_an_error_that_says_more_the_status_counts(status, reason, error):
    (found,) = read(signed(fields_of(status=status, **{"err-code": error})))
    shown = f"{status} {error}".rstrip() if error.isdigit() else status
    assert (found.status, found.reason, found.code) == (Status.UNDELIVERED, reason, shown)


@pytest.mark.parametrize("status", ["accepted", "buffered", "unknown", "seen?", ""])
def test_what_may_still_change_is_no_receipt(status):
    assert read(signed(fields_of(status=status))) == []


@pytest.mark.parametrize("reference", ["", "a b", "x" * 10_000])
def test_a_reference_that_is_none_is_no_receipt(reference):
    assert read(signed(fields_of(messageId=reference))) == []


@pytest.mark.parametrize(
    "body",
    [b"\xff", b"a", b"a=%ff", b"a=1&a=2&sig=x", b"&".join(b"a%d=1" % n for n in range(101)), b"{", b'{"a":[]}',
     b'{"a":1,"a":2}', b'{"a":{}}', b'{"a":' + b"[" * 100_000, b"{" + b'"a":1,' * 101 + b'"b":2}'],
)  # fmt: skip
def test_what_is_no_form_is_refused(body):
    assert parse(SIGNER, ReceiptRequest(headers={}, body=body), NOW) == Forged("no form")


def test_json_s_own_kinds_are_signed_as_they_are_written():
    """Numbers keep their digits; yes, no and nothing are words."""
    fields = signed(fields_of(price="0.03330000", concat="true", x="false", y=""))
    body = json.dumps(fields).replace('"0.03330000"', "0.03330000").replace('"true"', "true")
    body = body.replace('"false"', "false").replace('"y": ""', '"y": null')
    assert parse(SIGNER, ReceiptRequest(headers={}, body=body.encode()), NOW) == DELIVERED


@given(
    st.dictionaries(st.text(), st.text(st.characters()) | st.integers() | st.none()), st.text(), st.booleans()
)
def test_nothing_that_comes_in_breaks_the_reading(fields, query, bearer):
    """Lone surrogates too: JSON can hold them."""
    body = json.dumps(fields | {"sig": "\ud800"}).encode()
    headers = {"Authorization": "Bearer " + token(claims_of(body, payload_hash="\ud800"))} if bearer else {}
    assert isinstance(parse(SIGNER, ReceiptRequest(headers=headers, body=body, query=query), NOW), Forged)
    assert isinstance(parse(SIGNER, ReceiptRequest(headers=headers, body=b"", query=query), NOW), Forged)


@pytest.mark.parametrize(("option", "method"), [("", "sha256"), ("&signature_method=md5hash", "md5hash")])
def test_the_secret_stands_in_the_url(option, method):
    """With it the account has receipts, wherever they are told to go; without it none."""
    url = "vonage://abcd1234:s3cret@?from=Acme"
    with_url = f"{url}&receipts_url=https%3A%2F%2Facme.example%2Fr"
    assert parse_provider_url(Channel.SMS, with_url, ProviderDefaults()).receipts is None
    account = parse_provider_url(
        Channel.SMS, f"{url}&signature_secret=s1gnature%26secret{option}", ProviderDefaults()
    )
    request = as_form(signed(fields_of(timestamp=str(int(time.time()))), method))
    reader = account.receipts()
    assert reader.read(request, Deadline(1)) == DELIVERED
    assert "s1gnature" not in f"{reader!r} {account!r}"


def test_a_method_that_vonage_has_not_is_refused_when_the_settings_are_read():
    with pytest.raises(
        ProviderUrlError, match="signature_method must be one of md5hash, md5, sha1, sha256, sha512"
    ):
        parse_provider_url(Channel.SMS, "vonage://k:s@?from=Acme&signature_method=none", ProviderDefaults())


@pytest.mark.parametrize("form", [as_form, as_json, as_query])
def test_our_id_comes_back_as_client_ref(form):
    """Whatever became of the message; signed with the rest."""
    said = {"client-ref": f"ntf_{NOTIFICATION}"}
    assert read(signed(fields_of(**said)), form) == [Receipt(ID, Status.DELIVERED, notification=NOTIFICATION)]
    (lost,) = read(signed(fields_of(**said, status="failed", **{"err-code": "3"})), form)
    assert (lost.status, lost.notification) == (Status.UNDELIVERED, NOTIFICATION)
    assert read(signed(fields_of()) | said, form) == Forged("wrong signature")


@pytest.mark.parametrize("said", ["", "ntf_1", str(NOTIFICATION), f"opn_{NOTIFICATION}", "order 66"])
def test_a_client_ref_of_others_is_no_id_and_no_fault(said):
    assert read(signed(fields_of(**{"client-ref": said}))) == DELIVERED
