"""What a door of the command line answers, whichever it is."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Protocol

from notifier.domain.lanes import Channel, Lane
from notifier.domain.replays import OperationKind


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
    """What takes notifications, tells about them, steers their lanes and works on failures."""

    def send(self, body: bytes, *, idempotency_key: str | None, dry_run: bool) -> Answer:
        """What POST /v1/notifications answers to `body`; raises `NoAnswer`."""

    def show(self, notification: str) -> Answer:
        """What GET /v1/notifications/{id} answers; raises `NoAnswer`."""

    def notifications(self, query: Mapping[str, str]) -> Answer:
        """What GET /v1/notifications answers, its first page; raises `NoAnswer`."""

    def lanes(self) -> Answer:
        """What GET /v1/lanes answers; raises `NoAnswer`."""

    def set_paused(self, lane: Lane, paused: bool) -> Answer:
        """What POST /v1/lanes/{channel}/{priority}/pause, or resume, answers; raises `NoAnswer`."""

    def failures(self, query: Mapping[str, str]) -> Answer:
        """What GET /v1/failures answers; raises `NoAnswer`."""

    def failure_summary(self, query: Mapping[str, str]) -> Answer:
        """What GET /v1/failures/summary answers; raises `NoAnswer`."""

    def work_on_failures(self, kind: OperationKind, body: bytes) -> Answer:
        """What POST /v1/failures/replay, or discard, answers to `body`; raises `NoAnswer`."""

    def operation(self, name: str) -> Answer:
        """What GET /v1/operations/{name} answers; raises `NoAnswer`."""

    def stop_operation(self, name: str) -> Answer:
        """What POST /v1/operations/{name}/cancel answers; raises `NoAnswer`."""

    def providers(self) -> Answer:
        """What GET /v1/providers answers; raises `NoAnswer`."""

    def operator_events(self, query: Mapping[str, str]) -> Answer:
        """What GET /v1/operator-events answers; raises `NoAnswer`."""

    def set_disabled(self, name: str, channel: Channel | None, disabled: bool) -> Answer:
        """What POST /v1/providers/{name}/disable, or enable, answers; raises `NoAnswer`."""

    def close(self) -> None:
        """Let go."""
