"""Magic recipients: each forces one ending, in every channel, and only for test keys."""

import pytest

from notifier.domain.errors import InvalidInput
from notifier.domain.lifecycle import Mode
from notifier.domain.magic import check_mode, ending_of
from notifier.domain.recipients import (
    ChatDestination,
    EmailAddress,
    PhoneNumber,
    Platform,
    PushToken,
    address_key,
    recipient_from_json,
)
from notifier.domain.simulator import Ending

MAGIC = [
    (recipient, ending)
    for place, ending in enumerate(Ending)
    for recipient in (
        EmailAddress.parse(f"{ending}@simulator.notifier"),
        PhoneNumber.parse(f"+44770090000{place}"),
        *(PushToken.parse(f"simulator-{ending}", platform) for platform in Platform),
        ChatDestination.parse(f"simulator-{ending}"),
    )
]


def refused(recipient, mode):
    with pytest.raises(InvalidInput) as caught:
        check_mode(recipient, mode)
    return caught.value


@pytest.mark.parametrize(("recipient", "ending"), MAGIC)
def test_each_is_taken_as_it_is_and_forces_its_ending(recipient, ending):
    check_mode(recipient, Mode.TEST)
    assert ending_of(recipient) is ending
    assert recipient_from_json(recipient.to_json()) == recipient
    assert address_key(recipient)


def test_the_endings_are_those_that_are_written_down():
    """Callers' tests name them: they never change."""
    known = "delivered bounce soft-bounce complaint timeout throttled slow-30s undelivered"
    assert list(Ending) == known.split()


@pytest.mark.parametrize(("recipient", "ending"), MAGIC)
def test_a_live_key_is_refused_the_field_named_and_why(recipient, ending):
    error = refused(recipient, Mode.LIVE)
    assert error.pointer in {"/email", "/phone", "/push_token", "/chat"}
    assert "simulator.notifier" in error.detail
    assert "test key" in error.detail


def test_a_label_makes_many_recipients_of_one():
    first, second = (EmailAddress.parse(f"Bounce+{label}@Simulator.Notifier") for label in "12")
    assert ending_of(first) is ending_of(second) is Ending.BOUNCE
    assert address_key(first) != address_key(second)


@pytest.mark.parametrize(
    "recipient",
    [
        EmailAddress("bounced@simulator.notifier"),
        EmailAddress("bounce@mail.simulator.notifier"),
        PushToken("simulator-nothing", Platform.FCM),
    ],
)
def test_one_that_forces_nothing_is_refused_with_those_that_do(recipient):
    """A slip in a magic recipient must not pass as a success."""
    assert "bounce" in refused(recipient, Mode.TEST).detail
    assert "only a test key" in refused(recipient, Mode.LIVE).detail


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize(
    "recipient",
    [
        EmailAddress("bounce@example.com"),
        EmailAddress("bounce@notsimulator.notifier"),
        PhoneNumber("+14155552671"),
        PushToken("bounce-simulator", Platform.FCM),
    ],
)
def test_any_other_is_anybodys_and_forces_nothing(recipient, mode):
    check_mode(recipient, mode)
    assert ending_of(recipient) is None
