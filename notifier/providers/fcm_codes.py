"""What FCM's error codes mean: a pure table.

Source: Firebase, "REST Resource: ErrorCode" (reference/fcm/rest/v1/ErrorCode) and "Scale FCM" (how to retry); the
codes beside FCM's own are those of google.rpc.Code.
"""

from notifier.domain.lifecycle import Reason
from notifier.domain.outcomes import Deferred, Refused
from notifier.providers.answer_tables import Row, by_code

_CONFIG = Deferred(Reason.AUTH_FAILED)
#: FCM asks for at least ten seconds before another try, and a minute where a quota is used up.
_AGAIN = Deferred(Reason.PROVIDER_UNAVAILABLE, 10.0)
A_MINUTE = 60.0

ROWS = (
    Row(("UNREGISTERED",), Refused(Reason.INVALID_RECIPIENT), "the token is no longer in use"),
    Row(("SENDER_ID_MISMATCH",), Refused(Reason.INVALID_RECIPIENT), "the token is of another project"),
    Row(
        ("INVALID_ARGUMENT",), Refused(Reason.CONTENT_REJECTED), "a field of the message that FCM can't take"
    ),
    Row(("QUOTA_EXCEEDED", "RESOURCE_EXHAUSTED"), Deferred(Reason.THROTTLED, A_MINUTE), "a quota is used up"),
    Row(("UNAVAILABLE", "INTERNAL", "DEADLINE_EXCEEDED", "ABORTED"), _AGAIN, "FCM is overloaded or failed"),
    Row(
        ("UNAUTHENTICATED", "PERMISSION_DENIED"),
        _CONFIG,
        "a service account that may not send for the project",
    ),
    Row(("THIRD_PARTY_AUTH_ERROR",), _CONFIG, "the project's key for APNs or Web Push is missing or wrong"),
    Row(("UNSPECIFIED_ERROR",), _AGAIN, "FCM says nothing more", tries=3),
)

CODES = by_code(ROWS)
