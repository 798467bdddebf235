"""What each channel's content must be: a table of fields and a few rules, all mistakes at once."""

import json
from collections.abc import Callable, Iterator
from typing import Any

from notifier.domain.attachments import check_attachments
from notifier.domain.errors import FieldError
from notifier.domain.lanes import Channel
from notifier.domain.links import has_script_link
from notifier.domain.notification import Content
from notifier.domain.options import check_options
from notifier.domain.segments import MAX_SEGMENTS, count_segments
from notifier.domain.texts import MAX_LINE_BYTES, has_control, is_blank, is_storable

__all__ = [
    "MAX_CHAT_TEXT",
    "MAX_PUSH_BYTES",
    "MAX_SUBJECT",
    "MAX_TITLE",
    "check_content",
    "check_options",
    "push_payload_size",
]

MAX_SUBJECT = 255
MAX_TITLE = 255
#: FCM and APNs both take 4 KB (reliability.md, "What a provider's answer means", 4 and 5).
MAX_PUSH_BYTES = 4096
#: Characters of a chat message: what most services take in one (Telegram 4096, Slack recommends 4000).
MAX_CHAT_TEXT = 4000

#: Characters that fit however they are written: none takes more than six bytes in JSON, its names and marks 60.
_SURELY_PUSHED = (MAX_PUSH_BYTES - 60) // 6

_FIELDS: dict[Channel, tuple[str, ...]] = {
    Channel.EMAIL: ("subject", "text", "html"),
    Channel.SMS: ("text",),
    Channel.PUSH: ("title", "text"),
    Channel.CHAT: ("title", "text"),
}


def check_content(
    channel: Channel, content: Content, options: dict[str, Any] | None = None
) -> list[FieldError]:
    """Everything wrong with `content` on `channel`; pointers are relative to the content.

    `options` are the request's, already checked: their push data counts towards the payload's size.
    """
    allowed = _FIELDS[channel]
    errors = []
    for name, value in content.texts.items():
        if name not in allowed:
            detail = f"{channel} takes only {', '.join(allowed)}"
            errors.append(FieldError(f"/{name}", "not_allowed", detail))
        elif is_blank(value):
            errors.append(FieldError(f"/{name}", "blank", "must hold something that can be seen"))
        elif not is_storable(value):
            detail = "must not contain NUL or a lone surrogate"
            errors.append(FieldError(f"/{name}", "invalid_text", detail))
    if content.attachments and channel is not Channel.EMAIL:
        errors.append(FieldError("/attachments", "not_allowed", f"{channel} takes no files"))
    # A field that is blank or unreadable is named once; only what passed is measured.
    bad = {error.pointer for error in errors}
    errors.extend(error for error in _RULES[channel](content, options or {}) if error.pointer not in bad)
    return errors


def push_payload_size(content: Content, options: dict[str, Any] | None = None) -> int:
    """Bytes of a push message as JSON in UTF-8: ``{"notification": {title, body}, "data": {…}}``.

    FCM's longest form; that of APNs (``{"aps": {"alert": …}, …}``) is never longer.
    """
    shown = {"title": content.title, "body": content.text}
    payload: dict[str, Any] = {"notification": {key: text for key, text in shown.items() if text is not None}}
    push = (options or {}).get("push")
    payload["data"] = (push.get("data") if isinstance(push, dict) else None) or {}
    text = json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
    return len(text.encode("utf-8", "surrogatepass"))


def _email(content: Content, _options: dict[str, Any]) -> Iterator[FieldError]:
    if content.subject is None:
        yield FieldError("/subject", "required", "an e-mail needs a subject")
    else:
        yield from _one_line("/subject", content.subject, MAX_SUBJECT)
    if content.text is None and content.html is None:
        yield FieldError("/text", "required", "an e-mail needs text, html or both")
    if content.html is not None and has_script_link(content.html):
        yield FieldError("/html", "script_link", "must not have a javascript:, vbscript: or data: link")
    yield from check_attachments(content.attachments)


def _sms(content: Content, _options: dict[str, Any]) -> Iterator[FieldError]:
    if content.text is None:
        yield FieldError("/text", "required", "a text message needs a text")
        return
    found = count_segments(content.text)
    if found.units > MAX_SEGMENTS:
        detail = f"takes {found.units} segments as {found.encoding}; at most {MAX_SEGMENTS} are sent"
        yield FieldError("/text", "too_long", detail)


def _push(content: Content, options: dict[str, Any]) -> Iterator[FieldError]:
    if content.title is not None:
        yield from _one_line("/title", content.title, MAX_TITLE)
    if content.text is None:
        yield FieldError("/text", "required", "a push message needs a text")
        return
    if not options and len(content.text) + len(content.title or "") <= _SURELY_PUSHED:
        return
    size = push_payload_size(content, options)
    if size > MAX_PUSH_BYTES:
        detail = f"makes a payload of {size} bytes with title and data; at most {MAX_PUSH_BYTES} are sent"
        yield FieldError("/text", "too_long", detail)


def _chat(content: Content, _options: dict[str, Any]) -> Iterator[FieldError]:
    if content.title is not None:
        yield from _one_line("/title", content.title, MAX_TITLE)
    if content.text is None:
        yield FieldError("/text", "required", "a chat message needs a text")
    elif len(content.text) > MAX_CHAT_TEXT:
        yield FieldError("/text", "too_long", f"at most {MAX_CHAT_TEXT} characters")


def _one_line(pointer: str, text: str, limit: int) -> Iterator[FieldError]:
    if has_control(text):
        yield FieldError(pointer, "control_characters", "must be one line without control characters")
    elif len(text) > limit or len(text.encode()) > MAX_LINE_BYTES:
        yield FieldError(pointer, "too_long", f"at most {limit} characters and {MAX_LINE_BYTES} bytes")


_RULES: dict[Channel, Callable[[Content, dict[str, Any]], Iterator[FieldError]]] = {
    Channel.EMAIL: _email,
    Channel.SMS: _sms,
    Channel.PUSH: _push,
    Channel.CHAT: _chat,
}
