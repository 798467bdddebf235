"""What a caller may send, as types: they decode the requests and make the OpenAPI document.

A field that stands here is used; one that does not is refused (422). `None` means the same as leaving
a field out. Rules that a type can't say are in `compose`.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from notifier.domain.attachments import MAX_ATTACHMENTS, MAX_FILENAME
from notifier.domain.lanes import Channel, Priority
from notifier.domain.lifecycle import OnUncertain, Reason
from notifier.domain.replays import DEFAULT_RATE, MAX_LIMIT, MAX_RATE, MIN_RATE, FailureStatus
from notifier.http.option_schemas import Options, Strict

MAX_REFERENCE, MAX_TOPIC, MAX_TAG = 255, 100, 64
MAX_TAGS, MAX_METADATA = 16, 16
MAX_PROVIDER = 255
MAX_METADATA_BYTES = 2048
#: The longest a notification may be kept trying, in seconds: 30 days, as long as content is kept.
MAX_TTL = 30 * 24 * 3600


class To(Strict):
    """One recipient: an e-mail address, a phone number, a push token or a named chat."""

    email: Annotated[
        str | None, Meta(description="One address; for channel email.", extra_json_schema={"maxLength": 254})
    ] = None
    name: Annotated[
        str | None,
        Meta(
            description="The name shown beside the address.",
            extra_json_schema={"minLength": 1, "maxLength": 200},
        ),
    ] = None
    phone: Annotated[
        str | None,
        Meta(
            description="E.164, as in +14155552671; for channel sms.",
            extra_json_schema={"pattern": r"^\+[1-9][0-9]{6,14}$"},
        ),
    ] = None
    push_token: Annotated[
        str | dict[str, Any] | None,
        Meta(description="The device's token; for webpush the subscription, as browsers give it."),
    ] = None
    platform: Annotated[
        str | None,
        Meta(
            description="Whose token it is; with push_token.",
            extra_json_schema={"enum": ["fcm", "apns", "webpush", None]},
        ),
    ] = None
    chat: Annotated[
        str | None,
        Meta(
            description="A destination that Settings name; for channel chat.",
            extra_json_schema={"pattern": "^[a-z0-9][a-z0-9._:-]{0,62}$"},
        ),
    ] = None


class AttachmentFields(Strict):
    """A file that goes with an e-mail."""

    filename: Annotated[
        str,
        Meta(
            description="A bare name of at most 255 bytes; no program.",
            extra_json_schema={"minLength": 1, "maxLength": MAX_FILENAME},
        ),
    ]
    content_type: Annotated[
        str,
        Meta(
            description="A bare media type, as in application/pdf; not multipart, message or a program's.",
            extra_json_schema={"maxLength": 255},
        ),
    ]
    data: Annotated[
        str, Meta(description="The bytes in base64.", extra_json_schema={"contentEncoding": "base64"})
    ]


class ContentFields(Strict):
    """What the recipient reads. E-mail: subject and text, html or both. SMS: text. Push, chat: title and text."""

    subject: str | None = None
    title: str | None = None
    text: str | None = None
    html: str | None = None
    attachments: Annotated[
        list[AttachmentFields] | None,
        Meta(
            description="Files; for channel email. 10 MB together.",
            extra_json_schema={"maxItems": MAX_ATTACHMENTS},
        ),
    ] = None


class SendRequest(Strict):
    """One notification."""

    channel: Channel
    to: To
    content: ContentFields
    priority: Annotated[Priority | None, Meta(description="medium unless said.")] = None
    send_at: Annotated[
        str | None,
        Meta(
            description="When to send: at most a year ahead; left out, now.",
            extra_json_schema={"format": "date-time"},
        ),
    ] = None
    ttl: Annotated[
        int | None,
        Meta(
            description="Seconds from send_at until it expires; by priority unless said.",
            extra_json_schema={"minimum": 1, "maximum": MAX_TTL},
        ),
    ] = None
    topic: Annotated[
        str | None,
        Meta(description="What it is about.", extra_json_schema={"minLength": 1, "maxLength": MAX_TOPIC}),
    ] = None
    reference: Annotated[
        str | None,
        Meta(
            description="Your own name for it.",
            extra_json_schema={"minLength": 1, "maxLength": MAX_REFERENCE},
        ),
    ] = None
    tags: Annotated[
        list[str] | None,
        Meta(
            description=f"Each of 1 to {MAX_TAG} characters.",
            extra_json_schema={"maxItems": MAX_TAGS},
        ),
    ] = None
    metadata: Annotated[
        dict[str, str] | None,
        Meta(description="2 KB together.", extra_json_schema={"maxProperties": MAX_METADATA}),
    ] = None
    on_uncertain: Annotated[
        OnUncertain | None,
        Meta(description="Whether to send again when nobody knows if a call reached the recipient."),
    ] = None
    provider: Annotated[
        str | None, Meta(description="A configured provider of the channel; the first unless said.")
    ] = None
    options: Options | None = None


class BatchFields(Strict):
    """Up to 1,000 notifications. A field of an item replaces the whole field of the defaults."""

    items: list[Any]
    defaults: dict[str, Any] | None = None


class SearchRequest(Strict):
    """Whose notifications to look for; the address stands in the body so that no URL ever holds it."""

    to: To


class SuppressRequest(Strict):
    """Whom to send nothing more to."""

    channel: Channel
    to: To
    reason: Annotated[
        Literal["recipient_opted_out", "invalid_recipient", "unreachable_recipient"] | None,
        Meta(description="recipient_opted_out unless said."),
    ] = None
    topic: Annotated[
        str | None,
        Meta(
            description="Only what is about this; everything unless said.",
            extra_json_schema={"minLength": 1, "maxLength": MAX_TOPIC},
        ),
    ] = None


class SuppressionSearchRequest(Strict):
    """Whose suppressions to look for; the address stands in the body so that no URL ever holds it."""

    to: To


class ResolveRequest(Strict):
    """How a held notification ends."""

    verdict: Literal["sent", "resend", "failed"] = msgspec.field(name="as")


class FailureFields(Strict):
    """Which failures are meant: those that fit every field; none at all: every failure that is still open."""

    since: Annotated[
        str | None,
        Meta(description="Ended at this moment or later.", extra_json_schema={"format": "date-time"}),
    ] = None
    until: Annotated[
        str | None, Meta(description="Ended before this moment.", extra_json_schema={"format": "date-time"})
    ] = None
    status: FailureStatus | None = None
    reason: Reason | None = None
    channel: Channel | None = None
    priority: Priority | None = None
    provider: Annotated[
        str | None,
        Meta(
            description="The provider of its last attempt.",
            extra_json_schema={"minLength": 1, "maxLength": MAX_PROVIDER},
        ),
    ] = None


Limit = Annotated[
    int | None,
    Meta(
        description=f"The oldest of them, at most so many; {MAX_LIMIT} unless said.",
        extra_json_schema={"minimum": 1, "maximum": MAX_LIMIT},
    ),
]
DryRun = Annotated[bool | None, Meta(description="Count what would be taken, change nothing.")]


class ReplayRequest(Strict):
    """Failures to send again, each as a new notification."""

    filter: FailureFields
    limit: Limit = None
    rate: Annotated[
        float | None,
        Meta(
            description=f"At most so many a second, one after another; {DEFAULT_RATE:g} unless said.",
            extra_json_schema={"minimum": MIN_RATE, "maximum": MAX_RATE},
        ),
    ] = None
    priority: Annotated[
        Priority | None,
        Meta(description="Send all of them down this priority's lanes; each its own unless said."),
    ] = None
    ttl: Annotated[
        int | None,
        Meta(
            description="Seconds that each is worth sending from its turn on, also where its time was over; "
            "unless said each keeps its expires_at, and those past it are dropped.",
            extra_json_schema={"minimum": 1, "maximum": MAX_TTL},
        ),
    ] = None
    dry_run: DryRun = None


class DiscardRequest(Strict):
    """Failures to put aside: no list shows them unless asked, no replay takes them."""

    filter: FailureFields
    limit: Limit = None
    dry_run: DryRun = None


#: Fields of the interface that are not built yet, by the type they will belong to.
NOT_SUPPORTED: dict[str, frozenset[str]] = {"SendRequest": frozenset({"template", "dedup"})}
