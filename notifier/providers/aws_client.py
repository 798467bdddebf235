"""Signed requests to one AWS service over our own HTTP client, whatever this host's clock says.

AWS refuses a signature that is more than minutes away from its own time. Its answers tell that time, so a request
that was refused for it is signed again: it was certainly not processed.
"""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from notifier.providers import http_answers
from notifier.providers.aws_sigv4 import AwsKey, Scope, signed
from notifier.providers.base import Deadline
from notifier.providers.http_client import Endpoint, HttpClient, Reply, Request, Result

#: What a clock that is wrong may be called; a wrong secret has two of these names too.
CLOCK_CODES = frozenset(
    {
        "InvalidSignature",
        "SignatureDoesNotMatch",
        "RequestExpired",
        "RequestTimeTooSkewed",
        "RequestInTheFuture",
    }
)
#: A clock that is nearer to AWS's is not why a signature was refused: AWS allows five minutes and more.
_SKEW = timedelta(minutes=4)


class AwsClient:
    """For one thread. `close` may be called at any time; the next request connects anew."""

    def __init__(self, endpoint: Endpoint, key: AwsKey, scope: Scope) -> None:
        self._client = HttpClient(endpoint)
        self._key, self._scope = key, scope
        self._headers = {"Host": _authority(endpoint), "Accept": "application/json"}
        #: How far AWS's clock is ahead of ours: no message waits for a clock to be set (promise 12).
        self._ahead = timedelta(0)

    def send(self, method: str, path: str, body: bytes, deadline: Deadline) -> Result:
        """One request by `deadline`, with JSON if there is a body; never raises for what the network or AWS did."""
        result = self._once(method, path, body, deadline)
        if isinstance(result, Reply) and self._learns_the_time(result):
            return self._once(method, path, body, deadline)
        return result

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()

    def _once(self, method: str, path: str, body: bytes, deadline: Deadline) -> Result:
        headers = self._headers | ({"Content-Type": "application/json"} if body else {})
        now = datetime.now(UTC) + self._ahead
        whole = signed(method, path, headers, body, key=self._key, scope=self._scope, now=now)
        return self._client.send(Request(method=method, path=path, headers=whole, body=body), deadline)

    def _learns_the_time(self, reply: Reply) -> bool:
        """Whether the signature was refused and AWS's clock is another than the one that it was made by."""
        if error_code(reply) not in CLOCK_CODES:
            return False
        try:
            theirs = parsedate_to_datetime(reply.headers.get("date", ""))
            ahead = theirs.replace(tzinfo=theirs.tzinfo or UTC) - datetime.now(UTC)
        except (ValueError, IndexError, TypeError, OverflowError):
            return False
        if abs(ahead - self._ahead) < _SKEW:
            return False
        self._ahead = ahead
        return True


def error_code(reply: Reply) -> str | None:
    """AWS's code of an error without "Exception" at its end, None where there is none or it is no error.

    Source: Smithy, "AWS restJson1 protocol", operation error serialization: the header or a field of the body, with a
    namespace before a "#" and a URL behind a ":".
    """
    if reply.status < 400:  # noqa: PLR2004 - RFC 9110, 15
        return None
    said = http_answers.json_object(reply)
    text = reply.headers.get("x-amzn-errortype") or said.get("__type") or said.get("code")
    if not isinstance(text, str):
        return None
    bare = text.partition(":")[0].rpartition("#")[2].strip()
    return http_answers.code_of(bare.removesuffix("Exception"))


def _authority(endpoint: Endpoint) -> str:
    """What stands in the Host header."""
    host = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host
    return host if endpoint.port == (80 if endpoint.plain else 443) else f"{host}:{endpoint.port}"
