"""From a request's fields to a `NewNotification`: the rules that its types can't say.

All rules are tried, so that a caller learns everything that is wrong at once. A part that is None was
missing or already refused for its shape.
"""

import re
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from notifier.domain import simulator
from notifier.domain.attachments import Attachment
from notifier.domain.content import check_content
from notifier.domain.errors import FieldError, InvalidFields, InvalidInput
from notifier.domain.lanes import Channel, Lane, Priority
from notifier.domain.lifecycle import Mode, OnUncertain
from notifier.domain.magic import check_mode, ending_of
from notifier.domain.notification import Content, NewNotification
from notifier.domain.options import check_options
from notifier.domain.recipients import ChatDestination, Platform, PushToken, Recipient
from notifier.domain.segments import units
from notifier.http import schemas
from notifier.http.addressing import read_recipient, used_channel
from notifier.http.callers import Caller
from notifier.http.checking import Errors, escape
from notifier.http.config import HttpConfig
from notifier.http.option_schemas import Options
from notifier.http.schemas import ContentFields, SendRequest
from notifier.http.times import parse_send_at

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_STAND_IN = {"filename": "file", "content_type": "text/plain", "data": "eA=="}


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Around one request: who asks, when, under which rules, and the names to follow it by."""

    caller: Caller
    config: HttpConfig
    now: datetime
    request_id: str
    traceparent: str | None = None
    batch_id: UUID | None = None


def compose(request: SendRequest, asked: Asked, errors: Errors) -> NewNotification:
    """The notification in `request`; raises `InvalidFields` with `errors` and all that it finds.

    Raises `Problem` ``forbidden`` for a lane that the caller's key does not reach.
    """
    found = list(errors)
    channel = used_channel(request.channel, request.to, asked.config, found)
    recipient = read_recipient(channel, request.to, asked.config, found)
    _check_mode(recipient, asked.caller, found)
    _check_destination(recipient, asked, found)
    options = _options(channel, request.options, found)
    content = _content(channel, request.content, options, found)
    send_at = _send_at(request.send_at, asked.now, found)
    _check_labels(request, found)
    _check_ttl(request.ttl, found)
    _check_provider(channel, request.provider, recipient, asked, found)
    if found or recipient is None or content is None or channel is None:
        raise InvalidFields(sorted(found, key=lambda error: error.pointer))
    lane = Lane(channel, request.priority or Priority.MEDIUM)
    asked.caller.must_reach(lane)
    return NewNotification(
        ttl=request.ttl,
        topic=request.topic,
        reference=request.reference,
        tags=tuple(request.tags or ()),
        metadata=request.metadata or {},
        on_uncertain=request.on_uncertain or OnUncertain.RESEND,
        provider=request.provider or _named_by(recipient, asked.caller.mode),
        tenant=asked.caller.tenant,
        api_key=asked.caller.key_id,
        mode=asked.caller.mode,
        lane=lane,
        recipient=recipient,
        content=content,
        units=units(channel, content),
        send_at=send_at,
        options=options,
        batch_id=asked.batch_id,
        traceparent=asked.traceparent,
        request_id=asked.request_id,
    )


def _named_by(recipient: Recipient, mode: Mode) -> str | None:
    """The account that a recipient names, as if the request had asked for it: a destination has no other."""
    return recipient.name if isinstance(recipient, ChatDestination) and mode is Mode.LIVE else None


def _content(
    channel: Channel | None, fields: ContentFields | None, options: dict[str, Any], errors: Errors
) -> Content | None:
    if fields is None:
        return None
    content = Content(
        subject=fields.subject,
        title=fields.title,
        text=fields.text,
        html=fields.html,
        attachments=tuple(map(_attachment, fields.attachments or ())),
    )
    if channel is not None:
        _add(errors, "/content", check_content(channel, content, options))
    return content


def _attachment(given: Any) -> Attachment:
    """A file; in place of what was refused for its shape stands what no rule minds."""
    stated = {name: getattr(given, name, None) for name in _STAND_IN}
    return Attachment(**{name: _STAND_IN[name] if value is None else value for name, value in stated.items()})


def _options(channel: Channel | None, options: Options | None, errors: Errors) -> dict[str, Any]:
    if options is None or channel is None:
        return {}
    given: dict[str, Any] = msgspec.to_builtins(options)
    _add(errors, "/options", check_options(channel, given))
    return given


def _add(errors: Errors, below: str, more: list[FieldError]) -> None:
    """Add what is wrong below a pointer, unless that very field was already refused for its shape."""
    pointed = {error.pointer for error in errors}
    for error in more:
        pointer = below + error.pointer
        if pointer not in pointed:
            errors.append(FieldError(pointer, error.code, error.detail))


def _send_at(text: str | None, now: datetime, errors: Errors) -> datetime | None:
    if text is None:
        return None
    try:
        return parse_send_at(text, now)
    except InvalidInput as error:
        errors.append(error.at("/send_at"))
        return None


def _check_ttl(ttl: int | None, errors: Errors) -> None:
    if ttl is not None and not 1 <= ttl <= schemas.MAX_TTL:
        errors.append(FieldError("/ttl", "out_of_range", f"must be 1 to {schemas.MAX_TTL} seconds"))


def _check_mode(recipient: Recipient | None, caller: Caller, errors: Errors) -> None:
    if recipient is None:
        return
    try:
        check_mode(recipient, caller.mode)
    except InvalidInput as error:
        errors.append(error.at("/to"))


def _check_destination(recipient: Recipient | None, asked: Asked, errors: Errors) -> None:
    """A chat must be one that Settings name, for test keys too; its name is no secret."""
    if not isinstance(recipient, ChatDestination) or ending_of(recipient) is not None:
        return
    known = asked.config.providers.get(Channel.CHAT, ())
    if recipient.name not in known and not any(error.pointer == "/to/chat" for error in errors):
        errors.append(FieldError("/to/chat", "not_allowed", f"must be one of {', '.join(known)}"))


def _check_provider(
    channel: Channel | None,
    name: str | None,
    recipient: Recipient | None,
    asked: Asked,
    errors: Errors,
) -> None:
    """The account must be there, for test keys too: the simulator, which serves every platform, stands in for it."""
    if name is None and not isinstance(recipient, PushToken):
        return
    config, tests = asked.config, asked.caller.mode is Mode.TEST
    known = config.providers.get(channel, ()) if channel else ()
    if isinstance(recipient, PushToken) and known:
        known = config.senders(recipient)
        if not known and not tests:
            served = [one for one in Platform if config.senders(PushToken("", one))]
            detail = f"must be one of {', '.join(served)}: no provider is configured for {recipient.platform}"
            errors.append(FieldError("/to/platform", "not_allowed", detail))
            return
    if isinstance(recipient, ChatDestination):
        known = config.senders(recipient)
    if tests:
        known = (*known, simulator.NAME)
    if name is not None and channel is not None and name not in known:
        errors.append(FieldError("/provider", "not_allowed", f"must be one of {', '.join(known)}"))


def _check_labels(request: SendRequest, errors: Errors) -> None:
    check_text("/reference", request.reference, schemas.MAX_REFERENCE, errors)
    check_text("/topic", request.topic, schemas.MAX_TOPIC, errors)
    tags = request.tags
    if not tags:
        pass
    elif len(tags) > schemas.MAX_TAGS:
        errors.append(FieldError("/tags", "too_many", f"must be at most {schemas.MAX_TAGS}"))
    else:
        for index, tag in enumerate(tags):
            check_text(f"/tags/{index}", tag, schemas.MAX_TAG, errors)
    if request.metadata:
        _check_metadata(request.metadata, errors)


def _check_metadata(metadata: dict[str, str], errors: Errors) -> None:
    if len(metadata) > schemas.MAX_METADATA:
        errors.append(FieldError("/metadata", "too_many", f"must have at most {schemas.MAX_METADATA} names"))
    elif len(msgspec.json.encode(metadata)) > schemas.MAX_METADATA_BYTES:
        errors.append(
            FieldError("/metadata", "too_long", f"must be at most {schemas.MAX_METADATA_BYTES} bytes of JSON")
        )
    else:
        errors.extend(
            FieldError(f"/metadata/{escape(name)}", "control_characters", "must be printable text")
            for name in metadata
            if _CONTROL.search(name)
        )


def check_text(pointer: str, text: str | None, longest: int, errors: Errors) -> None:
    """Add to `errors` unless `text` is None, or printable and of 1 to `longest` characters."""
    if text is None:
        return
    if not 1 <= len(text) <= longest:
        errors.append(FieldError(pointer, "length", f"must be 1 to {longest} characters"))
    elif _CONTROL.search(text):
        errors.append(FieldError(pointer, "control_characters", "must be printable text"))
