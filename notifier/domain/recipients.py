"""Who a notification goes to: an e-mail address, a phone number, a push token or a named chat.

`parse` is for the door and checks everything; inside, a recipient is already true and is built as it
is (`recipient_from_json`). None of them shows its address in `repr`, so a stray log line can't leak it.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any, Self

from notifier.domain.email_addresses import check_name, mixes_scripts, normal_address
from notifier.domain.errors import InvalidInput
from notifier.domain.lanes import Channel
from notifier.domain.phone_numbers import normal_number
from notifier.domain.push_tokens import Platform, canonical_subscription, normal_token, parse_platform
from notifier.domain.simulator import ENDING_OF_TOKEN, SIMULATOR_PHONES

__all__ = [
    "SIMULATOR_PHONES",
    "ChatDestination",
    "EmailAddress",
    "PhoneNumber",
    "Platform",
    "PushToken",
    "Recipient",
    "address_key",
    "recipient_from_json",
]


@dataclass(frozen=True, slots=True, repr=False)
class EmailAddress:
    """One addr-spec, its domain in lower case and ASCII, and the name to show beside it."""

    address: str
    name: str | None = None

    @classmethod
    def parse(
        cls, text: str, name: str | None = None, *, allow_utf8_local: bool = False, allow_special: bool = True
    ) -> Self:
        """The address in `text`; raises `InvalidInput` with pointer ``/email`` or ``/name``.

        `allow_utf8_local`: the provider has SMTPUTF8 (RFC 6531). `allow_special`: not in production,
        so ``.test`` and ``.invalid`` will do.
        """
        address = normal_address(text, allow_utf8_local=allow_utf8_local, allow_special=allow_special)
        return cls(address, None if name is None else check_name(name))

    @property
    def channel(self) -> Channel:
        """The channel that reaches it."""
        return Channel.EMAIL

    @property
    def mixed_script(self) -> bool:
        """Whether it mixes alphabets, as look-alike addresses do; kept all the same."""
        return mixes_scripts(self.address)

    def to_json(self) -> dict[str, Any]:
        """``{"email", "name"?}``."""
        if self.name is None:
            return {"email": self.address}
        return {"email": self.address, "name": self.name}

    def __repr__(self) -> str:
        return "EmailAddress(…)"


@dataclass(frozen=True, slots=True, repr=False)
class PhoneNumber:
    """A number in E.164, as in ``+14155552671``."""

    number: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """The number in `text`; raises `InvalidInput` with pointer ``/phone``."""
        return cls(normal_number(text))

    @property
    def channel(self) -> Channel:
        """The channel that reaches it."""
        return Channel.SMS

    def to_json(self) -> dict[str, Any]:
        """``{"phone"}``."""
        return {"phone": self.number}

    def __repr__(self) -> str:
        return "PhoneNumber(…)"


@dataclass(frozen=True, slots=True, repr=False)
class PushToken:
    """A device's token; for Web Push, the subscription as canonical JSON text. The simulator's are plain everywhere."""

    token: str
    platform: Platform

    @classmethod
    def parse(cls, token: str | dict[str, Any], platform: str) -> Self:
        """The token; raises `InvalidInput` with pointer ``/platform`` or below ``/push_token``."""
        whose = parse_platform(platform)
        return cls(normal_token(token, whose), whose)

    @property
    def channel(self) -> Channel:
        """The channel that reaches it."""
        return Channel.PUSH

    @property
    def _is_subscription(self) -> bool:
        return self.platform is Platform.WEBPUSH and self.token not in ENDING_OF_TOKEN

    @property
    def subscription(self) -> dict[str, Any]:
        """The Web Push subscription: ``{"endpoint", "keys": {"p256dh", "auth"}}``."""
        found: dict[str, Any] = json.loads(self.token)
        return found

    @property
    def named_by(self) -> str:
        """What tells it from every other: the token, of a subscription its endpoint."""
        return str(self.subscription["endpoint"]) if self._is_subscription else self.token

    def to_json(self) -> dict[str, Any]:
        """``{"push_token", "platform"}``."""
        token = self.subscription if self._is_subscription else self.token
        return {"push_token": token, "platform": self.platform.value}

    def __repr__(self) -> str:
        return f"PushToken(…, {self.platform})"


@dataclass(frozen=True, slots=True)
class ChatDestination:
    """A chat by the name that Settings give it: what leads there is a secret, and never part of a request."""

    name: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """The name in `text`; raises `InvalidInput` with pointer ``/chat``."""
        if _CHAT.fullmatch(text) is None:
            detail = (
                "must be a destination's name: 1 to 63 of a-z 0-9 . _ : - that begin with a letter or digit"
            )
            raise InvalidInput("invalid_recipient", detail, "/chat")
        return cls(text)

    @property
    def channel(self) -> Channel:
        """The channel that reaches it."""
        return Channel.CHAT

    def to_json(self) -> dict[str, Any]:
        """``{"chat"}``."""
        return {"chat": self.name}


#: As accounts are named, for a destination is an account.
_CHAT = re.compile(r"[a-z0-9][a-z0-9._:-]{0,62}", re.ASCII)

Recipient = EmailAddress | PhoneNumber | PushToken | ChatDestination


def recipient_from_json(data: dict[str, Any]) -> Recipient:
    """What `to_json` gave, without checking it again: it was true when it was kept."""
    if "email" in data:
        return EmailAddress(data["email"], data.get("name"))
    if "phone" in data:
        return PhoneNumber(data["phone"])
    if "chat" in data:
        return ChatDestination(data["chat"])
    platform = Platform(data["platform"])
    token = data["push_token"]
    return PushToken(token if isinstance(token, str) else canonical_subscription(token), platform)


def address_key(recipient: Recipient) -> str:
    """One text for one address, to search and to compare by; at most 265 characters.

    The e-mail address in lower case (local part too), the number in E.164, the platform with the
    SHA-256 of the token (of a subscription its endpoint, which names it): tokens of 4 KB fit no index. A chat's name.
    """
    match recipient:
        case EmailAddress(address):
            return address.lower()
        case PhoneNumber(number):
            return number
        case PushToken(_, platform):
            text = recipient.named_by
            return f"{platform}:{hashlib.sha256(text.encode()).hexdigest()}"
        case ChatDestination(name):
            return name
