"""Takes addresses, content and secrets out of what is logged, by the names of keys and by patterns.

Every pattern is bounded or runs once over a text that is cut first: the work is linear in the text.
"""

import math
import re
from collections.abc import Mapping
from functools import lru_cache
from itertools import islice
from typing import Any

MASK = "***"
#: Characters kept of any one text, and how deep and wide a value may be.
LONGEST = 10_000
#: So much more is looked at, else an address or a secret cut in two would be none.
_BEYOND = 1_000
_DEEPEST = 4
_WIDEST = 100

_SECRET_KEYS = frozenset(
    [
        *("recipient", "recipients", "to", "email", "phone", "address", "addresses", "push_token"),
        *("subject", "body", "text", "html", "content", "data", "variables", "template_data"),
        *("auth", "p256dh", "apikey"),
        *("token", "key", "password", "passwd", "secret", "authorization", "cookie", "credentials"),
    ]
)
_SECRET_ENDINGS = (
    *("_token", "_key", "_password", "_secret", "_email", "_phone", "_address"),
    *("_recipient", "_subject", "_body", "_html", "_content"),
)

_DOMAIN = r"(?:@|%40)[^\s<>\"'(),;:@\[\]/\\]{1,255}"
#: (texts of which one must occur, pattern, replacement): most values hold none, and cost a few look-ups.
_PATTERNS: tuple[tuple[tuple[str, ...], re.Pattern[str], str], ...] = (
    (
        ("-----BEGIN",),
        re.compile(r"-----BEGIN [A-Z ]{1,40}-----.*?(?:-----END [A-Z ]{1,40}-----|\Z)", re.DOTALL),
        "[pem]",
    ),
    # PostgreSQL repeats the row that it refused: of such an error the rest is enough.
    (
        ("DETAIL:",),
        re.compile(
            r"DETAIL:.*?(?=\n\(Background on this error|\n\nThe above exception|\n\[SQL:|\Z)", re.DOTALL
        ),
        "DETAIL: [rows]",
    ),
    (("nk_",), re.compile(r"nk_(?:live|test)_[A-Za-z0-9_-]+"), "[key]"),
    (("whsec_",), re.compile(r"whsec_[A-Za-z0-9+/=_-]+"), "[secret]"),
    (
        (" ", "\t"),
        re.compile(r"\b((?i:bearer|authorization:[ \t]{0,5}basic)|Basic)[ \t]+[A-Za-z0-9+/=._~-]{4,}"),
        r"\1 [token]",
    ),
    (
        # As Python or JSON writes a mapping or an object, or as in a query or a form.
        ("oken", "OKEN", "assw", "ASSW", "ecret", "ECRET", "pi_key", "pi-key", "pikey", "piKey", "API"),
        re.compile(
            r"((?i:token|passw(?:or)?d|secret|api[_-]?key)(?:[\\\"']{0,4}[ \t]{0,3}[:=][ \t]{0,3}b?(?=\\{0,3}[\"'])|=))\\{0,3}"
            r"(?:'[^'\r\n]{1,4096}'?|\"[^\"\r\n]{1,4096}\"?|[^\s\"'&;,)}\]]{4,4096})"
        ),
        r"\1[secret]",
    ),
    (("://",), re.compile(r"://[^\s/@]{0,512}@"), "://***@"),
    (("@", "%40"), re.compile(r"\"[^\"\r\n]{1,64}\"" + _DOMAIN), "[address]"),
    (("@", "%40"), re.compile(r"[^\s<>\"'(),;:@\[\]\\/=*]{1,64}" + _DOMAIN), "[address]"),
    (("+",), re.compile(r"(?<![\w+])(?:\+[1-9](?:[ ().-]{0,2}\d){6,14}(?!\d))+"), "[phone]"),
)


#: One search that nearly every value passes: without any of the marks no pattern can match.
_ANY_MARK = re.compile("|".join(re.escape(mark) for marks, _, _ in _PATTERNS for mark in marks))


def clean(text: str) -> str:
    """`text` with everything that looks like an address or a secret replaced, cut to `LONGEST`."""
    longer = len(text) > LONGEST
    if longer:
        text = text[: LONGEST + _BEYOND]
    if _ANY_MARK.search(text) is not None:
        for marks, pattern, instead in _PATTERNS:
            if any(mark in text for mark in marks):
                text = pattern.sub(instead, text)
    return text[:LONGEST] + "…" if longer else text


def redact(event: Mapping[str, Any]) -> dict[str, Any]:
    """An event with its secret keys masked and plain, clean values, ready for any renderer."""
    return _plain_mapping(event, _DEEPEST)


#: Before each capital of a camelCased name.
_HUMPS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_SEPARATORS = re.compile(r"[^A-Za-z0-9]+")


@lru_cache(maxsize=1024)
def _key(key: str) -> tuple[str, bool]:
    """A key as it may be shown, and whether its value may not."""
    name = _SEPARATORS.sub("_", _HUMPS.sub("_", key)).strip("_").lower()
    return clean(key[:100]), name in _SECRET_KEYS or name.endswith(_SECRET_ENDINGS)


def _plain(value: Any, depth: int) -> Any:
    """`value` as what JSON can hold; unknown objects become their cleaned text."""
    # Nearly every value is one of these, and a `match` tries one pattern after another.
    if type(value) is str:
        return clean(value)
    if value is None or type(value) is int:
        return value
    plain: Any
    match value:
        case None | bool() | int():
            plain = value
        case float():
            plain = value if math.isfinite(value) else str(value)
        case str():
            plain = clean(value)
        case bytes() | bytearray() | memoryview():
            plain = f"<{len(value)} bytes>"
        case Mapping() if depth:
            plain = _plain_mapping(value, depth)
        case list() | tuple() | set() | frozenset() if depth:
            plain = [_plain(one, depth - 1) for one in islice(value, _WIDEST)]
        case Mapping() | list() | tuple() | set() | frozenset():
            # As text it would show what stands below the names that hide it.
            plain = f"<{type(value).__name__} of {len(value)}>"
        case _:
            plain = clean(_text(value))
    return plain


def _plain_mapping(value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
    plain = {}
    for key, one in islice(value.items(), _WIDEST):
        name = bytes(key).decode("utf-8", "replace") if isinstance(key, bytes | bytearray) else _text(key)
        shown, secret = _key(name)
        plain[shown] = MASK if secret else _plain(one, depth - 1)
    return plain


def _text(value: object) -> str:
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - a log line must never fail for what it was given
        return f"<{type(value).__name__}>"
