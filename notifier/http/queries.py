"""Query parameters: each known by name, given once, with a value that is allowed; all mistakes at once."""

from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from aiohttp import web
from multidict import MultiMapping

from notifier.domain.errors import FieldError, InvalidFields, InvalidInput
from notifier.domain.texts import is_storable
from notifier.http.problems import shorten
from notifier.http.times import parse_moment

Parser = Callable[[str], Any]
MAX_PAGE, DEFAULT_PAGE = 250, 50
MAX_TEXT = 255
#: The highest id that a row counted by the database may have.
MAX_SEQUENCE = 2**63 - 1
BATCH_PREFIX = "bat_"
#: What stands for percent-encoded bytes that are no UTF-8: such a text would search for something else.
_UNREADABLE = "\ufffd"


def read_query(request: web.Request, known: Mapping[str, Parser]) -> dict[str, Any]:
    """The parameters that were given, parsed; raises `InvalidFields` with every one that is wrong."""
    return read_parameters(request.query, known)


def read_parameters(given: MultiMapping[str], known: Mapping[str, Parser]) -> dict[str, Any]:
    """The same of any parameters.

    Pointers are ``?name``: parameters stand in no document, so RFC 6901 has no form for them.
    """
    found: dict[str, Any] = {}
    errors: list[FieldError] = []
    for name in dict.fromkeys(given):
        pointer = f"?{shorten(name)}"
        values = given.getall(name)
        if name not in known:
            allowed = ", ".join(sorted(known)) or "none"
            errors.append(FieldError(pointer, "unknown_parameter", f"the parameters here are: {allowed}"))
        elif len(values) > 1:
            errors.append(FieldError(pointer, "repeated", "must be given once"))
        else:
            try:
                found[name] = known[name](values[0])
            except InvalidInput as error:
                errors.append(error.at(pointer))
    if errors:
        raise InvalidFields(errors)
    return found


def flag(text: str) -> bool:
    """``true`` or ``false``."""
    if text not in {"true", "false"}:
        raise InvalidInput("not_allowed", "must be true or false")
    return text == "true"


def page_size(text: str) -> int:
    """How many rows a page has."""
    if not (text.isascii() and text.isdecimal() and len(text) < len(str(MAX_PAGE)) + 1):
        raise InvalidInput("out_of_range", f"must be 1 to {MAX_PAGE}")
    if not 1 <= int(text) <= MAX_PAGE:
        raise InvalidInput("out_of_range", f"must be 1 to {MAX_PAGE}")
    return int(text)


def sequence(text: str) -> int:
    """The id of a row that the database has counted; 0 is before the first."""
    digits = len(str(MAX_SEQUENCE))
    if not (text.isascii() and text.isdecimal() and len(text) <= digits and int(text) <= MAX_SEQUENCE):
        raise InvalidInput("out_of_range", f"must be 0 to {MAX_SEQUENCE}")
    return int(text)


def text_value(text: str) -> str:
    """Any short text that storage can hold."""
    if not 1 <= len(text) <= MAX_TEXT:
        raise InvalidInput("length", f"must be 1 to {MAX_TEXT} characters")
    if _UNREADABLE in text or not is_storable(text):
        raise InvalidInput("invalid_text", "must be percent-encoded UTF-8 without NUL")
    return text


def cursor(text: str) -> str:
    """A cursor's text; whether it is one of ours is for `pages` to say."""
    return text


def moment(text: str) -> datetime:
    """A time in RFC 3339."""
    return parse_moment(text)


def one_of(kind: type[StrEnum]) -> Parser:
    """One value of an enumeration."""

    def parse(text: str) -> StrEnum:
        try:
            return kind(text)
        except ValueError:
            raise InvalidInput("not_allowed", f"must be one of {', '.join(kind)}") from None

    return parse


def batch_id(text: str) -> UUID:
    """The id of a batch: ``bat_`` and a UUID."""
    value = text.removeprefix(BATCH_PREFIX)
    try:
        found = UUID(value)
    except ValueError:
        found = None
    if found is None or text != f"{BATCH_PREFIX}{found}":
        raise InvalidInput("not_allowed", f"must be {BATCH_PREFIX} and a UUID")
    return found
