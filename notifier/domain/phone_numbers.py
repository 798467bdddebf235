"""What is a phone number that a text message may go to."""

import re

from notifier.domain.errors import InvalidInput
from notifier.domain.simulator import SIMULATOR_PHONES

_E164 = re.compile(r"\+[1-9][0-9]{6,14}", re.ASCII)


def normal_number(text: str) -> str:
    """The number in `text`, which must be E.164 already (ITU-T E.164: ``+`` and 7 to 15 digits).

    Raises `InvalidInput` (``invalid_recipient``, ``/phone``), never with any of the text.
    """
    if not _E164.fullmatch(text):
        raise _refused("must be E.164: + and 7 to 15 digits, as in +14155552671")
    if text in SIMULATOR_PHONES:
        return text
    # Only where a number is read: a worker takes those that the door has read, and need not wait for the metadata.
    import phonenumbers
    from phonenumbers import NumberParseException, PhoneNumberFormat, PhoneNumberType

    try:
        number = phonenumbers.parse(text, None)
    except NumberParseException:
        raise _refused("must begin with a country's calling code") from None
    # Its type is unknown to the plan that it is no number of (`is_valid_number` finds out by the same means).
    kind = phonenumbers.number_type(number)
    if kind == PhoneNumberType.UNKNOWN:
        raise _refused("must be a number that its country's plan assigns, no short code")
    if phonenumbers.format_number(number, PhoneNumberFormat.E164) != text:
        raise _refused("must be E.164, without the country's trunk prefix")
    if kind == PhoneNumberType.PREMIUM_RATE:
        raise _refused("must not be a premium-rate number")
    return text


def _refused(detail: str) -> InvalidInput:
    return InvalidInput("invalid_recipient", detail, "/phone")
