"""Whether a token is wrong, or all of them are because the account is of another project or environment.

A push service says the same of both. A recipient that is believed to be wrong is suppressed, so one wrong setting
would cut off every device: the answer is believed only while few of the last answers say so.
"""

import threading
from collections import deque
from enum import Enum

from notifier.domain.lifecycle import Reason
from notifier.domain.outcomes import Answer, Deferred, Refused

_WINDOW, _LEAST = 50, 10
#: From this part on it is the account that is wrong (reliability.md, APNs: BadDeviceToken).
_TOO_MANY = 0.2


class Blame(Enum):
    """Whose fault it is that a token is called wrong."""

    RECIPIENT = "recipient"
    ACCOUNT = "account"
    UNKNOWN = "unknown"


class TokenWatch:
    """Of one account in one process; any thread may tell it how a call ended."""

    def __init__(self) -> None:
        self._wrong: deque[bool] = deque(maxlen=_WINDOW)
        self._lock = threading.Lock()

    def good(self) -> None:
        """A token was taken, or was good once."""
        with self._lock:
            self._wrong.append(False)

    def wrong(self) -> Blame:
        """One more answer calls a token wrong: whose fault that is."""
        with self._lock:
            self._wrong.append(True)
            known, part = len(self._wrong), sum(self._wrong) / len(self._wrong)
        if known < _LEAST:
            return Blame.UNKNOWN
        return Blame.ACCOUNT if part > _TOO_MANY else Blame.RECIPIENT

    def judge(self, answer: Answer) -> Deferred | Refused:
        """What that answer means.

        With too few answers to tell the notification fails and the recipient is not suppressed.
        """
        match self.wrong():
            case Blame.RECIPIENT:
                return Refused(Reason.INVALID_RECIPIENT, answer)
            case Blame.ACCOUNT:
                return Deferred(Reason.AUTH_FAILED, answer=answer)
            case Blame.UNKNOWN:
                return Refused(Reason.PROVIDER_REJECTED, answer)
