"""What Twilio's error codes mean: a pure table.

Source: Twilio, "Error and Warning Dictionary" (twilio.com/docs/api/errors), each code's own page. Twilio adjusts
its codes and advises against logic on them (changelog of 2024-07-10), so `NOTIFIER_ANSWER_RULES` goes before this.
Codes from 30001 on mostly come with a receipt, not with the answer to a request.
"""

from notifier.domain.lifecycle import Reason
from notifier.domain.outcomes import Deferred, Refused
from notifier.providers.answer_tables import Row, by_code

_CONFIG = Deferred(Reason.AUTH_FAILED)
_INVALID = Refused(Reason.INVALID_RECIPIENT)
_REJECTED = Refused(Reason.PROVIDER_REJECTED)
_CONTENT = Refused(Reason.CONTENT_REJECTED)
_AGAIN = Deferred(Reason.PROVIDER_UNAVAILABLE)

#: A phone that is off is not back in seconds: Twilio calls it a one-time downstream issue.
HALF_AN_HOUR = 1_800.0
#: A sender's queue that is full holds hours of messages.
FULL_QUEUE = 60.0

ROWS = (
    Row(("20429",), Deferred(Reason.THROTTLED), "too many requests"),
    Row(("21611", "30001"), Deferred(Reason.THROTTLED, FULL_QUEUE), "the sender's queue is full"),
    Row(("30022", "30023"), Deferred(Reason.THROTTLED, FULL_QUEUE), "limits of US A2P 10DLC are used up"),
    Row(("20500", "20503"), _AGAIN, "an error of Twilio's; its own advice is to back off"),
    Row(("20003", "20005"), _CONFIG, "wrong credentials, or an account that is not active"),
    Row(("20404",), _CONFIG, "no such account or resource"),
    Row(("30002",), _CONFIG, "the account is suspended"),
    Row(("21212", "21603", "21606", "21659"), _CONFIG, "a sender that is missing, unknown or not ours"),
    Row(("21701", "21703", "21705"), _CONFIG, "a messaging service that is unknown or has no sender"),
    Row(("30034",), _CONFIG, "a sender that is not registered for US A2P 10DLC"),
    Row(("21211", "21214", "21217"), _INVALID, "the recipient is no phone number"),
    Row(("21614", "21635"), _INVALID, "the recipient is a landline or no mobile number"),
    Row(("30005", "30006"), _INVALID, "an unknown number, a landline or a carrier out of reach"),
    Row(("21610",), Refused(Reason.RECIPIENT_OPTED_OUT), "the recipient has replied STOP"),
    Row(("21408", "21612"), _REJECTED, "the region is not permitted, or no route from this sender"),
    Row(("21602", "21617", "30019"), _CONTENT, "no text, or more than 1,600 characters"),
    Row(
        ("30003",),
        Deferred(Reason.PROVIDER_UNAVAILABLE, HALF_AN_HOUR),
        "the phone is off or out of reach",
        tries=3,
        then=Reason.UNREACHABLE_RECIPIENT,
    ),
    Row(("30004", "30007"), _REJECTED, "blocked by the recipient's side, or filtered as unwanted"),
    Row(("30008",), _AGAIN, "an unknown error of the carrier's", tries=2),
    Row(("30036",), Refused(Reason.EXPIRED), "its validity period is over"),
)

CODES = by_code(ROWS)

#: They speak of the sender. Where the request chose it, the account is well.
SENDER_CODES = frozenset({"21212", "21603", "21606", "21659", "30034"})
