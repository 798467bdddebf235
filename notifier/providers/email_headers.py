"""Header lines of an e-mail that nobody can break out of.

Every value is checked for control characters here, right before it is sent, whoever has checked it before
(ASVS 1.3.11); a name must be on the list. Non-ASCII text becomes encoded words (RFC 2047), except addresses
under SMTPUTF8 (RFC 6532).
"""

import re
from base64 import b64encode
from collections.abc import Iterator
from urllib.parse import quote

from notifier.domain.errors import RenderError
from notifier.domain.options import ALLOWED_HEADERS
from notifier.domain.texts import has_control

_ALLOWED = frozenset(name.lower() for name in ALLOWED_HEADERS)
_X_NAME = re.compile(r"X-[A-Za-z0-9-]{1,40}", re.ASCII | re.IGNORECASE)
#: With its name, a longer piece would pass the 998 octets of a line (RFC 5322, 2.1.1).
_MAX_PIECE = 900
_FOLD = re.compile(rf"(.{{1,{_MAX_PIECE}}}) (?=\S)")
#: Octets in one encoded word: 45 make 60 in base64, and RFC 2047 allows 75 in all.
_WORD = 45
#: Of a parameter's value in one line: with name and charset it makes 76.
_PIECE = 55
#: Longer text is written as encoded words, which fold.
_PLAIN = 60


def is_allowed_header(name: str) -> bool:
    """Whether a caller may set the header called `name`."""
    return _X_NAME.fullmatch(name) is not None or name.lower() in _ALLOWED


def custom_header(name: str, value: object) -> str:
    """One line of a caller's own header; raises `RenderError`."""
    if not is_allowed_header(name):
        raise RenderError("a custom header has a name that is not allowed")
    if not isinstance(value, str):
        raise RenderError("a custom header is no text")
    return f"{name}: {_folded(safe(value))}"


def safe(value: str) -> str:
    """`value` as it is; raises `RenderError` when it could end its header or can't be encoded."""
    if has_control(value):
        raise RenderError("a header holds a control character")
    return value


def unstructured(text: str) -> str:
    """`text` for a header of free text such as Subject."""
    safe(text)
    plain = text.isascii() and len(text) <= _PLAIN and text == text.strip() and "=?" not in text
    return text if plain else _encoded_words(text)


def header_value(name: str, value: object) -> str:
    """The value of a caller's own header on one line, for a provider that folds by itself; raises `RenderError`."""
    # A fold is a line end before the blank where it was folded (RFC 5322, 2.2.3).
    return custom_header(name, value).removeprefix(f"{name}: ").replace("\r\n", "")


def plain_address(address: str) -> str:
    """`address` as it is; raises `RenderError` when it is more than one bare addr-spec."""
    checked = safe(address)
    if any(character in checked for character in ' <>,;:"()[]\\'):
        raise RenderError("an address is no plain address")
    return checked


def mailbox(address: str, name: str | None) -> str:
    """``"Ada, Countess" <ada@example.com>``: the name is data, whatever stands in it."""
    checked = plain_address(address)
    if not name or not safe(name).strip():
        return checked
    if name.isascii() and len(name) <= _PLAIN and "=?" not in name:
        quoted = name.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{quoted}" <{checked}>'
    return f"{_encoded_words(name)}\r\n <{checked}>"


def disposition(filename: str) -> str:
    """``Content-Disposition: attachment; filename="report.pdf"``, in pieces of percent-encoded UTF-8 where the name
    is long or not ASCII (RFC 2231, 3 and 4).
    """
    checked = safe(filename)
    if checked.isascii() and len(checked) <= _PLAIN and "=?" not in checked:
        quoted = checked.replace("\\", "\\\\").replace('"', '\\"')
        return f'Content-Disposition: attachment; filename="{quoted}"'
    pieces = [""]
    for character in checked:
        encoded = quote(character, safe="")
        if len(pieces[-1]) + len(encoded) > _PIECE:
            pieces.append("")
        pieces[-1] += encoded
    named = [f" filename*{index}*={piece}" for index, piece in enumerate(pieces)]
    named[0] = named[0].replace("=", "=utf-8''", 1)
    return ";\r\n".join(["Content-Disposition: attachment", *named])


def _folded(value: str) -> str:
    """`value` as it is while it fits a line, else folded at blanks, else as encoded words."""
    if value.isascii() and "=?" not in value:
        folded = value if len(value) <= _MAX_PIECE else _FOLD.sub("\\1\r\n ", value)
        if all(len(line) <= _MAX_PIECE + 1 for line in folded.split("\r\n")):
            return folded
    return _encoded_words(value)


def _encoded_words(text: str) -> str:
    words = (f"=?utf-8?b?{b64encode(chunk).decode()}?=" for chunk in _chunks(text))
    return "\r\n ".join(words)


def _chunks(text: str) -> Iterator[bytes]:
    """UTF-8 of `text` in pieces of at most 45 octets, none ending inside a character."""
    piece = bytearray()
    for character in text:
        encoded = character.encode()
        if len(piece) + len(encoded) > _WORD:
            yield bytes(piece)
            piece.clear()
        piece += encoded
    yield bytes(piece)
