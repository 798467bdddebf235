"""What test keys send to: the recipients that force each ending, as text. None of them is anybody's.

Shaped after what mail providers offer (Amazon SES, "Using the mailbox simulator"): as there, a label behind a ``+``
makes many recipients of one, as in ``bounce+7@simulator.notifier``.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

#: The name of the simulator's account in each channel; no configured account may have it.
NAME = "simulator"
#: No top-level domain is called so: a mail server that was asked would find nothing.
DOMAIN = "simulator.notifier"
#: What each of its push tokens, and of its chats, begins with.
TOKEN_PREFIX = "simulator-"  # noqa: S105 - no secret


class Ending(StrEnum):
    """How a simulated message ends, in the order of the phone numbers."""

    DELIVERED = "delivered"
    BOUNCE = "bounce"
    SOFT_BOUNCE = "soft-bounce"
    COMPLAINT = "complaint"
    TIMEOUT = "timeout"
    THROTTLED = "throttled"
    SLOW = "slow-30s"
    UNDELIVERED = "undelivered"


#: From Ofcom's range for drama: possible, never valid, never anybody's.
ENDING_OF_PHONE: Mapping[str, Ending] = MappingProxyType(
    {f"+44770090000{last}": ending for last, ending in enumerate(Ending)}
)
SIMULATOR_PHONES = frozenset(ENDING_OF_PHONE)
ENDING_OF_TOKEN: Mapping[str, Ending] = MappingProxyType(
    {f"{TOKEN_PREFIX}{ending}": ending for ending in Ending}
)
ENDING_OF_LOCAL: Mapping[str, Ending] = MappingProxyType({str(ending): ending for ending in Ending})
