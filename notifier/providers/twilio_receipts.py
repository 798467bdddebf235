"""Receipts of Twilio's Messages resource: verified, then read. Pure.

Sources: Twilio, "Webhooks security" (the signature), "Track outbound message status" and "Messages resource",
message status values (the fields). Only what can't change any more is a receipt: ``queued``, ``sending``, ``sent``
and whatever Twilio adds one day are none.
"""

import hmac
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

from notifier.domain.lifecycle import Reason, Status
from notifier.domain.outcomes import Refused
from notifier.domain.receipts import Forged, Receipt, ReceiptRequest
from notifier.providers.base import Deadline, ProviderDefaults
from notifier.providers.http_answers import code_of, reference_of
from notifier.providers.schemes import ProviderUrl
from notifier.providers.twilio_callbacks import callback_of, notification_in
from notifier.providers.twilio_codes import CODES

SIGNATURE = "X-Twilio-Signature"
#: Twilio sends about twenty.
_MAX_FIELDS = 100
_DELIVERED = frozenset({"delivered", "read"})
_UNDELIVERED = frozenset({"undelivered", "failed"})
_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True)
class TwilioSigner:
    """Whose receipts are believed: the account's SID and its auth token (an API key's secret signs nothing)."""

    account: str
    token: str = field(repr=False)


def build_receipts(url: ProviderUrl, _defaults: ProviderDefaults) -> "TwilioReceipts":
    """What reads the receipts of the account that `url` describes."""
    said = cast("dict[str, str]", url.options)
    signer = TwilioSigner(said.get("account") or url.user or "", said.get("auth_token") or url.password or "")
    return TwilioReceipts(signer, said["receipts_url"])


@dataclass(frozen=True, slots=True)
class TwilioReceipts:
    """A `ReceiptReader`. `url` is the one that Twilio was told: behind a proxy the request's own is another."""

    signer: TwilioSigner
    url: str

    def read(self, request: ReceiptRequest, _deadline: Deadline) -> Sequence[Receipt] | Forged:
        """Nothing is asked of anybody: the signature says it all."""
        return parse(self.signer, request.headers, self.url, request.body, request.query)


def parse(
    signer: TwilioSigner, headers: Mapping[str, str], url: str, body: bytes, query: str = ""
) -> Sequence[Receipt] | Forged:
    """The receipts in a request; `url` is the one that Twilio called, its query too, not what a proxy made of it.

    But for our id, which is in the `query` that came and is signed with the rest. Of `headers` only the signature is read, by its name in any case.
    """
    given = next((text for name, text in headers.items() if name.lower() == SIGNATURE.lower()), "")
    if not given:
        return Forged("no signature")
    try:
        fields = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=_MAX_FIELDS,
        )
    except ValueError:
        return Forged("no form")
    notification = notification_in(query)
    called = url if notification is None else callback_of(url, notification)
    if not _signed(signer.token, called, fields, given):
        return Forged("wrong signature")
    said = dict(fields)
    if said.get("AccountSid") != signer.account:
        return Forged("another account")
    return _receipts(said, notification)


def _signed(token: str, url: str, fields: Iterable[tuple[str, str]], given: str) -> bool:
    """Whether `given` is the HMAC-SHA1 of the URL and the sorted fields; all candidates are compared."""
    # A field that comes twice with one value is signed once, as Twilio's own libraries have it.
    text = "".join(name + value for name, value in sorted(set(fields)))
    # A header may hold bytes that are no text.
    said = given.encode(errors="surrogateescape")
    matches = [
        hmac.compare_digest(b64encode(hmac.digest(token.encode(), (one + text).encode(), "sha1")), said)
        for one in _with_and_without_port(url)
    ]
    return any(matches)


def _with_and_without_port(url: str) -> tuple[str, str]:
    """Twilio signs a scheme's usual port or leaves it out, by the kind of webhook; both mean the same URL."""
    parts = urlsplit(url)
    usual = _PORTS.get(parts.scheme)
    if usual is None or parts.port not in {None, usual}:
        return url, url
    bare = parts.netloc.removesuffix(f":{usual}")
    return parts._replace(netloc=bare).geturl(), parts._replace(netloc=f"{bare}:{usual}").geturl()


def _receipts(said: Mapping[str, str], notification: UUID | None) -> list[Receipt]:
    reference = reference_of(said.get("MessageSid"))
    status = said.get("MessageStatus", "")
    if not reference:
        return []
    if status in _DELIVERED:
        return [Receipt(reference, Status.DELIVERED, notification=notification)]
    if status in _UNDELIVERED:
        code = code_of(said.get("ErrorCode"))
        return [Receipt(reference, Status.UNDELIVERED, _reason(code), code, notification)]
    return []


def _reason(code: str | None) -> Reason:
    """Why it did not arrive. Nothing is tried again after a receipt, so where a row bounds tries its last word counts."""
    row = CODES.get(code or "")
    if row is None:
        return Reason.PROVIDER_REJECTED
    if isinstance(row.outcome, Refused) or row.tries is None:
        return row.outcome.reason
    return row.then
