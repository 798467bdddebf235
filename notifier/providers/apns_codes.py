"""What APNs' reasons mean: a pure table.

Source: Apple, "Handling notification responses from APNs".
"""

from notifier.domain.lifecycle import Reason
from notifier.domain.outcomes import Deferred, Refused
from notifier.providers.answer_tables import Row, by_code

_CONFIG = Deferred(Reason.AUTH_FAILED)
_INVALID = Refused(Reason.INVALID_RECIPIENT)
_REJECTED = Refused(Reason.PROVIDER_REJECTED)
_CONTENT = Refused(Reason.CONTENT_REJECTED)
_AGAIN = Deferred(Reason.PROVIDER_UNAVAILABLE)
#: Of one device: nobody else waits for it.
_ONE_DEVICE = Deferred(Reason.THROTTLED, 60.0, one_connection=True)
#: Apple refuses new provider tokens for so long.
TWENTY_MINUTES = 1_200.0

ROWS = (
    Row(("Unregistered", "ExpiredToken"), _INVALID, "the token is no longer in use"),
    Row(("BadDeviceToken",), _INVALID, "no token, or one of the other environment"),
    Row(("DeviceTokenNotForTopic",), _REJECTED, "the token is of another application"),
    Row(
        ("MissingDeviceToken", "BadPath", "MethodNotAllowed", "DuplicateHeaders"),
        _REJECTED,
        "our request is wrong",
    ),
    Row(
        ("BadTopic", "MissingTopic", "TopicDisallowed", "InvalidPushType"),
        _CONFIG,
        "a topic that is wrong or not ours",
    ),
    Row(("BadCertificate", "BadCertificateEnvironment", "Forbidden"), _CONFIG, "we may not send here"),
    Row(
        ("InvalidProviderToken", "MissingProviderToken", "ExpiredProviderToken"),
        _CONFIG,
        "team, key or key ID is wrong, or our clock",
    ),
    Row(
        ("BadEnvironmentKeyIdInToken", "UnrelatedKeyIdInToken"),
        _CONFIG,
        "a key of the other environment or topic",
    ),
    Row(
        ("TooManyProviderTokenUpdates",),
        Deferred(Reason.AUTH_FAILED, TWENTY_MINUTES),
        "somebody makes tokens of this key too often",
    ),
    Row(
        ("BadCollapseId", "BadExpirationDate", "BadPriority", "BadMessageId"),
        _CONTENT,
        "a header APNs can't take",
    ),
    Row(("PayloadEmpty", "PayloadTooLarge"), _CONTENT, "nothing to show, or more than 4,096 bytes"),
    Row(("TooManyRequests",), _ONE_DEVICE, "too many messages to one device"),
    Row(
        ("InternalServerError", "ServiceUnavailable", "Shutdown", "IdleTimeout"),
        _AGAIN,
        "APNs is overloaded or leaving",
    ),
)

CODES = by_code(ROWS)
