"""HTTP/1.1 for one provider of one thread: a kept connection, no retry, no redirect, no proxy.

What became of a request is a value: `NotSent` (the peer can't have the whole of it), `NoAnswer` (it may have it, and
nobody knows), `Reply`. Only what is certain not to have been processed is sent again, over a new connection.
"""

import contextlib
import http.client
import re
import ssl
import time

import urllib3
from urllib3.exceptions import HTTPError

import notifier
from notifier.domain.lifecycle import Reason
from notifier.providers.base import Deadline
from notifier.providers.http_connection import Connection, DeadlineSocket, TlsConnection
from notifier.providers.http_values import MAX_BODY, Endpoint, NoAnswer, NotSent, Reply, Request, Result
from notifier.providers.public_addresses import NotPublicError, resolve_public
from notifier.providers.tls import tls_context
from notifier.providers.wire import DeadlinePassed, resolve

__all__ = ["MAX_BODY", "Endpoint", "HttpClient", "NoAnswer", "NotSent", "Reply", "Request", "Result"]

_CHUNK = 8_192
_KEEP_ALIVE = re.compile(r"timeout=(\d{1,5})", re.ASCII)


class HttpClient:
    """For one thread. `close` may be called at any time; the next request connects anew."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._context: ssl.SSLContext | None = None
        self._connection: Connection | None = None
        self._leave_at = 0.0

    def send(self, request: Request, deadline: Deadline) -> Result:
        """One request by `deadline`; never raises for what the network or the peer did."""
        kept = self._kept(deadline)
        if kept is not None:
            result = self._exchange(kept, request, deadline)
            if not isinstance(result, NotSent) or result.reason is Reason.PROVIDER_TIMEOUT:
                return result
        new = self._connect(deadline)
        return new if isinstance(new, NotSent) else self._exchange(new, request, deadline)

    def reach(self, deadline: Deadline) -> NotSent | None:
        """Connect without a request; why it can't be done, or None."""
        found = self._kept(deadline) or self._connect(deadline)
        return found if isinstance(found, NotSent) else None

    def close(self) -> None:
        """Let go of the connection, if there is one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.close()

    def _kept(self, deadline: Deadline) -> Connection | None:
        connection = self._connection
        if connection is None:
            return None
        sock: DeadlineSocket | None = connection.sock
        if sock is None or time.monotonic() > self._leave_at or not sock.is_quiet():
            self.close()
            return None
        sock.deadline = deadline
        return connection

    def _connect(self, deadline: Deadline) -> Connection | NotSent:
        endpoint = self._endpoint
        try:
            if not endpoint.plain and self._context is None:
                self._context = tls_context(endpoint.ca_file, protocols=("http/1.1",))
        except OSError:
            return NotSent(Reason.AUTH_FAILED, "the option ca_file can't be read")
        connection = (Connection if endpoint.plain else TlsConnection)(endpoint.host, endpoint.port)
        try:
            look_up = resolve_public if endpoint.public_only else resolve
            connection.open(deadline, endpoint.connect_timeout, self._context, look_up)
        except (DeadlinePassed, OSError) as wrong:
            return not_connected(wrong)
        self._connection = connection
        self._leave_at = time.monotonic() + endpoint.idle_seconds
        return connection

    def _exchange(self, connection: Connection, request: Request, deadline: Deadline) -> Result:
        sock: DeadlineSocket = connection.sock
        sock.deadline, sock.written = deadline, False
        refused = self._write(connection, sock, request)
        if refused is not None:
            return refused
        try:
            response = connection.getresponse()
        except DeadlinePassed:
            self.close()
            return NoAnswer("no answer in time")
        except (OSError, http.client.HTTPException, HTTPError, ValueError):
            self.close()
            return NoAnswer("the connection was closed before an answer, or the answer was no HTTP")
        return self._reply(response)

    def _write(self, connection: Connection, sock: DeadlineSocket, request: Request) -> NotSent | None:
        """None when the request is on its way, or as much of it as the peer would take."""
        headers = {"User-Agent": f"notifier/{notifier.__version__}", **request.headers}
        connection.request(
            request.method,
            request.path,
            body=request.body if request.body or request.method == "POST" else None,
            headers=headers,
            preload_content=False,
            decode_content=False,
        )
        try:
            sock.flush()
        except (DeadlinePassed, OSError) as failure:
            if sock.written:
                return None  # it may have answered before it closed
            self.close()
            if isinstance(failure, DeadlinePassed):
                return NotSent(Reason.PROVIDER_TIMEOUT, "the request could not be written in time")
            return NotSent(Reason.PROVIDER_UNAVAILABLE, "the connection was closed before the request")
        return None

    def _reply(self, response: urllib3.BaseHTTPResponse) -> Reply:
        body, whole = bytearray(), False
        try:
            while len(body) <= MAX_BODY:
                chunk = response.read1(_CHUNK, decode_content=False)
                if not chunk:
                    whole = True
                    break
                body += chunk
        except (DeadlinePassed, OSError, http.client.HTTPException, HTTPError, ValueError):
            pass  # the status has been said, and `whole` tells that the rest has not
        headers = {name.lower(): value for name, value in response.headers.items()}
        if whole and response.status >= 200:  # noqa: PLR2004 - after a 1xx the answer is still to come
            asked = _KEEP_ALIVE.search(headers.get("keep-alive", ""))
            idle = min(self._endpoint.idle_seconds, float(asked[1]) / 2 if asked else float("inf"))
            self._leave_at = time.monotonic() + idle
        else:
            self.close()
        return Reply(response.status, headers, bytes(body[:MAX_BODY]), whole)


def not_connected(wrong: DeadlinePassed | OSError) -> NotSent:
    """Why there is no connection."""
    match wrong:
        case DeadlinePassed():
            return NotSent(Reason.PROVIDER_TIMEOUT, "no connection in time")
        case NotPublicError():
            return NotSent(Reason.PROVIDER_REJECTED, str(wrong), for_good=True)
        case ssl.SSLCertVerificationError():
            return NotSent(Reason.AUTH_FAILED, f"the server's certificate: {wrong.verify_message}")
        case ssl.SSLError():
            return NotSent(Reason.PROVIDER_UNAVAILABLE, f"the TLS handshake failed: {wrong.reason}")
        case _:
            return NotSent(Reason.PROVIDER_UNAVAILABLE, f"no connection: {wrong.strerror or 'failed'}")
