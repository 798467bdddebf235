"""The shapes of answers about suppressions: neither an address nor its digest is in them."""

from typing import Literal

from notifier.domain.lanes import Channel
from notifier.domain.lifecycle import Reason
from notifier.http.answer_types import Shape


class Suppression(Shape):
    """Nothing is sent to a recipient: of `topic`, or of anything where that is null; `source` said so."""

    id: str
    channel: Channel
    topic: str | None
    reason: Reason
    source: Literal["provider", "recipient", "operator"]
    notification_id: str | None
    created_at: str


class SuppressionList(Shape):
    """One recipient's suppressions, the one for everything first; `more`: there are others still."""

    data: list[Suppression]
    more: bool


ALL = (Suppression, SuppressionList)
