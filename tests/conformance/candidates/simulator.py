"""The simulator, for each channel; no URL names it."""

from notifier.domain.lanes import Channel
from notifier.domain.notification import Content
from notifier.domain.recipients import (
    ChatDestination,
    EmailAddress,
    PhoneNumber,
    Platform,
    PushToken,
    Recipient,
)
from notifier.providers import simulator
from tests.conformance.provider_kit import BODY, BOUND, Candidate

_ACCOUNTS = simulator.accounts(BOUND)
_RECIPIENTS: dict[Channel, Recipient] = {
    Channel.EMAIL: EmailAddress("ada.lovelace@example.com", "Ada"),
    Channel.SMS: PhoneNumber("+447700900000"),
    Channel.PUSH: PushToken("a" * 64, Platform.APNS),
    Channel.CHAT: ChatDestination("ops"),
}
CANDIDATES = [
    Candidate(
        name=f"simulator-{channel}",
        channel=channel,
        recipient=recipient,
        content=Content(text=BODY),
        account=_ACCOUNTS[channel],
    )
    for channel, recipient in _RECIPIENTS.items()
]
