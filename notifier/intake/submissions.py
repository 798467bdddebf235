"""What the door hands to the intake, and what it gets back."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

import msgspec

from notifier.domain.errors import NotifierError
from notifier.domain.notification import NewNotification
from notifier.storage.accepting import Stored

__all__ = ["Kept", "Stored", "Submission", "Ticket"]


class Submission(msgspec.Struct, frozen=True, kw_only=True):
    """One request: its notifications become durable together, with its Idempotency-Key, or not at all.

    `body_hash` is the SHA-256 of the request; `respond` makes the exact answer from what is stored (it
    must be pure: it runs in the writer's transaction, and the answer is kept beside the key).
    """

    notifications: Sequence[NewNotification]
    tenant: str
    api_key: str
    route: str
    body_hash: bytes
    respond: Callable[[Sequence[Stored]], bytes]
    idempotency_key: str | None = None


class Kept(msgspec.Struct, frozen=True):
    """The answer, now that it is durable; `replayed` if an earlier request had made it."""

    answer: bytes
    replayed: bool = False


@dataclass(eq=False, slots=True)
class Ticket:
    """A submission on its way through the writer; its caller may withdraw it until its group begins."""

    submission: Submission
    result: "asyncio.Future[Kept] | Future[Kept]"
    loop: asyncio.AbstractEventLoop | None = None
    #: Why it may not be kept now; with an Idempotency-Key it may still get its first request's answer.
    refusal: NotifierError | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _begun: bool = False
    _withdrawn: bool = False

    def begin(self) -> bool:
        """The writer takes it up; False if the caller has left."""
        with self._lock:
            self._begun = not self._withdrawn
            return self._begun

    def withdraw(self) -> bool:
        """The caller leaves; False if its group has begun already."""
        with self._lock:
            self._withdrawn = not self._begun
            return self._withdrawn

    @property
    def key_name(self) -> tuple[str, str, str] | None:
        """What its Idempotency-Key is unique by."""
        asked = self.submission
        return (asked.api_key, asked.route, asked.idempotency_key) if asked.idempotency_key else None
