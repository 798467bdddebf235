"""What a text holds that its reader can't see."""

import unicodedata

#: How a chat's text is written; the first unless said.
CHAT_FORMATS = ("plain", "markdown")
#: RFC 5322, 2.1.1: no line of a message is longer, in octets.
MAX_LINE_BYTES = 998

#: Controls, lone surrogates, line and paragraph separators: they have no place in one line of text.
_CONTROLS = frozenset({"Cc", "Cs", "Zl", "Zp"})
#: Spaces of every kind and format characters, the zero-width ones among them.
_UNSEEN = frozenset({"Cc", "Cf", "Zs", "Zl", "Zp"})
#: Letters and symbols that show nothing: grapheme joiner, Hangul fillers, blank Braille, variation selectors.
_FILLERS = frozenset("\u034f\u115f\u1160\u2800\u3164\uffa0") | {chr(code) for code in range(0xFE00, 0xFE10)}


def has_control(text: str) -> bool:
    """Whether `text` holds a control character, a line or paragraph separator, or a lone surrogate."""
    if text.isprintable():
        return False
    return any(unicodedata.category(character) in _CONTROLS for character in text)


def is_blank(text: str) -> bool:
    """Whether nothing of `text` can be seen: empty, only spaces, only zero-width characters."""
    if "!" <= text[:1] <= "~":  # nearly every text begins with what can be seen
        return False
    return all(
        unicodedata.category(character) in _UNSEEN or character in _FILLERS for character in text.lstrip()
    )


def is_storable(text: str) -> bool:
    """Whether a database and UTF-8 can hold `text`: no NUL, no lone surrogate."""
    if "\0" in text:
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def storable(text: str) -> str:
    """`text` without what PostgreSQL can't hold: NUL and lone surrogates."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()
