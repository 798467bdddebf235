"""One e-mail over one session: MAIL, RCPT, DATA, the body, the dot (RFC 5321, 3.3).

Where the server offers PIPELINING (RFC 2920), the commands go out in one write and their replies are read in turn:
two round trips less, and fewer wake-ups on both sides. DATA ends such a group, as it must, so the content still waits
for every reply.

Until the final dot the server must throw away what it has, so a connection lost before it is `Deferred`; from the dot
on, no answer means `Uncertain`. The dot goes out in one write with the body's last bytes, few enough for one TLS record
(RFC 8446, 5.1: 2^14): a write that fails has left its own last bytes unsent, and over TLS a record that can't be read.
"""

import re
import time
from datetime import UTC, datetime

from notifier.domain.lifecycle import Reason
from notifier.domain.outcomes import Accepted, Answer, Deferred, Outcome, Refused, Uncertain
from notifier.providers.mime import Email
from notifier.providers.smtp_codes import Reply, Stage, outcome_of
from notifier.providers.smtp_connect import answer_of, broken_outcome
from notifier.providers.smtp_session import Broken, Session, SmtpConfig

#: The ending of a session that the server had left before it heard of the message: take a new one.
GONE = Deferred(Reason.PROVIDER_UNAVAILABLE, answer=Answer(text="the server had closed the connection"))

#: Where servers put their own id of a message: Postfix and most others, Exim, SES.
_REFERENCE = re.compile(r"(?:queued as |\bid=|^Ok )<?([\w.-]{4,100})", re.IGNORECASE)
_GO_AWAY = 421
_START_MAIL_INPUT = 354
_END = b".\r\n"
#: With the dot still one TLS record.
_TAIL = 16_000


def transact(session: Session, email: Email, config: SmtpConfig) -> Outcome:
    """Send `email`; the session is closed afterwards if it can't serve another message.

    `GONE` itself is returned when a session used before turns out dead at its first word.
    """
    unfit = _unfit(session, email)
    if unfit is not None:
        return unfit
    used_before = session.sent > 0 or session.dirty
    stage = Stage.SENDER
    commands = _commands(session, email)
    grouped = session.has_extn("pipelining")
    try:
        if grouped:
            session.write("".join(f"{line}\r\n" for _, line in commands).encode())
        for number, (stage, line) in enumerate(commands, 1):
            reply = session.reply() if grouped else session.command(line)
            if (
                used_before
                and stage is Stage.SENDER
                and (reply.code == _GO_AWAY or _failed_reset(line, reply))
            ):
                session.close()
                return GONE
            if reply.code != _START_MAIL_INPUT if stage is Stage.CONTENT else not reply.good:
                outcome = _declined(session, stage, reply, email, config)
                _catch_up(session, len(commands) - number if grouped else 0)
                return outcome
            session.dirty = not line.startswith("RSET")
        session.write(email.data[:-_TAIL])
        session.write(email.data[-_TAIL:] + _END)
    except Broken as broken:
        return (
            GONE if used_before and stage is Stage.SENDER and not broken.timed_out else broken_outcome(broken)
        )
    return _end(session, email, config)


def _catch_up(session: Session, unread: int) -> None:
    """Read the replies to what was written behind a refused command, so that the connection can be kept.

    A server may answer DATA with 354 though it took no recipient; then a dot alone ends what was begun (RFC 2920, 3.1).
    Whatever becomes of it, the message's ending is the refusal; a connection out of step is closed.
    """
    try:
        while unread and session.connected:
            unread -= 1
            reply = session.reply()
            if reply.code == _START_MAIL_INPUT and not unread:
                session.write(_END)
                reply = session.reply()
            if reply.code in {_GO_AWAY, _START_MAIL_INPUT}:
                session.close()
    except Broken:
        return


def _failed_reset(line: str, reply: Reply) -> bool:
    return line == "RSET" and not reply.good


def _commands(session: Session, email: Email) -> list[tuple[Stage, str]]:
    size = f" SIZE={len(email.data)}" if session.has_extn("size") else ""
    utf8 = " BODY=8BITMIME SMTPUTF8" if email.needs_utf8 else ""
    reset = [(Stage.SENDER, "RSET")] if session.dirty else []
    return [
        *reset,
        (Stage.SENDER, f"MAIL FROM:<{email.sender}>{size}{utf8}"),
        (Stage.RECIPIENT, f"RCPT TO:<{email.recipient}>"),
        (Stage.CONTENT, "DATA"),
    ]


def _end(session: Session, email: Email, config: SmtpConfig) -> Outcome:
    """The answer to the final dot: without it nobody knows what became of the message."""
    try:
        reply = session.reply()
    except Broken as broken:
        return Uncertain(answer=Answer(text=f"after the final dot: {broken.text}"))
    session.sent += 1
    session.dirty = False
    if not reply.good:
        return _declined(session, Stage.CONTENT, reply, email, config)
    session.used = time.monotonic()
    found = _REFERENCE.search(reply.text.removeprefix(reply.enhanced).strip())
    return Accepted(found[1] if found else "", answer_of(reply, config, email.recipient))


def _declined(session: Session, stage: Stage, reply: Reply, email: Email, config: SmtpConfig) -> Outcome:
    session.used = time.monotonic()
    session.dirty = session.dirty or stage is Stage.SENDER
    if reply.code == _GO_AWAY or not 400 <= reply.code < 600:  # noqa: PLR2004 - out of step with the server
        session.close()
    return outcome_of(stage, reply, answer_of(reply, config, email.recipient), datetime.now(UTC))


def _unfit(session: Session, email: Email) -> Refused | None:
    """Why this server can't take this e-mail at all, from what its EHLO said (RFC 6531, RFC 1870)."""
    if email.needs_utf8 and not session.has_extn("smtputf8"):
        return Refused(Reason.PROVIDER_REJECTED, Answer(text="the server can't send to non-ASCII addresses"))
    limit = session.esmtp_features.get("size", "")
    if limit.isdigit() and 0 < int(limit) < len(email.data):
        return Refused(
            Reason.CONTENT_REJECTED, Answer(text=f"larger than the server's limit of {limit} bytes")
        )
    return None
