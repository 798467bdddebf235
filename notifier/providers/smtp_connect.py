"""From a configuration to a session that is ready for MAIL, or the outcome that says why there is none.

Nothing of the message has been said here, so every ending is `Deferred`. What only an operator can mend
(certificate, credentials, a server without STARTTLS or AUTH) is `auth_failed`; there is no way down to less
protection than the URL asks for.
"""

import ssl
from datetime import datetime

from notifier.domain.lifecycle import Reason
from notifier.domain.outcomes import Answer, Deferred, Outcome
from notifier.providers import tls
from notifier.providers.base import Deadline
from notifier.providers.masking import masked
from notifier.providers.smtp_codes import Reply, Stage, outcome_of
from notifier.providers.smtp_session import Broken, Session, SmtpConfig, authenticate
from notifier.providers.wire import DeadlinePassed, dial


class NoSession(Exception):
    """There is no session; `outcome` says why."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(str(outcome))
        self.outcome = outcome


def tls_context(config: SmtpConfig) -> ssl.SSLContext:
    """TLS 1.2 or newer, verified against the system's authorities or `ca_file`; raises `OSError`."""
    return tls.tls_context(config.ca_file, verify=config.verify)


def connect(config: SmtpConfig, context: ssl.SSLContext | None, deadline: Deadline, now: datetime) -> Session:
    """Dial, shake hands, greet and authenticate by `deadline`; raises `NoSession`."""
    session = _dialled(config, deadline)
    try:
        _prepare(session, config, context, now)
    except Broken as broken:
        raise NoSession(broken_outcome(broken)) from None
    except ssl.SSLCertVerificationError as wrong:
        raise _misconfigured(f"the server's certificate: {wrong.verify_message}") from None
    except ssl.SSLError as wrong:
        text = f"the TLS handshake failed: {wrong.reason}"
        raise NoSession(Deferred(Reason.PROVIDER_UNAVAILABLE, answer=Answer(text=text))) from None
    except BaseException:
        session.close()
        raise
    return session


def broken_outcome(broken: Broken) -> Deferred:
    """What a connection lost before the message's end means."""
    reason = Reason.PROVIDER_TIMEOUT if broken.timed_out else Reason.PROVIDER_UNAVAILABLE
    return Deferred(reason, answer=Answer(text=broken.text))


def answer_of(reply: Reply, config: SmtpConfig, recipient: str = "") -> Answer:
    """The reply as it may be kept."""
    return Answer(
        reply.shown,
        masked(
            reply.text,
            addresses=(recipient, recipient.rpartition("@")[0], config.sender.address),
            secrets=config.secrets,
        ),
    )


def _dialled(config: SmtpConfig, deadline: Deadline) -> Session:
    try:
        sock = dial(config.host, config.port, deadline, config.connect_timeout)
    except DeadlinePassed:
        answer = Answer(text="no connection in time")
        raise NoSession(Deferred(Reason.PROVIDER_TIMEOUT, answer=answer)) from None
    except OSError as error:
        answer = Answer(text=f"no connection: {error.strerror or 'failed'}")
        raise NoSession(Deferred(Reason.PROVIDER_UNAVAILABLE, answer=answer)) from None
    return Session(sock, config, deadline)


def _prepare(session: Session, config: SmtpConfig, context: ssl.SSLContext | None, now: datetime) -> None:
    if config.scheme == "smtps" and context is not None:
        session.start_tls(context, config.host)
    _expect(session, session.reply(), config, now)
    _expect(session, session.greet(), config, now)
    if config.scheme == "smtp+starttls" and context is not None:
        if not session.has_extn("starttls"):
            session.leave()
            raise _misconfigured("the server offers no STARTTLS")
        _expect(session, session.command("STARTTLS"), config, now)
        session.start_tls(context, config.host)
        _expect(session, session.greet(), config, now)
    if config.user:
        reply = authenticate(session, config)
        if reply is None:
            session.leave()
            raise _misconfigured("the server offers no AUTH PLAIN or LOGIN")
        _expect(session, reply, config, now)


def _expect(session: Session, reply: Reply, config: SmtpConfig, now: datetime) -> None:
    if not reply.good:
        session.leave()
        raise NoSession(outcome_of(Stage.SESSION, reply, answer_of(reply, config), now))


def _misconfigured(text: str) -> NoSession:
    return NoSession(Deferred(Reason.AUTH_FAILED, answer=Answer(text=text)))
