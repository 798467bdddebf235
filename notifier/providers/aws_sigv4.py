"""Signatures that AWS asks for in the Authorization header: Signature Version 4. Pure.

Source: AWS, IAM User Guide, "Signature Version 4 signing process" ("Create a signed AWS API request"). The path is
encoded once more than it goes over the wire, as every service but S3 wants it.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import quote

_ALGORITHM = "AWS4-HMAC-SHA256"


@dataclass(frozen=True, slots=True)
class AwsKey:
    """An access key: its ID, its secret, and the session token of one that was lent ("" for none)."""

    id: str = field(repr=False)
    secret: str = field(repr=False)
    token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Scope:
    """Where a signature holds."""

    region: str
    service: str


def signed(
    method: str,
    path: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    key: AwsKey,
    scope: Scope,
    now: datetime,
) -> dict[str, str]:
    """`headers` (Host among them, all of them signed) with the date, the token and the signature of the request.

    `now` is aware; AWS refuses what is more than minutes away from its own clock. Raises `ValueError` for a path
    with a query, which would have to be put in order.
    """
    if "?" in path:
        raise ValueError("a query can't be signed")
    moment = now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    whole = {**headers, "X-Amz-Date": moment} | ({"X-Amz-Security-Token": key.token} if key.token else {})
    lines = sorted((name.lower(), " ".join(value.split())) for name, value in whole.items())
    names = ";".join(name for name, _ in lines)
    canonical = "\n".join(
        [
            method,
            quote(path, safe="/-_.~"),
            "",
            *(f"{name}:{value}" for name, value in lines),
            "",
            names,
            hashlib.sha256(body).hexdigest(),
        ]
    )
    held = f"{moment[:8]}/{scope.region}/{scope.service}/aws4_request"
    to_sign = "\n".join([_ALGORITHM, moment, held, hashlib.sha256(canonical.encode()).hexdigest()])
    signature = hmac.digest(_signing_key(key.secret, held), to_sign.encode(), "sha256").hex()
    credential = f"Credential={key.id}/{held}"
    return {
        **whole,
        "Authorization": f"{_ALGORITHM} {credential}, SignedHeaders={names}, Signature={signature}",
    }


def _signing_key(secret: str, held: str) -> bytes:
    """The key of a day, region and service."""
    key = f"AWS4{secret}".encode()
    for part in held.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key
