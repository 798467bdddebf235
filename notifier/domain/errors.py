"""What can go wrong, as one tree.

::

    NotifierError
    ├── InvalidInput            a caller's mistake, with a pointer to the field
    │   └── InvalidFields       several at once
    ├── NotFound                no such thing, or another tenant's
    ├── Conflict                the state does not allow it
    │   ├── TooLate             a cancel after the claim
    │   └── NotHeld             a resolve of what is not held
    ├── KeyReused               the same Idempotency-Key with another body
    ├── KeyInUse                the first request with this key is still running
    ├── Unavailable             nothing was kept; try again
    │   └── BacklogFull         too much is pending for this priority
    ├── OutcomeUnknown          it may have been kept; the Idempotency-Key tells
    ├── RenderError             the stored content can't become a message
    └── NotConfirmed            the broker did not take the messages
"""

from dataclasses import dataclass


class NotifierError(Exception):
    """The root of every error of this package."""


@dataclass(frozen=True, slots=True)
class FieldError:
    """One wrong field: a JSON pointer (RFC 6901), a stable code, and what is allowed."""

    pointer: str
    code: str
    detail: str


class InvalidInput(NotifierError):
    """A value that can't be taken: `code` is stable, the text says what is allowed."""

    def __init__(self, code: str, detail: str, pointer: str = "") -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.pointer = pointer

    def at(self, pointer: str) -> FieldError:
        """This mistake as a field error below `pointer`."""
        return FieldError(pointer + self.pointer, self.code, self.detail)


class InvalidFields(NotifierError):
    """Everything that is wrong with a request, at once."""

    def __init__(self, errors: list[FieldError]) -> None:
        super().__init__("; ".join(f"{error.pointer}: {error.detail}" for error in errors))
        self.errors = errors


class NotFound(NotifierError):
    """There is no such thing for this tenant."""


class Conflict(NotifierError):
    """The present state does not allow the move; `status` is that state."""

    def __init__(self, status: str) -> None:
        super().__init__(f"the notification is {status}")
        self.status = status


class TooLate(Conflict):
    """A cancel came after the claim or after the end."""


class NotHeld(Conflict):
    """Only a held notification can be resolved."""


class KeyReused(NotifierError):
    """The Idempotency-Key was used with another body."""


class KeyInUse(NotifierError):
    """The first request with this Idempotency-Key has not ended yet."""


class Unavailable(NotifierError):
    """Nothing was kept; the caller may try again after `retry_after` seconds."""

    def __init__(self, detail: str = "the service can't accept right now", retry_after: int = 1) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class BacklogFull(Unavailable):
    """So much is pending that this priority is turned away."""


class OutcomeUnknown(NotifierError):
    """The commit was under way when time ran out: the notification may have been kept."""


class RenderError(NotifierError):
    """The stored content can't become a message; a final refusal, never a retry."""


class NotConfirmed(NotifierError):
    """The broker refused, returned or did not confirm some of the messages."""
