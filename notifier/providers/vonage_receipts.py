"""Receipts of Vonage's SMS API: verified, then read. Pure.

Sources: Vonage, "Delivery receipts" (statuses and error codes), "SMS API: Webhooks" (the fields), "API Settings" (the
account chooses between a query, a form and JSON). Only what can't change any more is a receipt: ``accepted``,
``buffered``, ``unknown`` ("no useful information available") and whatever Vonage adds one day are none.
"""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import parse_qsl

from notifier.domain.lifecycle import Reason, Status
from notifier.domain.receipts import Forged, Receipt, ReceiptRequest, given_back
from notifier.providers.base import Deadline, ProviderDefaults
from notifier.providers.http_answers import code_of, reference_of
from notifier.providers.receipt_tables import ReceiptRow, by_word, header
from notifier.providers.schemes import ProviderUrl
from notifier.providers.vonage_signatures import VonageSigner, judge_parameters, judge_token

#: Vonage sends about fifteen.
_MAX_FIELDS = 100
_UNDELIVERED = frozenset({"failed", "undelivered", "expired", "rejected"})
#: No error at all, or one that nobody can name.
_NO_ERROR = frozenset({"", "0", "1"})

ERRORS = (
    ReceiptRow(("1",), Reason.PROVIDER_REJECTED, "not delivered, and nobody knows why"),
    ReceiptRow(("2",), Reason.UNREACHABLE_RECIPIENT, "the phone is off or out of reach"),
    ReceiptRow(("3",), Reason.INVALID_RECIPIENT, "the number is no longer in use"),
    ReceiptRow(("4",), Reason.INVALID_RECIPIENT, "the user has barred the number, for good"),
    ReceiptRow(("5",), Reason.PROVIDER_REJECTED, "a fault of the number's portability"),
    ReceiptRow(("6",), Reason.PROVIDER_REJECTED, "filtered as unwanted by a carrier"),
    ReceiptRow(("7",), Reason.UNREACHABLE_RECIPIENT, "the phone was busy"),
    ReceiptRow(("8",), Reason.PROVIDER_UNAVAILABLE, "an error of the network's"),
    ReceiptRow(("9",), Reason.RECIPIENT_OPTED_OUT, "the user asked for no more messages of this service"),
    ReceiptRow(("10",), Reason.CONTENT_REJECTED, "an error in the message, as in its encoding"),
    ReceiptRow(("11",), Reason.PROVIDER_REJECTED, "no route"),
    ReceiptRow(("12",), Reason.UNREACHABLE_RECIPIENT, "no route to the number was found"),
    ReceiptRow(("13",), Reason.PROVIDER_REJECTED, "the user is too young for it"),
    ReceiptRow(
        ("14", "15"), Reason.UNREACHABLE_RECIPIENT, "blocked by the user's carrier, or no credit left"
    ),
    ReceiptRow(("16",), Reason.PROVIDER_REJECTED, "the gateway's quota is used up"),
    ReceiptRow(("52",), Reason.CONTENT_REJECTED, "refused by a regulator's filter of contents"),
    ReceiptRow(
        ("50", "51", "53", "54"),
        Reason.PROVIDER_REJECTED,
        "refused by a regulator's filter of entity, header or consent, or another rule",
    ),
    ReceiptRow(("99",), Reason.PROVIDER_REJECTED, "mostly an error of the route's"),
)
_BY_ERROR = by_word(ERRORS)


def build_receipts(url: ProviderUrl, _defaults: ProviderDefaults) -> "VonageReceipts":
    """What reads the receipts of the account that `url` describes."""
    said = cast("dict[str, str]", url.options)
    method = {"method": said["signature_method"]} if "signature_method" in said else {}
    return VonageReceipts(VonageSigner(url.user or "", said["signature_secret"], **method))


@dataclass(frozen=True, slots=True)
class VonageReceipts:
    """A `ReceiptReader`."""

    signer: VonageSigner

    def read(self, request: ReceiptRequest, _deadline: Deadline) -> Sequence[Receipt] | Forged:
        """Nothing is asked of anybody: the signature says it all."""
        return parse(self.signer, request, time.time())


def parse(signer: VonageSigner, request: ReceiptRequest, now: float) -> Sequence[Receipt] | Forged:
    """The receipts in a request; `now` in seconds since 1970.

    Its parameters are in the body, a form or JSON; without a body they are in the query.
    """
    token = _bearer(request.headers)
    fields = _fields(request)
    if fields is None:
        return Forged("no form")
    if token:
        wrong = judge_token(signer, token, fields, request.body, now)
    elif fields.get("sig"):
        wrong = judge_parameters(signer, fields, now)
    else:
        wrong = Forged("no signature")
    return _receipts(fields) if wrong is None else wrong


def _bearer(headers: Mapping[str, str]) -> str:
    scheme, _, token = header(headers, "Authorization").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _fields(request: ReceiptRequest) -> dict[str, str] | None:
    """The parameters as text; None for what is no form, or in which one stands twice."""
    try:
        if request.body.lstrip().startswith(b"{"):
            pairs = _json_pairs(request.body)
        else:
            pairs = parse_qsl(
                request.body.decode("ascii") or request.query,
                keep_blank_values=True,
                strict_parsing=True,
                errors="strict",
                max_num_fields=_MAX_FIELDS,
            )
    except (ValueError, RecursionError):
        return None
    found = dict(pairs)
    return found if len(found) == len(pairs) <= _MAX_FIELDS else None


def _json_pairs(body: bytes) -> list[tuple[str, str]]:
    """The members of a flat object, numbers as they are written; `ValueError` for anything else."""
    members = json.loads(body, object_pairs_hook=list, parse_int=str, parse_float=str, parse_constant=str)
    return [(name, _text(value)) for name, value in members]


def _text(value: Any) -> str:
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case None:
            return ""
        case _:
            raise ValueError("an object or a list")


def _receipts(fields: Mapping[str, str]) -> list[Receipt]:
    reference = reference_of(fields.get("messageId"))
    status = fields.get("status", "")
    notification = given_back(fields.get("client-ref"))
    if not reference:
        return []
    if status == "delivered":
        return [Receipt(reference, Status.DELIVERED, notification=notification)]
    if status not in _UNDELIVERED:
        return []
    error = code_of(fields.get("err-code")) or ""
    if status == "expired" and error in _NO_ERROR:
        reason = Reason.EXPIRED
    else:
        reason = _BY_ERROR.get(error, Reason.PROVIDER_REJECTED)
    return [Receipt(reference, Status.UNDELIVERED, reason, f"{status} {error}".rstrip(), notification)]
