"""One connection to an SMTP server, from the greeting to QUIT, under a total deadline.

`smtplib` parses replies and EHLO; sockets, deadlines, TLS and AUTH are handled here, for `smtplib` bounds only
single calls and knows no total deadline.
"""

import contextlib
import smtplib
import socket
import ssl
import time
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field

from notifier.providers.base import Deadline
from notifier.providers.senders import Sender
from notifier.providers.smtp_codes import Reply, reply_of
from notifier.providers.wire import DeadlinePassed, DeadlineReader, left, send_all


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpConfig:
    """What a URL with an SMTP scheme said; times in seconds."""

    host: str
    port: int
    scheme: str
    sender: Sender
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    helo: str | None = None
    connect_timeout: float = 5.0
    verify: bool = True
    ca_file: str | None = None
    #: All three or none; the domain is the sender's unless the URL says another.
    dkim_selector: str = ""
    dkim_domain: str = ""
    dkim_key_file: str = ""
    #: A connection is left after so many messages or seconds, or when nothing was sent for `idle_seconds`:
    #: servers limit all three, and a fresh connection lets a load balancer choose again.
    connection_messages: int = 100
    connection_seconds: float = 300.0
    idle_seconds: float = 30.0

    @property
    def secrets(self) -> tuple[str, ...]:
        """Everything that must not stand in an answer: the credentials, and how they go over the wire."""
        if not self.user:
            return ()
        return (self.user, self.password, plain_token(self), _base64(self.user), _base64(self.password))


class Broken(Exception):
    """The connection ended or the deadline passed; the connection is closed."""

    def __init__(self, *, timed_out: bool, text: str = "") -> None:
        super().__init__(text)
        self.timed_out = timed_out
        self.text = text


class Session(smtplib.SMTP):
    """A connected session. `sent`, `opened` and `used` tell when to leave it."""

    def __init__(self, sock: socket.socket, config: SmtpConfig, deadline: Deadline) -> None:
        super().__init__(local_hostname=config.helo or _literal(sock))  # without a host it connects nowhere
        self.sock: socket.socket | None = sock
        self.file: DeadlineReader | None = DeadlineReader(sock, deadline)
        self.deadline = deadline
        self.sent = 0
        self.opened = self.used = time.monotonic()
        #: A transaction was begun and not ended by a reply to its content: RSET before the next.
        self.dirty = False

    @property
    def connected(self) -> bool:
        """Whether it has not been closed, as far as we know."""
        return self.sock is not None

    def under(self, deadline: Deadline) -> None:
        """From now on keep `deadline`."""
        self.deadline = deadline
        if self.file is not None:
            self.file.deadline = deadline

    def send(self, s: str | bytes) -> None:  # type: ignore[override]
        """Write by the deadline, as `smtplib` calls it for every command."""
        if self.sock is None:
            raise smtplib.SMTPServerDisconnected("not connected")
        send_all(self.sock, s.encode("utf-8") if isinstance(s, str) else s, self.deadline)

    def command(self, line: str) -> Reply:
        """Send one command and read its reply; raises `Broken`."""
        self.write(f"{line}\r\n".encode())
        return self.reply()

    def write(self, data: bytes) -> None:
        """Write `data`; raises `Broken`."""
        with self._breaking():
            self.send(data)

    def reply(self) -> Reply:
        """Read one reply; raises `Broken`, also for what is no SMTP."""
        with self._breaking():
            if self.file is not None:
                self.file.new_reply()
            code, text = self.getreply()
            if code < 200:  # noqa: PLR2004 - RFC 5321 has no 1yz, and -1 is no code at all
                raise smtplib.SMTPServerDisconnected("the reply is no SMTP")
            return reply_of(code, text.decode("utf-8", "replace"))

    def greet(self) -> Reply:
        """EHLO, and HELO where the server knows no EHLO; raises `Broken`."""
        with self._breaking():
            if self.file is not None:
                self.file.new_reply()
            code, text = self.ehlo()
            if code in {500, 501, 502, 504}:
                code, text = self.helo()
            return reply_of(code, text.decode("utf-8", "replace"))

    def start_tls(self, context: ssl.SSLContext, host: str) -> None:
        """Shake hands; raises `Broken`, or `ssl.SSLError` for a certificate or protocol that won't do.

        What came in plain before the handshake is refused, not read on (CVE-2011-0411).
        """
        with self._breaking(tls=True):
            if self.sock is None or (self.file is not None and self.file.has_unread):
                raise smtplib.SMTPServerDisconnected("the server spoke before the handshake")
            self.sock.settimeout(left(self.deadline))
            self.sock = context.wrap_socket(self.sock, server_hostname=host)
            self.file = DeadlineReader(self.sock, self.deadline)
            self.esmtp_features = {}

    def leave(self) -> None:
        """QUIT without waiting for the answer, and close; never raises."""
        self.under(Deadline(1.0))
        with contextlib.suppress(Broken):
            self.write(b"QUIT\r\n")
        self.close()

    @contextlib.contextmanager
    def _breaking(self, *, tls: bool = False) -> Iterator[None]:
        """Close on every failure, and tell it as `Broken`."""
        try:
            yield
        except DeadlinePassed:
            self.close()
            raise Broken(timed_out=True, text="no answer in time") from None
        except ssl.SSLError as error:
            self.close()
            if tls:
                raise
            raise Broken(timed_out=False, text=f"TLS failed: {error.reason}") from None
        except TimeoutError:
            self.close()
            raise Broken(timed_out=True, text="no answer in time") from None
        except (OSError, smtplib.SMTPException):
            self.close()
            raise Broken(timed_out=False, text="the connection was closed") from None


def plain_token(config: SmtpConfig) -> str:
    """The initial response of AUTH PLAIN (RFC 4616)."""
    return _base64(f"\0{config.user}\0{config.password}")


def authenticate(session: Session, config: SmtpConfig) -> Reply | None:
    """AUTH PLAIN, else LOGIN (RFC 4954): the last reply, or None where the server offers neither.

    Raises `Broken`.
    """
    offered = session.esmtp_features.get("auth", "").upper().split()
    if "PLAIN" in offered:
        return session.command(f"AUTH PLAIN {plain_token(config)}")
    if "LOGIN" not in offered:
        return None
    reply = session.command("AUTH LOGIN")
    for word in (config.user, config.password):
        if reply.code != 334:  # noqa: PLR2004 - RFC 4954: go on
            return reply
        reply = session.command(_base64(word))
    return reply


def _base64(text: str) -> str:
    return b64encode(text.encode()).decode("ascii")


def _literal(sock: socket.socket) -> str:
    """Who we are to EHLO: the host's full name, else the address literal (RFC 5321, 4.1.4), without any DNS."""
    name = socket.gethostname()
    if "." in name and name.isascii():
        return name
    address = sock.getsockname()[0]
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"
