"""E-mail over SMTP (RFC 5321): one kept connection per thread, and no ending left to guesses.

The dialogue over a connection is in `smtp_transaction`, what a reply means in `smtp_codes`.
"""

import ssl
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

from notifier.domain.errors import RenderError
from notifier.domain.lanes import Channel
from notifier.domain.lifecycle import Reason
from notifier.domain.notification import Outgoing
from notifier.domain.outcomes import Answer, Deferred, Outcome, Refused
from notifier.providers.base import Deadline, ProviderDefaults
from notifier.providers.mime import NoSigner, build_email
from notifier.providers.senders import Sender, parse_sender
from notifier.providers.smtp_connect import NoSession, connect, tls_context
from notifier.providers.smtp_session import Session, SmtpConfig
from notifier.providers.smtp_transaction import GONE, transact
from notifier.providers.urls import ProviderUrl

if TYPE_CHECKING:
    from notifier.providers.dkim_signing import DkimSigner


def build(url: ProviderUrl, _channel: Channel, defaults: ProviderDefaults) -> "Smtp":
    """The SMTP provider that `url` describes; its channel is always e-mail."""
    return Smtp(config_of(url, defaults))


def config_of(url: ProviderUrl, defaults: ProviderDefaults) -> SmtpConfig:
    """The configuration in `url`, with the defaults for what it leaves open."""
    said = cast("dict[str, Any]", url.options)
    limits = ("connection_messages", "connection_seconds", "idle_seconds")
    sender = said.get("from")
    sender = sender if isinstance(sender, Sender) else parse_sender(defaults.email_from)
    return SmtpConfig(
        host=url.host,
        port=url.port,
        scheme=url.scheme,
        sender=sender,
        user=url.user or "",
        password=url.password or "",
        helo=said.get("helo"),
        connect_timeout=defaults.connect_timeout,
        verify=not said.get("dangerous_no_verify", False),
        ca_file=said.get("ca_file"),
        dkim_selector=said.get("dkim_selector", ""),
        dkim_domain=said.get("dkim_domain", sender.domain),
        dkim_key_file=said.get("dkim_key_file", ""),
        **{name: said[name] for name in limits if name in said},
    )


def signer_of(config: SmtpConfig) -> "DkimSigner | None":
    """What signs this account's e-mails, None for nothing; raises `NoSigner`."""
    if not config.dkim_key_file:
        return None
    # Only where it is used: it brings a DNS client along.
    from notifier.providers.dkim_signing import load_signer

    return load_signer(config.dkim_selector, config.dkim_domain, config.dkim_key_file)


class Smtp:
    """A `Provider`; see `notifier.providers.base` for what it promises."""

    def __init__(self, config: SmtpConfig) -> None:
        self._config = config
        self._session: Session | None = None
        self._context: ssl.SSLContext | None = None
        self._signer: DkimSigner | None = None

    def send(self, outgoing: Outgoing, deadline: Deadline) -> Outcome:
        """One attempt; a kept connection found dead at MAIL is replaced once, by the same deadline."""
        try:
            email = build_email(outgoing, self._config.sender, sign=self._sign())
        except RenderError as wrong:
            return Refused(Reason.RENDER_ERROR, Answer(text=str(wrong)))
        except NoSigner as none:
            return Deferred(Reason.AUTH_FAILED, answer=Answer(text=str(none)))
        kept = self._kept(deadline)
        if kept is not None:
            outcome = transact(kept, email, self._config)
            if outcome is not GONE:
                return outcome
        try:
            self._session = session = self._connected(deadline)
        except NoSession as none:
            return none.outcome
        return transact(session, email, self._config)

    def close(self) -> None:
        """Take leave of the server, if there is a connection."""
        session, self._session = self._session, None
        if session is not None:
            session.leave()

    def _sign(self) -> Callable[[bytes], bytes] | None:
        """What signs, if anything is to; its key is read once, and again while it can't be. Raises `NoSigner`."""
        if self._signer is None:
            self._signer = signer_of(self._config)
        return self._signer.signed if self._signer else None

    def _kept(self, deadline: Deadline) -> Session | None:
        session, config = self._session, self._config
        if session is None or not session.connected:
            return None
        now = time.monotonic()
        worn = session.sent >= config.connection_messages or now - session.opened > config.connection_seconds
        if worn or now - session.used > config.idle_seconds:
            self.close()
            return None
        session.under(deadline)
        return session

    def _connected(self, deadline: Deadline) -> Session:
        if self._config.scheme != "smtp" and self._context is None:
            try:
                self._context = tls_context(self._config)
            except OSError:
                answer = Answer(text="the option ca_file can't be read")
                raise NoSession(Deferred(Reason.AUTH_FAILED, answer=answer)) from None
        return connect(self._config, self._context, deadline, datetime.now(UTC))
