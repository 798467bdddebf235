"""From what is stored to what a provider is given: pure."""

from collections.abc import Mapping
from typing import Any

from notifier.domain.attachments import Attachment
from notifier.domain.errors import RenderError
from notifier.domain.notification import Content
from notifier.domain.recipients import Platform, Recipient, recipient_from_json

_FIELDS = frozenset({"subject", "title", "text", "html"})


def render_content(stored: Mapping[str, Any] | None) -> Content:
    """The content of a row; raises `RenderError` for one that was forgotten or is not of this version."""
    if not stored:
        raise RenderError("the content is no longer kept")
    texts = {name: value for name, value in stored.items() if name != "attachments"}
    if not _FIELDS.issuperset(texts) or not all(isinstance(value, str) for value in texts.values()):
        raise RenderError("the stored content is not of this version")
    try:
        files = tuple(Attachment(**one) for one in stored.get("attachments", ()))
    except TypeError:
        raise RenderError("the stored content is not of this version") from None
    return Content(**texts, attachments=files)


def render_recipient(stored: Mapping[str, Any]) -> Recipient:
    """The recipient of a row."""
    try:
        return recipient_from_json(dict(stored))
    except (KeyError, ValueError, TypeError) as error:
        raise RenderError("the stored recipient is not of this version") from error


def platform_of(stored: Mapping[str, Any]) -> Platform | None:
    """Whose push token a row's recipient is; None where it is none (or none of this version)."""
    found = stored.get("platform")
    return Platform(found) if isinstance(found, str) and found in set(Platform) else None
