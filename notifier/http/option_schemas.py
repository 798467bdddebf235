"""What a request may ask of its channel only, as types."""

from typing import Annotated

import msgspec
from msgspec import Meta

from notifier.domain.texts import CHAT_FORMATS


class Strict(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """A JSON object in which every name must be known."""


class EmailOptions(Strict):
    """What only an e-mail has."""

    reply_to: str | None = None
    headers: Annotated[dict[str, str] | None, Meta(description="X-… headers only.")] = None


class SmsOptions(Strict):
    """What only a text message has."""

    sender_id: str | None = None


class PushOptions(Strict):
    """What only a push message has."""

    collapse_key: str | None = None
    data: dict[str, str] | None = None


class ChatOptions(Strict):
    """What only a chat message has."""

    format: Annotated[
        str | None,
        Meta(
            description="How the text is written; plain unless said.",
            extra_json_schema={"enum": [*CHAT_FORMATS, None]},
        ),
    ] = None


class Options(Strict):
    """What belongs to one channel only; the other channels' options are refused."""

    email: EmailOptions | None = None
    sms: SmsOptions | None = None
    push: PushOptions | None = None
    chat: ChatOptions | None = None
