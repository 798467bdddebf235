"""How many parts a text message takes: what networks bill, and what a limit is charged.

Sources: 3GPP TS 23.038, 6.2.1 (the GSM 7-bit alphabet and its extension table) and 6.1.2.3 (UCS-2);
TS 23.040, 9.2.3.24.1 (the header of 6 octets that joins parts: 153 septets or 67 UTF-16 units remain).
"""

from dataclasses import dataclass
from enum import StrEnum

from notifier.domain.lanes import Channel
from notifier.domain.notification import Content

#: More parts than this are refused at the door.
MAX_SEGMENTS = 10

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
#: Each takes two septets: an escape and itself.
_EXTENSION = frozenset("\f^{}\\[~]|€")
_GSM7 = _BASIC | _EXTENSION
_LAST_OF_BMP = "\uffff"


class Encoding(StrEnum):
    """How a text message is written on the air."""

    GSM7 = "gsm7"
    UCS2 = "ucs2"


#: (all of a single part, all of one part of several), in septets or in UTF-16 code units.
_ROOM = {Encoding.GSM7: (160, 153), Encoding.UCS2: (70, 67)}


@dataclass(frozen=True, slots=True)
class Segments:
    """A text's parts: `units` is their number, `characters` the text's length in septets or UTF-16 units."""

    encoding: Encoding
    units: int
    characters: int


def count_segments(text: str) -> Segments:
    """The parts that `text` takes; an extension character or a surrogate pair is never split.

    >>> count_segments("a" * 161)
    Segments(encoding=<Encoding.GSM7: 'gsm7'>, units=2, characters=161)
    """
    if len(text) <= _ROOM[Encoding.GSM7][0] and _BASIC.issuperset(text):
        return Segments(Encoding.GSM7, 1, len(text))
    if _GSM7.issuperset(text):
        encoding, double = Encoding.GSM7, _EXTENSION
        sizes = [2 if character in double else 1 for character in text]
    else:
        encoding = Encoding.UCS2
        sizes = [2 if character > _LAST_OF_BMP else 1 for character in text]
    total = sum(sizes)
    single, part = _ROOM[encoding]
    return Segments(encoding, 1 if total <= single else _parts(sizes, part), total)


def units(channel: Channel, content: Content) -> int:
    """What a limit is charged for `content`: the segments of a text message, else 1."""
    return count_segments(content.text or "").units if channel is Channel.SMS else 1


def _parts(sizes: list[int], room: int) -> int:
    parts, left = 1, room
    for size in sizes:
        if size > left:
            parts, left = parts + 1, room
        left -= size
    return parts
