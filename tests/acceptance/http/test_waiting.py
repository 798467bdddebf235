"""A request's waits for storage have one bound together, not one each (promise 9)."""

import dataclasses
import threading

import pytest

from notifier.domain.errors import Unavailable
from notifier.http.offload import Offload
from notifier.http.parts import PARTS
from notifier.intake.accept import Intake, Kept
from notifier.intake.admission import Admission, Limits
from notifier.intake.submissions import Submission
from notifier.storage import api_keys
from tests.acceptance.http.test_sending import body

#: Seconds that looking the key up takes.
LOOKUP = 0.3


class Asked:
    """An intake that keeps nothing, but what it was told of the time."""

    waited = 0.0

    async def submit(self, submission, *, waited=0.0):
        self.waited = waited
        return Kept(b'{"id":"ntf_x"}')


@pytest.fixture
def slow_keys(monkeypatch):
    """Looking a key up takes a while."""
    find = api_keys.find

    def slowly(*args):
        threading.Event().wait(LOOKUP)
        return find(*args)

    monkeypatch.setattr(api_keys, "find", slowly)


async def test_what_the_key_took_is_gone_for_the_intake(slow_keys, door):
    """The intake hears how much of its time is left."""
    asked = Asked()
    door.app._state[PARTS] = dataclasses.replace(door.app[PARTS], intake=asked)
    answer = await door.post(body())
    assert answer.status == 202
    assert asked.waited >= LOOKUP


async def test_what_the_key_took_is_gone_for_a_read(slow_keys, door, monkeypatch):
    """The same for what is read."""
    told = []
    run = Offload.run

    async def listening(self, function, *args, waited=0.0):
        told.append(waited)
        return await run(self, function, *args, waited=waited)

    monkeypatch.setattr(Offload, "run", listening)
    answer = await door.ask("GET", "/v1/notifications")
    assert answer.status == 200
    assert told[0] == 0.0, "the key itself"
    assert max(told) >= LOOKUP


async def test_a_read_whose_time_is_gone_is_refused_at_once():
    """However long its own deadline is."""
    offload = Offload(threads=1, queue=1, deadline=600.0, name="test")
    released = threading.Event()
    try:
        with pytest.raises(Unavailable):
            await offload.run(released.wait, 60, waited=600.0)
    finally:
        released.set()
        offload.close()


async def test_an_intake_whose_time_is_gone_refuses_at_once():
    """However long its own wait is; nothing is kept."""
    intake = Intake(None, Admission(Limits()), None, wait=600.0)  # its writer never starts
    kept = Submission(
        notifications=[], tenant="acme", api_key="k", route="r", body_hash=b"", respond=lambda _: b""
    )
    with pytest.raises(Unavailable):
        await intake.submit(kept, waited=600.0)
