"""What a door of the command line answers, whichever it is."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Protocol

from notifier.domain.lanes import Lane


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, as HTTP has them, with its document; `notes` is what a person should know beside it."""

    status: int
    document: dict[str, Any]
    notes: tuple[str, ...] = ()

    @property
    def good(self) -> bool:
        """Whether it is what was asked for, not a problem."""
        return self.status < HTTPStatus.MULTIPLE_CHOICES


class NoAnswer(Exception):
    """Nobody answered; the text says why, what it means and what to do."""


class Door(Protocol):
    """What takes notifications, tells about them and steers their lanes."""

    def send(self, body: bytes, *, idempotency_key: str | None, dry_run: bool) -> Answer:
        """What POST /v1/notifications answers to `body`; raises `NoAnswer`."""

    def show(self, notification: str) -> Answer:
        """What GET /v1/notifications/{id} answers; raises `NoAnswer`."""

    def lanes(self) -> Answer:
        """What GET /v1/lanes answers; raises `NoAnswer`."""

    def set_paused(self, lane: Lane, paused: bool) -> Answer:
        """What POST /v1/lanes/{channel}/{priority}/pause, or resume, answers; raises `NoAnswer`."""

    def close(self) -> None:
        """Let go."""
