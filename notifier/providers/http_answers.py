"""An HTTP provider's answer as it may be kept, and as JSON.

Providers repeat what they were sent: as it was, percent-encoded, escaped for JSON. Each of these spellings of the
recipient, the content and the secrets is masked.
"""

import base64
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote, quote_plus

from notifier.domain.notification import Content
from notifier.domain.outcomes import Answer
from notifier.providers.http_client import Reply
from notifier.providers.masking import masked

_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,29}", re.ASCII)
_REFERENCE = re.compile(r"[\w.:/=+%-]{1,200}", re.ASCII)


def json_object(reply: Reply) -> dict[str, Any]:
    """The answer's JSON object; an empty one where there is none or it was cut."""
    if not reply.whole:
        return {}
    try:
        found = json.loads(reply.body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def basic(user: str, password: str) -> str:
    """The value of an Authorization header (RFC 7617)."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode("ascii")


def code_of(value: object) -> str | None:
    """A provider's code as text; None for anything that is no number and no short word."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    text = str(value)
    return text if _CODE.fullmatch(text) else None


def reference_of(value: object) -> str:
    """A provider's own id of a message; "" for anything that is no id."""
    return value if isinstance(value, str) and _REFERENCE.fullmatch(value) else ""


def answer_of(
    code: str, text: object, *, recipient: str, content: Content, secrets: Iterable[str] = ()
) -> Answer:
    """`code` and the provider's own words, as they may be kept.

    Only a field that is meant for people should come here, never a whole body.
    """
    if not isinstance(text, str):
        text = ""
    private = [*secrets, *content.texts.values()]
    clean = masked(
        text,
        addresses=tuple(_spellings((recipient, recipient.lstrip("+")))),
        secrets=tuple(_spellings(private)),
    )
    return Answer(code, clean)


def unreadable(reply: Reply) -> str:
    """What is said of an answer that is not in the provider's own form: its kind and size, none of its text."""
    kind = reply.headers.get("content-type", "no content type").partition(";")[0][:60]
    size = f"{len(reply.body)} bytes" if reply.whole else f"cut after {len(reply.body)} bytes"
    return masked(f"an answer in another form: {kind}, {size}")


def _spellings(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        if text:
            yield text
            yield quote(text, safe="")
            yield quote_plus(text)
            yield json.dumps(text)[1:-1]
            yield json.dumps(text, ensure_ascii=False)[1:-1]
