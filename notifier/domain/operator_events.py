"""What happens to providers and lanes and is kept for operators: the words."""

from enum import StrEnum


class EventKind(StrEnum):
    """What happened. A breaker does it by itself for the whole fleet; the rest is an operator's word."""

    BREAKER_OPENED = "breaker_opened"
    BREAKER_CLOSED = "breaker_closed"
    PROVIDER_DISABLED = "provider_disabled"
    PROVIDER_ENABLED = "provider_enabled"
    LANE_PAUSED = "lane_paused"
    LANE_RESUMED = "lane_resumed"
