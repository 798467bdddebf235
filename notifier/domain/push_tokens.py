"""What is a push token: of FCM, of APNs, or a Web Push subscription."""

import base64
import json
import re
from enum import StrEnum
from typing import Any

from notifier.domain.errors import InvalidInput
from notifier.domain.simulator import ENDING_OF_TOKEN


class Platform(StrEnum):
    """Whose push service a token belongs to."""

    FCM = "fcm"
    APNS = "apns"
    WEBPUSH = "webpush"


MAX_TOKEN_BYTES = 4096

_FCM = re.compile(r"[A-Za-z0-9_:.-]{8,4096}", re.ASCII)
#: 32 bytes as hex today; Apple says not to count on the length.
_APNS = re.compile(r"[0-9A-Fa-f]{64,200}", re.ASCII)
#: A host name of at least two labels, no user, no port but 443, no fragment. The guard against
#: private addresses is the connection's own (every resolved address is judged when it is used).
_ENDPOINT = re.compile(
    r"https://((?:[a-z0-9-]{1,63}\.)+[a-z0-9-]{1,63})(?::443)?(?:[/?][A-Za-z0-9._~:/?\[\]@!$&'()*+,;=%-]*)?",
    re.ASCII | re.IGNORECASE,
)
_MAX_ENDPOINT = 2048
_BASE64URL = re.compile(r"[A-Za-z0-9_-]{1,100}={0,2}", re.ASCII)
_NUMBER_LABEL = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII | re.IGNORECASE)

_POINT_BYTES = 65
_AUTH_BYTES = 16
#: P-256 (NIST SP 800-186, 3.2.1.3): y² = x³ - 3x + B over the field of _P elements.
_P = 2**256 - 2**224 + 2**192 + 2**96 - 1
_B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B


def parse_platform(text: str) -> Platform:
    """The platform called `text`; raises `InvalidInput` with pointer ``/platform``."""
    try:
        return Platform(text)
    except ValueError:
        allowed = ", ".join(Platform)
        raise InvalidInput("invalid_recipient", f"must be one of {allowed}", "/platform") from None


def normal_token(token: str | dict[str, Any], platform: Platform) -> str:
    """The token as it is kept; a Web Push subscription becomes canonical JSON text, the simulator's are taken as they are.

    Raises `InvalidInput` (``invalid_recipient``, below ``/push_token``), never with any of the token.
    """
    if isinstance(token, str) and token in ENDING_OF_TOKEN:
        return token
    if platform is Platform.WEBPUSH:
        return _subscription(token)
    if not isinstance(token, str):
        raise _refused("must be a string")
    if not token or len(token.encode("utf-8", "replace")) > MAX_TOKEN_BYTES:
        raise _refused(f"must be 1 to {MAX_TOKEN_BYTES} bytes")
    if platform is Platform.APNS:
        if not _APNS.fullmatch(token):
            raise _refused("must be a device token of APNs: 64 to 200 hexadecimal digits")
        return token.lower()
    if not _FCM.fullmatch(token):
        raise _refused("must be a registration token of FCM: 8 or more of A-Z a-z 0-9 _ : . -")
    return token


def canonical_subscription(subscription: dict[str, Any]) -> str:
    """A checked subscription as text that is the same each time."""
    return json.dumps(subscription, sort_keys=True, separators=(",", ":"))


def on_curve(point: bytes) -> bool:
    """Whether `point` is an uncompressed point of P-256 (SEC 1, 2.3.4): 0x04, x, y."""
    if len(point) != _POINT_BYTES or point[0] != 4:  # noqa: PLR2004 - the mark of an uncompressed point
        return False
    x, y = int.from_bytes(point[1:33], "big"), int.from_bytes(point[33:], "big")
    return x < _P and y < _P and (y * y - (x * x * x - 3 * x + _B)) % _P == 0


def _subscription(token: object) -> str:
    """``{"endpoint", "keys": {"p256dh", "auth"}, "expirationTime"?}``, as browsers' toJSON() gives it."""
    if not isinstance(token, dict) or not {"endpoint", "keys"} <= set(token):
        raise _refused('must be a subscription: {"endpoint", "keys": {"p256dh", "auth"}}')
    if unknown := set(token) - {"endpoint", "keys", "expirationTime"}:
        raise _refused(f"must not have {len(unknown)} more fields than endpoint, keys, expirationTime")
    keys = token["keys"]
    if not isinstance(keys, dict) or set(keys) != {"p256dh", "auth"}:
        raise _refused('must be {"p256dh", "auth"}', "/keys")
    checked: dict[str, Any] = {
        "endpoint": _endpoint(token["endpoint"]),
        "keys": {"p256dh": _public_key(keys["p256dh"]), "auth": _auth(keys["auth"])},
    }
    expires = token.get("expirationTime")
    if expires is not None:
        checked["expirationTime"] = _expiration(expires)
    return canonical_subscription(checked)


def _endpoint(value: object) -> str:
    found = _ENDPOINT.fullmatch(value) if isinstance(value, str) and len(value) <= _MAX_ENDPOINT else None
    if not found or _is_private_name(found[1]):
        raise _refused("must be an https URL with a public host name, no user, no port but 443", "/endpoint")
    return found[0]


def _is_private_name(host: str) -> bool:
    last = host.rpartition(".")[2].lower()
    return last in {"localhost", "local", "internal"} or _NUMBER_LABEL.fullmatch(last) is not None


def _public_key(value: object) -> str:
    raw = _decoded(value)
    if raw is None or not on_curve(raw):
        raise _refused("must be an uncompressed point of P-256: 65 bytes in base64url", "/keys/p256dh")
    return _encoded(raw)


def _auth(value: object) -> str:
    raw = _decoded(value)
    if raw is None or len(raw) != _AUTH_BYTES:
        raise _refused(f"must be {_AUTH_BYTES} bytes in base64url", "/keys/auth")
    return _encoded(raw)


def _expiration(value: object) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 2**53:
        raise _refused("must be null or milliseconds since 1970", "/expirationTime")
    return value


def _decoded(value: object) -> bytes | None:
    if not isinstance(value, str) or not _BASE64URL.fullmatch(value):
        return None
    text = value.rstrip("=")
    if len(text) % 4 == 1:
        return None
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def _refused(detail: str, below: str = "") -> InvalidInput:
    return InvalidInput("invalid_recipient", detail, f"/push_token{below}")
