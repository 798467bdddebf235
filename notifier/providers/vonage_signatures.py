"""Whether a request is Vonage's: both ways in which it signs. Pure.

Sources: Vonage, "Webhooks", decoding signed webhooks (a JWT of HS256 under the account's signature secret, whose
``payload_hash`` is the SHA-256 of the body), "How do I verify that the Voice API Webhook request …" (of a query: of its
parameters as a JSON object without blanks), "Signing Messages" (the parameter ``sig``, by the method that the
account's settings name). RFC 7515 and 7519.
"""

import hashlib
import hmac
import json
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from notifier.domain.receipts import Forged
from notifier.providers.receipt_tables import within

#: "We will retry … Delivery Receipt callbacks for 72 hours"; an hour more, in seconds.
WINDOW = 73 * 3_600.0
_MAX_TOKEN = 8_192
#: Without HMAC: the secret stands behind the parameters. Vonage's own default.
MD5_HASH = "md5hash"
#: What stands between the signed parameters. In a value it is signed as ``_``, in a name as it is: one that held it
#: could swallow its neighbours.
_BETWEEN = frozenset("&=")


@dataclass(frozen=True, slots=True)
class VonageSigner:
    """Whose receipts are believed: the account's API key, its signature secret and the method for ``sig``."""

    account: str
    secret: str = field(repr=False)
    method: str = "sha256"


def judge_token(
    signer: VonageSigner, token: str, fields: Mapping[str, str], body: bytes, now: float
) -> Forged | None:
    """What is wrong with a request that came with the JWT `token`, None for a genuine one."""
    claims = _claims(signer.secret, token)
    if claims is None or not _is_of(claims.get("payload_hash"), fields, body):
        return Forged("wrong signature")
    if claims.get("api_key", signer.account) != signer.account:
        return Forged("another account")
    issued = claims.get("iat")
    if not isinstance(issued, int | float) or not within(issued, now, WINDOW):
        return Forged("too old")
    return None


def judge_parameters(signer: VonageSigner, fields: Mapping[str, str], now: float) -> Forged | None:
    """What is wrong with a request that came with a ``sig``, None for a genuine one."""
    if any(_BETWEEN & set(name) for name in fields):
        return Forged("no form")
    given = fields.get("sig", "").lower().encode(errors="surrogatepass")
    if not hmac.compare_digest(_hash(signer, fields).encode(), given):
        return Forged("wrong signature")
    if fields.get("api-key", signer.account) != signer.account:
        return Forged("another account")
    moment = fields.get("timestamp", "")
    if not (moment.isascii() and moment.isdigit()) or not within(float(moment[:12]), now, WINDOW):
        return Forged("too old")
    return None


def _claims(secret: str, token: str) -> Mapping[str, Any] | None:
    """The claims of a token that is signed with `secret`; None for any other, whatever algorithm it names."""
    if len(token) > _MAX_TOKEN or not token.isascii() or token.count(".") != 2:  # noqa: PLR2004 - RFC 7515, 7.1
        return None
    signed, _, signature = token.rpartition(".")
    try:
        header, claims = (json.loads(_decoded(part)) for part in signed.split("."))
        given = _decoded(signature)
    except (ValueError, RecursionError):
        return None
    if not isinstance(header, dict) or header.get("alg") != "HS256" or not isinstance(claims, dict):
        return None
    wanted = hmac.digest(secret.encode(), signed.encode(), "sha256")
    return claims if hmac.compare_digest(wanted, given) else None


def _decoded(part: str) -> bytes:
    return urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _is_of(payload_hash: object, fields: Mapping[str, str], body: bytes) -> bool:
    """Whether the hash is that of the body, or of the parameters where they are in no JSON body."""
    if not isinstance(payload_hash, str):
        return False
    given = payload_hash.lower().encode(errors="surrogatepass")
    parameters = json.dumps(dict(fields), ensure_ascii=False, separators=(",", ":"))
    # Of no body every request has the same hash, and it binds nothing.
    signed = [parameters.encode(errors="surrogatepass"), *([body] if body else [])]
    matches = [hmac.compare_digest(hashlib.sha256(one).hexdigest().encode(), given) for one in signed]
    return any(matches)


def _hash(signer: VonageSigner, fields: Mapping[str, str]) -> str:
    """The signature of all parameters but itself, in hexadecimal."""
    pairs = sorted((name, value) for name, value in fields.items() if name != "sig")
    text = "".join(f"&{name}={_clean(value)}" for name, value in pairs).encode(errors="surrogatepass")
    secret = signer.secret.encode()
    if signer.method == MD5_HASH:
        return hashlib.md5(text + secret, usedforsecurity=False).hexdigest()
    return hmac.digest(secret, text, signer.method).hex()


def _clean(value: str) -> str:
    return value.replace("&", "_").replace("=", "_")
