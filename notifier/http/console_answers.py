"""The shapes of what the console asks and is told."""

from typing import Annotated

from msgspec import Meta

from notifier.domain.lanes import Channel
from notifier.domain.lifecycle import Mode
from notifier.http.answer_types import Lane, Shape
from notifier.http.option_schemas import Strict


class LoginRequest(Strict):
    """A session from an API key; the key is given this once."""

    key: Annotated[str, Meta(description="nk_live_… or nk_test_…, with the scope read.")]


class ConsoleSession(Shape):
    """Whose session it is, what it may do, and when it ends unless it is renewed."""

    key_id: str
    tenant: str
    mode: Mode
    scopes: list[str]
    channels: list[Channel] | None
    expires_at: str | None


class LaneMoment(Shape):
    """The threads that ran in each lane (those with none left out) at a moment, of `threads` in all."""

    at: str
    threads: int
    running: dict[str, int]


class LaneHistory(Shape):
    """The event ``history``: what is known of the last ten minutes, oldest first."""

    data: list[LaneMoment]


class LaneNews(Shape):
    """The event ``lanes``: every lane as it is now, and how many threads all workers have."""

    at: str
    threads: int
    data: list[Lane]


ALL = (ConsoleSession, LaneHistory, LaneNews)
