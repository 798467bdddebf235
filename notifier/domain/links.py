"""Links in HTML that run a script or carry a document instead of leading somewhere."""

import html
import re

#: An attribute that takes a URL, with its value. Linear: no two parts can take the same blanks.
_ATTRIBUTE = re.compile(
    r"""\b(href|src|action|formaction|background|poster)\s*=\s*("[^"]*"|'[^']*'|[^\s>"']+)""", re.IGNORECASE
)
#: What may stand before a URL; tabs and line ends are dropped inside it too (WHATWG URL, 4.4).
_BEFORE = "".join(map(chr, range(0x21)))
#: How what is sought may begin, "&" for a character that is written as an entity; most links begin otherwise.
_FIRST = frozenset("jJvVdD&")
_SCRIPTS = ("javascript:", "vbscript:")
_WORDS = (*_SCRIPTS, "data:")
#: A picture may be carried along; a document behind a link may not.
_LEADING = frozenset({"href", "action", "formaction"})


def has_script_link(text: str) -> bool:
    """Whether an attribute of the HTML in `text` is a ``javascript:`` URL, or a link to a ``data:`` one."""
    # Most texts have none of the words, and looking for them is ten times as quick as reading the attributes.
    flat = _plain(text)
    if not any(word in flat for word in _WORDS):
        return False
    return any(_runs(found[1].lower(), found[2]) for found in _ATTRIBUTE.finditer(text))


def _runs(attribute: str, value: str) -> bool:
    bare = value.strip("\"'").lstrip(_BEFORE)
    if bare[:1] not in _FIRST:
        return False
    url = _plain(bare).lstrip(_BEFORE)
    return url.startswith(_SCRIPTS) or (attribute in _LEADING and url.startswith("data:"))


def _plain(text: str) -> str:
    """`text` as a browser compares it in a URL: no entities, no line ends or tabs, small letters."""
    if "&" in text:
        text = html.unescape(text)
    return text.replace("\t", "").replace("\r", "").replace("\n", "").lower()
