"""What the log says of code that fails with an address, a text or a key in its error: where, never what."""

import io
import json
import logging
import uuid
from types import SimpleNamespace

import pytest
import structlog

from notifier.delivery.calling import Calls
from notifier.domain.content import Content
from notifier.domain.lanes import Channel, Lane, Priority
from notifier.domain.lifecycle import Reason
from notifier.domain.notification import Outgoing
from notifier.domain.outcomes import Accepted, Deferred, Uncertain
from notifier.domain.recipients import EmailAddress
from notifier.intake.accept import Intake
from notifier.intake.admission import Admission, Limits
from notifier.intake.submissions import Submission
from notifier.providers.base import Account
from notifier.queueing.broker import Grant
from notifier.queueing.messages import QueueMessage
from notifier.routing import Router
from notifier.telemetry.logs import configure_logs
from tests.acceptance.canary import ADDRESS, PASSWORD, PHONE, TEXT, found

HIGH = Lane(Channel.EMAIL, Priority.HIGH)
WORDS = f"{ADDRESS} {PHONE} {TEXT} {PASSWORD} Bearer nk_live_abcdefgh_{'C' * 43}"


@pytest.fixture
def stream():
    """Everything logged, at its loudest; what was set up ends with the test."""
    root = logging.getLogger()
    handlers, level, dramatiq = root.handlers[:], root.level, logging.getLogger("dramatiq").level
    made = io.StringIO()
    configure_logs("json", "debug", made)
    yield made
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.getLogger("dramatiq").setLevel(dramatiq)
    structlog.reset_defaults()


def told(stream, event):
    """The one line of this name; nothing private in any."""
    assert found(stream.getvalue()) == []
    (line,) = [one for one in map(json.loads, stream.getvalue().splitlines()) if one["event"] == event]
    return line


class Provider:
    """Answers with an outcome, or fails with an error."""

    def __init__(self, outcome):
        self.outcome = outcome

    def send(self, outgoing, deadline):
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome

    def close(self):
        raise OSError(WORDS)


def called(build, answers=None):
    """How a call to this account ended, and whose it was."""
    account = Account(name="smtp", channel=Channel.EMAIL, timeout=2, build=build)
    calls = Calls(Router({Channel.EMAIL: {"smtp": None}}), answers=answers)
    made = uuid.uuid4()
    proxy = SimpleNamespace(decoded=QueueMessage(HIGH, made), grant=Grant("smtp"), trace=None)
    outgoing = Outgoing(id=made, recipient=EmailAddress(ADDRESS), content=Content(text=TEXT))
    outcome = calls.call(proxy, account, outgoing, 1)
    calls.close_thread()
    return outcome, f"ntf_{made}"


def test_a_provider_that_crashes(stream):
    outcome, made = called(lambda: Provider(RuntimeError(WORDS)))
    assert isinstance(outcome, Uncertain)
    line = told(stream, "provider_crashed")
    assert (line["notification"], line["lane"], line["provider"]) == (made, "email.high", "smtp")
    assert line["error"] == "RuntimeError"


def test_a_provider_that_can_not_be_built(stream):
    def build():
        raise ValueError(WORDS)

    outcome, made = called(build)
    assert isinstance(outcome, Deferred)
    assert outcome.reason is Reason.PROVIDER_UNAVAILABLE
    assert told(stream, "provider_not_built")["notification"] == made


def test_an_answer_that_can_not_be_judged(stream):
    class Rules:
        def judge(self, channel, outcome):
            raise KeyError(WORDS)

    _, made = called(lambda: Provider(Accepted()), Rules())
    assert told(stream, "outcome_unreadable")["notification"] == made
    assert told(stream, "provider_close_failed")["error"] == "OSError"


def test_an_intake_that_crashes(stream):
    """Its callers hear, and the line says where it was."""

    class Writer:
        def write(self, tickets):
            raise RuntimeError(WORDS)

    intake = Intake(Writer(), Admission(Limits(10, 0)), lambda rows: None)
    intake.start()
    submission = Submission(
        notifications=[],
        tenant="default",
        api_key="k",
        route="/v1/notifications",
        idempotency_key=None,
        body_hash=b"",
        respond=lambda _: b"",
    )
    with pytest.raises(Exception, match="storage failed unexpectedly"):
        intake.submit_and_wait(submission)
    intake.stop()
    line = told(stream, "intake_group_failed")
    assert (line["error"], line["size"]) == ("RuntimeError", 1)
    assert "test_crashes:write" in line["where"][-1]
