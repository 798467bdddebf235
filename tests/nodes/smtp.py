"""A real SMTP server (aiosmtpd) that keeps what it accepted: in a thread, or as a process of its own.

As a process it writes a ledger::

    python -m tests.nodes.smtp --port 2525 --ledger mails.ledger

one line per accepted message, ``<Message-ID> <recipients> <pid> <unix time>``, on disk (fsync) before the
client hears 250; messages that arrive together share one fsync. Once it listens it prints ``ready PORT``
(the port 0 means any free one); SIGTERM ends it. With ``--control FILE`` it misbehaves as that file says
(`smtp_control`).
"""

import argparse
import asyncio
import os
import re
import signal
import ssl
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

from tests.nodes.smtp_control import SmtpFaults

_MESSAGE_ID = re.compile(rb"^message-id:\s*(<[^>\r\n]*>)", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Mail:
    """One accepted message: the envelope, and the bytes as they were before dot-stuffing."""

    sender: str
    recipients: tuple[str, ...]
    data: bytes
    #: The client's port: messages with the same one came over one connection.
    peer_port: int

    @property
    def message_id(self) -> str:
        """What its Message-ID header says, brackets included; "" without one."""
        found = _MESSAGE_ID.search(self.data)
        return found[1].decode() if found else ""


class Mailbox:
    """Accepts everything, but for what `replies` says: ``{"RCPT": "550 5.1.1 no such user"}``.

    `replies` (by MAIL, RCPT, DATA) may be changed while the server runs.
    """

    def __init__(self) -> None:
        self.mails: list[Mail] = []
        #: Extensions to offer besides aiosmtpd's own, which reads a group of commands but does not say so.
        self.offers: tuple[str, ...] = ()
        self.replies: dict[str, str] = {}
        self.faults = SmtpFaults()
        self._arrived = threading.Condition()

    async def handle_EHLO(  # noqa: N802
        self, server: SMTP, session: Any, envelope: Any, hostname: str, responses: list[str]
    ) -> list[str]:
        """The reply to EHLO, with what else is offered before its last line."""
        session.host_name = hostname
        return [*responses[:-1], *(f"250-{name}" for name in self.offers), responses[-1]]

    async def handle_MAIL(  # noqa: N802 - the names of aiosmtpd
        self, server: SMTP, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        """The reply to MAIL."""
        if (other := self.replies.get("MAIL") or self.faults.reply("MAIL")) is not None:
            return other
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        """The reply to RCPT."""
        if (other := self.replies.get("RCPT") or self.faults.reply("RCPT")) is not None:
            return other
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Any) -> str:  # noqa: N802
        """The reply to the final dot."""
        other = self.replies.get("DATA") or self.faults.reply("DATA") or await self.faults.before_accepting()
        if other is not None:
            return other
        mail = Mail(envelope.mail_from, tuple(envelope.rcpt_tos), envelope.original_content, session.peer[1])
        await self.keep(mail)
        await self.faults.after_accepting(cast("asyncio.Transport", server.transport))
        return f"250 2.0.0 Ok: queued as {time.monotonic_ns():X}"

    async def keep(self, mail: Mail) -> None:
        """Keep an accepted message; the client hears 250 when this has returned."""
        with self._arrived:
            self.mails.append(mail)
            self._arrived.notify_all()

    def wait_for(self, count: int, timeout: float = 10) -> list[Mail]:
        """All messages once there are `count`; `AssertionError` after `timeout` seconds."""
        with self._arrived:
            if not self._arrived.wait_for(lambda: len(self.mails) >= count, timeout):
                raise AssertionError(f"{len(self.mails)} of {count} messages after {timeout} s")
            return list(self.mails)


class Ledger(Mailbox):
    """A mailbox that forgets content and appends a line per message to a file, fsync'd in groups."""

    def __init__(self, path: Path, control: Path | None = None) -> None:
        super().__init__()
        self.faults = SmtpFaults(control)
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._waiting: list[tuple[bytes, asyncio.Future[None]]] = []
        self._writer: asyncio.Task[None] | None = None

    async def keep(self, mail: Mail) -> None:
        """Return when the message's line is on disk."""
        line = f"{mail.message_id} {len(mail.recipients)} {os.getpid()} {time.time():.6f}\n".encode()
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((line, written))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write())
        await written

    async def _write(self) -> None:
        while self._waiting:
            group, self._waiting = self._waiting, []
            await asyncio.to_thread(self._append, b"".join(line for line, _ in group))
            for _, written in group:
                if not written.done():
                    written.set_result(None)

    def _append(self, lines: bytes) -> None:
        os.write(self._file, lines)
        os.fsync(self._file)


class _Protocol(SMTP):
    """One connection; closed at once where the mailbox's faults say so."""

    _held = b""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if self.event_handler.faults.drops:
            transport.abort()

    async def push(self, status: str | bytes) -> None:
        """Where groups are offered, the replies to one go out together (RFC 2920, 3.2), as Postfix has it."""
        line = self._held + (status.encode() if isinstance(status, str) else status)
        if self.event_handler.offers and b"\n" in self._reader._buffer:  # type: ignore[attr-defined]
            self._held = line + b"\r\n"
            return
        self._held = b""
        await super().push(line)


@dataclass
class SmtpServer:
    """A running server: its port, what it accepted, and every (user, password) that was tried."""

    port: int
    mailbox: Mailbox
    logins: list[tuple[str, str]] = field(default_factory=list)
    _protocols: list[SMTP] = field(default_factory=list)
    _loop: asyncio.AbstractEventLoop | None = None

    @property
    def connections(self) -> int:
        """How many connections there have been."""
        return len(self._protocols)

    def cut(self) -> None:
        """Close every connection, as a server that restarts does."""
        assert self._loop is not None
        asyncio.run_coroutine_threadsafe(_close(self._protocols), self._loop).result(10)


@contextmanager
def smtp_server(
    *,
    tls: ssl.SSLContext | None = None,
    starttls: bool = False,
    login: tuple[str, str] | None = None,
    pipelining: bool = False,
    **settings: Any,
) -> Iterator[SmtpServer]:
    """A server in a thread of this process on a free port of 127.0.0.1.

    `tls` speaks TLS from the first byte, or after STARTTLS with `starttls=True`; `login` makes that user and
    password a must; `pipelining` offers RFC 2920. `settings` are aiosmtpd's (`enable_SMTPUTF8`, `data_size_limit`, `auth_exclude_mechanism`).
    """
    server = SmtpServer(0, Mailbox())
    server.mailbox.offers = ("PIPELINING",) if pipelining else ()
    if login is not None:
        settings |= {"authenticator": _authenticator(server, login), "auth_required": True}
        settings["auth_require_tls"] = False
    if starttls:
        settings |= {"tls_context": tls, "require_starttls": True}
    server._loop = loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="smtp-server", daemon=True)
    thread.start()
    listening = asyncio.run_coroutine_threadsafe(
        _listen(server, 0, settings, None if starttls else tls), loop
    ).result(10)
    try:
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(_end(listening, server), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


def _authenticator(server: SmtpServer, login: tuple[str, str]) -> Any:
    def check(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        server.logins.append((data.login.decode(), data.password.decode()))
        return AuthResult(success=server.logins[-1] == login, handled=False)

    return check


async def _listen(
    server: SmtpServer, port: int, settings: dict[str, Any], tls: ssl.SSLContext | None
) -> asyncio.Server:
    def protocol() -> SMTP:
        with warnings.catch_warnings():  # it warns of what some tests want: AUTH without TLS
            warnings.simplefilter("ignore")
            made = _Protocol(server.mailbox, **{"enable_SMTPUTF8": True, **settings})
        server._protocols.append(made)
        return made

    loop = asyncio.get_running_loop()
    listening = await loop.create_server(protocol, "127.0.0.1", port, ssl=tls, backlog=512)
    server.port = listening.sockets[0].getsockname()[1]
    return listening


async def _end(listening: asyncio.Server, server: SmtpServer) -> None:
    """In the loop's own thread, for a connection that ends meanwhile counts itself out of `listening`."""
    listening.close()
    await _close(server._protocols)


async def _close(protocols: list[SMTP]) -> None:
    """Abort every connection and see the tasks behind them end."""
    tasks = [made._handler_coroutine for made in protocols if made._handler_coroutine is not None]
    for made in protocols:
        if isinstance(made.transport, asyncio.Transport):
            made.transport.abort()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _serve(port: int, ledger: Path, control: Path | None) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    server = SmtpServer(0, Ledger(ledger, control))
    listening = await _listen(server, port, {}, None)
    sys.stdout.write(f"ready {server.port}\n")
    sys.stdout.flush()
    await stop.wait()
    await _end(listening, server)


def main() -> None:
    """The process's command line."""
    parser = argparse.ArgumentParser(description="An SMTP server that only counts.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--ledger", type=Path, required=True)
    parser.add_argument("--control", type=Path, help="a file that says how to misbehave")
    arguments = parser.parse_args()
    asyncio.run(_serve(arguments.port, arguments.ledger, arguments.control))


if __name__ == "__main__":
    main()
