"""What a request may ask of its channel beyond the content: ``options.email``, ``.sms``, ``.push`` or ``.chat``."""

import re
from collections.abc import Callable, Iterator
from typing import Any

from notifier.domain.errors import FieldError, InvalidInput
from notifier.domain.lanes import Channel
from notifier.domain.recipients import EmailAddress
from notifier.domain.texts import CHAT_FORMATS, MAX_LINE_BYTES, has_control, is_blank, is_storable

MAX_HEADERS = 20
#: A request with thousands of mistakes hears of the first ones.
MAX_ERRORS = 50

#: What may be set beside X-…: nothing that names people, routes, signs or describes the body.
ALLOWED_HEADERS = ("Auto-Submitted", "In-Reply-To", "List-Id", "Precedence", "References")
_ALLOWED_LOWER = frozenset(name.lower() for name in ALLOWED_HEADERS)
_X_HEADER = re.compile(r"X-[A-Za-z0-9-]{1,40}", re.ASCII | re.IGNORECASE)
_SENDER_ID = re.compile(r"[A-Za-z0-9 ]{1,11}", re.ASCII)
_E164 = re.compile(r"\+[1-9][0-9]{6,14}", re.ASCII)
_COLLAPSE_KEY = re.compile(r"[\x20-\x7e]{1,64}", re.ASCII)
_MAX_ECHO = 64

#: Keys that FCM and APNs keep for themselves.
_RESERVED_DATA = frozenset({"aps", "from", "message_type", "collapse_key", "notification"})
_RESERVED_PREFIXES = ("google", "gcm")


def check_options(channel: Channel, options: object) -> list[FieldError]:
    """Everything wrong with `options` on `channel`, at most `MAX_ERRORS`; pointers are relative to it."""
    if not isinstance(options, dict):
        return [FieldError("", "invalid_type", "must be an object")]
    found = _all_errors(channel, options)
    return [error for error, _ in zip(found, range(MAX_ERRORS), strict=False)]


def _all_errors(channel: Channel, options: dict[str, Any]) -> Iterator[FieldError]:
    for key in options:
        if key == channel:
            continue
        code = "not_allowed" if key in set(Channel) else "unknown_field"
        yield FieldError(_below("", key), code, f"a notification by {channel} takes only options.{channel}")
    if channel not in options:
        return
    own = options[channel]
    if not isinstance(own, dict):
        yield FieldError(f"/{channel}", "invalid_type", "must be an object")
        return
    checks = _CHECKS[channel]
    for key, value in own.items():
        pointer = _below(f"/{channel}", key)
        if key in checks:
            yield from checks[key](pointer, value)
        else:
            code = "not_supported" if key in _LATER else "unknown_field"
            yield FieldError(pointer, code, f"must be one of {', '.join(checks)}")


def _reply_to(pointer: str, value: object) -> Iterator[FieldError]:
    if not isinstance(value, str):
        yield FieldError(pointer, "invalid_type", "must be a string")
    elif not value.isascii():
        yield FieldError(pointer, "invalid_address", "must be ASCII, its domain as A-labels (xn--…)")
    else:
        try:
            EmailAddress.parse(value)
        except InvalidInput as error:
            yield FieldError(pointer, "invalid_address", error.detail)


def _headers(pointer: str, value: object) -> Iterator[FieldError]:
    if not isinstance(value, dict):
        yield FieldError(pointer, "invalid_type", "must be an object of strings")
        return
    if len(value) > MAX_HEADERS:
        yield FieldError(pointer, "too_many", f"at most {MAX_HEADERS} headers")
        return
    seen: set[str] = set()
    for name, text in value.items():
        below = _below(pointer, name)
        if name.lower() in seen:
            yield FieldError(below, "duplicate", "the same header stands here twice")
        seen.add(name.lower())
        if not _X_HEADER.fullmatch(name) and name.lower() not in _ALLOWED_LOWER:
            detail = f"must be X- and up to 40 of A-Z a-z 0-9 -, or one of {', '.join(ALLOWED_HEADERS)}"
            yield FieldError(below, "not_allowed", detail)
        elif not _is_line(text):
            detail = f"must be text without control characters, at most {MAX_LINE_BYTES} bytes"
            yield FieldError(below, "invalid_header", detail)


def _sender_id(pointer: str, value: object) -> Iterator[FieldError]:
    if isinstance(value, str) and (_E164.fullmatch(value) or _is_alphanumeric_sender(value)):
        return
    detail = "must be 1 to 11 of A-Z a-z 0-9 and space with a letter, or a number in E.164"
    yield FieldError(pointer, "invalid_sender", detail)


def _collapse_key(pointer: str, value: object) -> Iterator[FieldError]:
    if not (isinstance(value, str) and _COLLAPSE_KEY.fullmatch(value) and value.strip()):
        yield FieldError(pointer, "invalid_collapse_key", "must be 1 to 64 printable ASCII characters")


def _data(pointer: str, value: object) -> Iterator[FieldError]:
    if not isinstance(value, dict):
        yield FieldError(pointer, "invalid_type", "must be a flat object of strings")
        return
    for key, text in value.items():
        if key in _RESERVED_DATA or key.startswith(_RESERVED_PREFIXES):
            yield FieldError(_below(pointer, key), "reserved", "push services keep this name for themselves")
        elif not key or not is_storable(key):
            yield FieldError(pointer, "invalid_text", "must not have an empty or unreadable name")
        elif not isinstance(text, str) or not is_storable(text):
            yield FieldError(_below(pointer, key), "invalid_type", "must be a string")


def _format(pointer: str, value: object) -> Iterator[FieldError]:
    if not isinstance(value, str) or value not in CHAT_FORMATS:
        yield FieldError(pointer, "not_allowed", f"must be one of {', '.join(CHAT_FORMATS)}")


def _is_line(text: object) -> bool:
    if not isinstance(text, str) or has_control(text) or is_blank(text):
        return False
    return len(text.encode()) <= MAX_LINE_BYTES


def _is_alphanumeric_sender(text: str) -> bool:
    return (
        _SENDER_ID.fullmatch(text) is not None
        and text == text.strip()
        and any(character.isalpha() for character in text)
    )


def _below(pointer: str, key: str) -> str:
    """The pointer to `key`; to its parent when the key is too long or too odd to be repeated."""
    if len(key) > _MAX_ECHO or not key.isprintable():
        return pointer
    return f"{pointer}/{key.replace('~', '~0').replace('/', '~1')}"


_Check = Callable[[str, object], Iterator[FieldError]]

_CHECKS: dict[Channel, dict[str, _Check]] = {
    Channel.EMAIL: {"reply_to": _reply_to, "headers": _headers},
    Channel.SMS: {"sender_id": _sender_id},
    Channel.PUSH: {"collapse_key": _collapse_key, "data": _data},
    Channel.CHAT: {"format": _format},
}
#: Known words that come with a later issue.
_LATER = frozenset({"from", "attachments"})
