"""The console provider, for each channel."""

from notifier.domain.lanes import Channel
from notifier.domain.notification import Content
from notifier.domain.recipients import ChatDestination, EmailAddress, PhoneNumber, Platform, PushToken
from tests.conformance.provider_kit import BODY, Candidate

CANDIDATES = [
    Candidate(
        name="console-email",
        channel=Channel.EMAIL,
        recipient=EmailAddress("ada.lovelace@example.com", "Ada"),
        content=Content(subject="Hi", text=BODY),
        url="console://",
    ),
    Candidate(
        name="console-sms",
        channel=Channel.SMS,
        recipient=PhoneNumber("+447700900000"),
        content=Content(text=BODY),
        url="console://",
    ),
    Candidate(
        name="console-push",
        channel=Channel.PUSH,
        recipient=PushToken("a" * 64, Platform.APNS),
        content=Content(title="Hi", text=BODY),
        url="console://",
    ),
    Candidate(
        name="console-chat",
        channel=Channel.CHAT,
        recipient=ChatDestination("ops"),
        content=Content(title="Hi", text=BODY),
        url="console://?name=ops",
    ),
]
