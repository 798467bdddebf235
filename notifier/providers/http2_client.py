"""HTTP/2 for one provider of one thread: a kept connection, one request at a time, no retry of what may be known.

What became of a request is a value, as with `http_client`; what is certain not to have been looked at is sent again
once, over a new connection.
"""

import contextlib
import ssl
import time

import notifier
from notifier.domain.lifecycle import Reason
from notifier.providers.base import Deadline
from notifier.providers.http2_connection import Http2Connection
from notifier.providers.http_client import not_connected
from notifier.providers.http_values import Endpoint, NotSent, Request, Result
from notifier.providers.tls import tls_context
from notifier.providers.wire import DeadlinePassed, dial, left


class Http2Client:
    """For one thread. `close` may be called at any time; the next request connects anew."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._context: ssl.SSLContext | None = None
        self._connection: Http2Connection | None = None
        self._leave_at = 0.0

    def send(self, request: Request, deadline: Deadline) -> Result:
        """One request by `deadline`; never raises for what the network or the peer did."""
        kept = self._kept()
        if kept is not None:
            result = self._exchange(kept, request, deadline)
            if not isinstance(result, NotSent) or result.reason is Reason.PROVIDER_TIMEOUT:
                return result
            self.close()
        new = self._connect(deadline)
        return new if isinstance(new, NotSent) else self._exchange(new, request, deadline)

    def reach(self, deadline: Deadline) -> NotSent | None:
        """Connect without a request; why it can't be done, or None."""
        found = self._kept() or self._connect(deadline)
        return found if isinstance(found, NotSent) else None

    def close(self) -> None:
        """Let go of the connection, if there is one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.close()

    def _kept(self) -> Http2Connection | None:
        connection = self._connection
        if connection is None:
            return None
        if time.monotonic() > self._leave_at or not connection.look():
            self.close()
            return None
        return connection

    def _connect(self, deadline: Deadline) -> Http2Connection | NotSent:
        endpoint = self._endpoint
        try:
            if not endpoint.plain and self._context is None:
                self._context = tls_context(endpoint.ca_file, protocols=("h2",))
        except OSError:
            return NotSent(Reason.AUTH_FAILED, "the option ca_file can't be read")
        try:
            sock = dial(endpoint.host, endpoint.port, deadline, endpoint.connect_timeout)
        except (DeadlinePassed, OSError) as wrong:
            return not_connected(wrong)
        try:
            if self._context is not None:
                sock.settimeout(min(left(deadline), endpoint.connect_timeout))
                sock = self._context.wrap_socket(sock, server_hostname=endpoint.host)
        except TimeoutError:
            sock.close()
            return not_connected(DeadlinePassed())
        except (DeadlinePassed, OSError) as wrong:
            sock.close()
            return not_connected(wrong)
        if isinstance(sock, ssl.SSLSocket) and sock.selected_alpn_protocol() != "h2":
            sock.close()
            return NotSent(Reason.PROVIDER_UNAVAILABLE, "the server does not offer HTTP/2")
        host = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host
        authority = host if endpoint.port == 443 else f"{host}:{endpoint.port}"  # noqa: PLR2004
        self._connection = Http2Connection(sock, authority, "http" if endpoint.plain else "https")
        self._leave_at = time.monotonic() + endpoint.idle_seconds
        return self._connection

    def _exchange(self, connection: Http2Connection, request: Request, deadline: Deadline) -> Result:
        headers = {"User-Agent": f"notifier/{notifier.__version__}", **request.headers}
        whole = Request(method=request.method, path=request.path, headers=headers, body=request.body)
        result = connection.send(whole, deadline)
        if connection.usable:
            self._leave_at = time.monotonic() + self._endpoint.idle_seconds
        else:
            self.close()
        return result
