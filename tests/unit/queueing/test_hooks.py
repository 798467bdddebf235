"""Middlewares are asked as Dramatiq asks them, but for those that have nothing to do."""

import dramatiq
import pytest
from dramatiq.brokers.stub import StubBroker
from dramatiq.middleware import MiddlewareError

from notifier.queueing.hooks import QuickHooks


class Quick(QuickHooks, StubBroker):
    """Dramatiq's own broker for tests, with our way of asking."""


class Noting(dramatiq.Middleware):
    """Notes what it is asked; fails where told."""

    def __init__(self, name, notes, failing=None):
        self.name, self.notes, self.failing = name, notes, failing

    def _note(self, what, given):
        self.notes.append((self.name, what, given))
        if self.failing is not None:
            raise self.failing

    def before_process_message(self, broker, message):
        self._note("before", message)

    def after_process_message(self, broker, message, *, result=None, exception=None):
        self._note("after", (message, result, exception))


class Idle(dramatiq.Middleware):
    """Has nothing to do."""


def told(kind, failing=None):
    """What two that note and one that idles between them are asked, and what gets out."""
    notes, out = [], None
    broker = kind(middleware=[Noting("a", notes, failing), Idle(), Noting("b", notes)])
    broker.emit_before("ack", "nobody hears of it")
    try:
        broker.emit_before("process_message", "m")
    except MiddlewareError as error:
        out = type(error)
    broker.emit_after("process_message", "m", result=1)
    return notes, out


@pytest.mark.parametrize("failing", [None, ValueError("a fault"), MiddlewareError("stop")], ids=str)
def test_the_order_and_what_gets_out_are_dramatiqs(failing):
    notes, out = told(Quick, failing)
    assert (notes, out) == told(StubBroker, failing)
    assert notes[-2:] == [("b", "after", ("m", 1, None)), ("a", "after", ("m", 1, None))]
    assert out is (MiddlewareError if isinstance(failing, MiddlewareError) else None)


def test_who_is_added_later_is_asked_too_and_in_its_place():
    """Also one whose method was set on itself, as tests do."""
    notes = []
    broker = Quick(middleware=[Noting("b", notes)])
    broker.emit_before("process_message", 1)
    broker.add_middleware(Noting("a", notes), before=Noting)
    own = Idle()
    own.before_process_message = lambda _broker, message: notes.append(("own", "before", message))
    broker.add_middleware(own)
    broker.emit_before("process_message", 2)
    assert notes == [("b", "before", 1), ("a", "before", 2), ("b", "before", 2), ("own", "before", 2)]


def test_those_that_idle_are_not_asked():
    broker = Quick(middleware=[Idle(), Noting("a", [])])
    assert [one for one, _ in broker._hooks("before_process_message")] == [broker.middleware[1]]
    assert broker._hooks("before_ack") == []
