"""From a request's `to` to a recipient of its channel."""

# Both are imported by the domain where an address needs them; here they are there before the first request.
import email_validator  # noqa: F401
import phonenumbers  # noqa: F401

from notifier.domain.errors import FieldError, InvalidInput
from notifier.domain.lanes import Channel
from notifier.domain.recipients import ChatDestination, EmailAddress, PhoneNumber, PushToken, Recipient
from notifier.http.checking import Errors
from notifier.http.config import HttpConfig
from notifier.http.schemas import To

_NEEDED = {
    Channel.EMAIL: ("email",),
    Channel.SMS: ("phone",),
    Channel.PUSH: ("push_token", "platform"),
    Channel.CHAT: ("chat",),
}
_ALLOWED = {
    Channel.EMAIL: frozenset({"email", "name"}),
    Channel.SMS: frozenset({"phone"}),
    Channel.PUSH: frozenset({"push_token", "platform"}),
    Channel.CHAT: frozenset({"chat"}),
}


def used_channel(
    channel: Channel | None, to: To | None, config: HttpConfig, errors: Errors
) -> Channel | None:
    """`channel` if it has lanes here, else None; whatever names one that has none is added to `errors`."""
    if Channel.CHAT in config.channels:
        return channel
    if to is not None and to.chat is not None:
        detail = "no chat has a name here: NOTIFIER_CHAT_PROVIDERS is not set"
        errors.append(FieldError("/to/chat", "not_supported", detail))
    if channel is not Channel.CHAT:
        return channel
    detail = f"is not used here, for it has no provider; must be one of {', '.join(config.channels)}"
    errors.append(FieldError("/channel", "not_supported", detail))
    return None


def read_recipient(
    channel: Channel | None, to: To | None, config: HttpConfig, errors: Errors
) -> Recipient | None:
    """The recipient in `to`, or None with what is wrong added to `errors`."""
    if to is None or channel is None:
        return None
    if not _names_exactly(channel, to):
        before = len(errors)
        _tell_names(channel, to, errors)
        if len(errors) > before or any(getattr(to, name) is None for name in _NEEDED[channel]):
            return None
    try:
        return _parse(channel, to, config)
    except InvalidInput as error:
        errors.append(error.at("/to"))
        return None


def _names_exactly(channel: Channel, to: To) -> bool:
    """Whether all that `channel` needs is there, and nothing else: so in nearly every request."""
    match channel:
        case Channel.EMAIL:
            return to.email is not None and to.phone is to.push_token is to.platform is to.chat is None
        case Channel.SMS:
            return (
                to.phone is not None
                and to.email is to.name is to.push_token is to.platform is to.chat is None
            )
        case Channel.PUSH:
            needed = to.push_token is not None and to.platform is not None
            return needed and to.email is to.name is to.phone is to.chat is None
        case Channel.CHAT:
            return (
                to.chat is not None
                and to.email is to.name is to.phone is to.push_token is to.platform is None
            )


def _tell_names(channel: Channel, to: To, errors: Errors) -> None:
    told = {error.pointer for error in errors}
    errors.extend(
        FieldError(f"/to/{name}", "not_allowed", f"does not belong to channel {channel}")
        for name in To.__struct_fields__
        if getattr(to, name) is not None and name not in _ALLOWED[channel] and f"/to/{name}" not in told
    )
    pointed = {error.pointer for error in errors}
    errors.extend(
        FieldError(f"/to/{name}", "required", f"must be given for channel {channel}")
        for name in _NEEDED[channel]
        if getattr(to, name) is None and f"/to/{name}" not in pointed
    )


def _parse(channel: Channel, to: To, config: HttpConfig) -> Recipient:
    match channel:
        case Channel.EMAIL:
            return EmailAddress.parse(
                to.email or "",
                to.name,
                allow_utf8_local=config.utf8_addresses,
                allow_special=not config.production,
            )
        case Channel.SMS:
            return PhoneNumber.parse(to.phone or "")
        case Channel.PUSH:
            return PushToken.parse(to.push_token or "", to.platform or "")
        case Channel.CHAT:
            return ChatDestination.parse(to.chat or "")
