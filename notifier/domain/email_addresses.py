"""What is one plain e-mail address, and how it is written down.

Exactly one addr-spec (RFC 5321, 4.1.2) without quoted local parts, comments, source routes or address
literals: what is left means the same to every mail server, and can't become two recipients in a header.
"""

import re
import unicodedata

from notifier.domain.errors import InvalidInput
from notifier.domain.texts import has_control, is_blank

#: Top-level domains that no mail ever reaches (RFC 2606, RFC 6761, RFC 6762). `.example` is left out:
#: documents and tests are full of it.
SPECIAL_DOMAINS = frozenset({"invalid", "test", "localhost", "local"})
#: RFC 5321, 4.5.3.1, in octets; 254 follows from the 256 of a path with its two brackets.
MAX_ADDRESS, MAX_LOCAL, MAX_LABEL = 254, 64, 63
MAX_NAME = 200

#: What nearly every address looks like, and what the library gives back as it is.
_PLAIN = re.compile(
    r"([a-z0-9_%+-]+(?:\.[a-z0-9_%+-]+)*)@((?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z]+)", re.ASCII
)
#: Top-level domains that the library refuses besides those above (RFC 3172, RFC 7686).
_REFUSED = frozenset({"arpa", "onion"})

_FORMS = ("HIRAGANA", "KATAKANA", "CJK", "BOPOMOFO", "HANGUL")
#: Scripts that one name may mix (UTS #39, 5.2, "highly restrictive").
_MIXES = (
    frozenset({"LATIN", "CJK", "HIRAGANA", "KATAKANA"}),
    frozenset({"LATIN", "CJK", "BOPOMOFO"}),
    frozenset({"LATIN", "CJK", "HANGUL"}),
)


def normal_address(text: str, *, allow_utf8_local: bool, allow_special: bool) -> str:
    """The address as it is kept: NFC, the domain in lower case and as IDNA A-labels.

    Raises `InvalidInput` (``invalid_recipient``, ``/email``), never with any of the text.
    """
    special = text.rpartition(".")[2].lower()
    if len(text) <= MAX_ADDRESS and special not in SPECIAL_DOMAINS and _plain(text) is not None:
        return text
    _check_shape(text)
    if special not in SPECIAL_DOMAINS:
        return _validated(text, allow_utf8_local)
    if not allow_special:
        raise _refused(f"must not be in a domain that never receives mail (.{special})")
    # The library refuses these domains always, so it judges the rest under a stand-in of the same length.
    kept = len(text) - len(special)
    stand_in = "x" * len(special)
    address = _validated(text[:kept] + stand_in, allow_utf8_local)
    return address.removesuffix(stand_in) + special


def check_name(name: str) -> str:
    """A display name, as it is; raises `InvalidInput` with pointer ``/name``."""
    if has_control(name):
        raise InvalidInput("invalid_recipient", "must not contain control characters", "/name")
    if is_blank(name) or len(name) > MAX_NAME:
        raise InvalidInput("invalid_recipient", f"must be 1 to {MAX_NAME} characters, not blank", "/name")
    return name


def mixes_scripts(address: str) -> bool:
    """Whether the local part or a label of the domain mixes scripts, as look-alike names do.

    >>> mixes_scripts("ada@p\u0430ypal.com")  # the second letter is Cyrillic
    True
    """
    if address.isascii() and "xn--" not in address:
        return False
    local, _, domain = address.rpartition("@")
    return any(_mixed(part) for part in (local, *map(_unicode_label, domain.split("."))))


def _check_shape(text: str) -> None:
    if len(text) > MAX_ADDRESS:
        raise _refused(f"must be at most {MAX_ADDRESS} characters")
    if has_control(text) or any(character.isspace() for character in text):
        raise _refused("must not contain spaces or control characters")
    if text.count("@") != 1:
        raise _refused("must be exactly one address with exactly one @")


def _validated(text: str, allow_utf8_local: bool) -> str:
    local, domain = _plain(text) or _judged(text, allow_utf8_local)
    _check_domain(domain)
    octets = len(local.encode())
    if octets > MAX_LOCAL or octets + 1 + len(domain) > MAX_ADDRESS:
        raise _refused(f"must be at most {MAX_LOCAL} bytes before the @ and {MAX_ADDRESS} in all")
    return f"{local}@{domain}"


def _plain(text: str) -> tuple[str, str] | None:
    """Both sides of an address that needs no library to be judged; None for any other, right or wrong.

    The library takes 35 ms to import and most of what reading a request's address costs.
    """
    found = _PLAIN.fullmatch(text)
    if found is None:
        return None
    local, domain = found[1], found[2]
    labels = domain.split(".")
    # "--": Punycode, and labels that RFC 5890 reserves.
    if (
        "--" in domain
        or labels[-1] in _REFUSED
        or len(local) > MAX_LOCAL
        or max(map(len, labels)) > MAX_LABEL
    ):
        return None
    return local, domain


def _judged(text: str, allow_utf8_local: bool) -> tuple[str, str]:
    # Only where it is needed: see `_plain`.
    from email_validator import EmailNotValidError, validate_email

    try:
        found = validate_email(
            text, allow_smtputf8=allow_utf8_local, check_deliverability=False, globally_deliverable=False
        )
    except (EmailNotValidError, UnicodeError):
        if not allow_utf8_local and not text.partition("@")[0].isascii():
            raise _refused("must be ASCII before the @: the provider can't send to others") from None
        raise _refused("must be one plain address such as ada@example.com") from None
    return found.local_part, found.ascii_domain.lower()


def _check_domain(domain: str) -> None:
    labels = domain.split(".")
    if len(labels) < 2:  # noqa: PLR2004 - a name and its top-level domain
        raise _refused("must have a full domain such as example.com")
    if any(not 0 < len(label) <= MAX_LABEL for label in labels):
        raise _refused(f"must have 1 to {MAX_LABEL} characters between the dots of the domain")
    if not labels[-1][0].isalpha():
        raise _refused("must have a domain name, not an IP address")


def _refused(detail: str) -> InvalidInput:
    return InvalidInput("invalid_recipient", detail, "/email")


def _unicode_label(label: str) -> str:
    if not label.startswith("xn--"):
        return label
    try:
        return label[4:].encode("ascii").decode("punycode")
    except UnicodeError:
        return label


def _mixed(text: str) -> bool:
    if text.isascii():
        return False
    scripts = {_script(character) for character in text if character.isalpha()}
    return len(scripts) > 1 and not any(scripts <= mix for mix in _MIXES)


def _script(letter: str) -> str:
    """The script of a letter by the first word of its Unicode name, enough to tell alphabets apart."""
    words = unicodedata.name(letter, "UNKNOWN").replace("-", " ").split()
    if words[0] in {"FULLWIDTH", "HALFWIDTH"}:
        words = words[1:]
    return next((form for form in _FORMS if words[0] == form), words[0])
