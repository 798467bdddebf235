"""Which bytes are JSON that can be stored: stricter than RFC 8259 where storage or safety needs it.

Refused as a whole, with the problem `invalid_json` (400): no UTF-8, a byte-order mark, NaN and
numbers beyond a double, NUL anywhere, lone surrogates, nesting too deep to read, an object with more than
1,000 names, the same name twice in one object. That last costs a second pass, so it is looked for
in bodies of at most 4 KB; in a larger one the last of the two counts.
"""

import json
import re
from typing import Any, NoReturn

import msgspec

from notifier.http.problems import Problem

#: Bodies up to this size are searched for names that come twice.
DUPLICATE_SEARCH = 4096
MAX_NAMES = 1000
MAX_DEPTH = 64


def refused(detail: str) -> Problem:
    """The answer to bytes that can't be read."""
    return Problem("invalid_json", detail)


def parse(body: bytes) -> Any:
    """The JSON value in `body`; raises `Problem`."""
    try:
        value = msgspec.json.decode(body)
        check_names(body)
    except RecursionError:
        raise refused("the body is nested too deeply") from None
    except UnicodeDecodeError:
        raise refused("the body must be UTF-8") from None
    except (msgspec.MsgspecError, ValueError) as error:
        _explain(body, error)
    return value


def parse_object(body: bytes) -> dict[str, Any]:
    """The JSON object in `body`, in which all names and texts can be stored; raises `Problem`."""
    value = parse(body)
    if not isinstance(value, dict):
        raise refused("the body must be a JSON object")
    check_storable(value)
    return value


def may_hold_nul(body: bytes) -> bool:
    """Whether NUL may be among the texts of `body`: a cheap look before a full one."""
    return b"\\u0000" in body


def check_names(body: bytes, read: msgspec.Struct | None = None) -> None:
    """Refuse the same name twice in one object, in bodies small enough to look; raises `Problem`.

    `read` is what the body was decoded to, if its type leaves out what is not set: where it is written with as many
    names as the body has, none stands there twice, and the second pass is spared.
    """
    if len(body) <= DUPLICATE_SEARCH and (read is None or not _all_read(body, read)):
        _name_reader.decode(body.decode())


def _all_read(body: bytes, read: msgspec.Struct) -> bool:
    # An escaped quotation mark would be counted where it is written otherwise.
    if b"\\u" in body or _APART.search(body) is not None:
        return False
    return body.count(b'":') == msgspec.json.encode(read).count(b'":')


def check_storable(value: Any) -> None:
    """Refuse NUL in any text, too many names and too much depth; raises `Problem`."""
    level = [value]
    for _ in range(MAX_DEPTH):
        if not level:
            return
        below: list[Any] = []
        for item in level:
            _look_into(item, below)
        level = below
    raise refused("the body is nested too deeply")


def _look_into(item: Any, below: list[Any]) -> None:
    if isinstance(item, str):
        if "\x00" in item:
            raise refused("the character NUL can't be stored")
    elif isinstance(item, dict):
        if len(item) > MAX_NAMES:
            raise refused(f"an object may have at most {MAX_NAMES} names")
        below.extend(item)
        below.extend(item.values())
    elif isinstance(item, list):
        below.extend(item)


def _no_name_twice(pairs: list[tuple[str, Any]]) -> None:
    if len({name for name, _ in pairs}) != len(pairs):
        raise refused("a name stands twice in one object")


#: Space between a name and its colon: nobody writes it, and no count of ``":`` would see such a name.
_APART = re.compile(rb'"[ \t\r\n]+:')
#: Made once: `json.loads` with a hook makes a decoder for each text.
_name_reader = json.JSONDecoder(object_pairs_hook=_no_name_twice)


def _explain(body: bytes, error: Exception) -> NoReturn:
    if not body.strip():
        raise refused("the body is empty") from None
    if body.startswith(b"\xef\xbb\xbf"):
        raise refused("the body must not begin with a byte-order mark") from None
    if "out of range" in str(error):
        raise refused("a number is too large") from None
    raise refused("the body is not valid JSON") from None
