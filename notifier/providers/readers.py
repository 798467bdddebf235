"""What reads an account's receipts, built by the first of them: until then no module of a provider is imported."""

import threading
from collections.abc import Callable

from notifier.domain.receipts import NotNow, Reading, ReceiptRequest
from notifier.providers.base import Deadline, ReceiptReader, SetupError

#: Seconds that a reader may take, where it has to ask somebody.
READ_SECONDS = 5.0


class LateReader:
    """Calls what `build` makes, from any thread. An account that is not set up has no receipts until it is.

    `status` is the answer to what is stored.
    """

    def __init__(self, build: Callable[[], ReceiptReader], status: int = 204) -> None:
        self._build = build
        self.status = status
        self._reader: ReceiptReader | None = None
        self._lock = threading.Lock()

    def __call__(self, request: ReceiptRequest) -> Reading:
        """Judge and read, within `READ_SECONDS`."""
        try:
            reader = self._built()
        except SetupError as unbuilt:
            return NotNow(str(unbuilt))
        return reader.read(request, Deadline(READ_SECONDS))

    def _built(self) -> ReceiptReader:
        with self._lock:
            if self._reader is None:
                self._reader = self._build()
            return self._reader
