"""`notifier bench`, its pure parts: what is sent and when, what the figures are, what the verdict says."""

import json
from collections import Counter
from itertools import islice

import click
import msgspec
import pytest

from notifier.cli.answers import Answer, NoAnswer
from notifier.cli.bench_endings import PAGE, Endings
from notifier.cli.bench_figures import Measured, document, milliseconds, verdict
from notifier.cli.bench_plan import Plan, body_of, interleaved, magic_recipients, parse_mix
from notifier.cli.bench_words import in_words
from notifier.domain.lanes import Channel, Lane
from notifier.domain.magic import ending_of
from notifier.domain.recipients import ChatDestination, EmailAddress, PhoneNumber, PushToken
from notifier.domain.simulator import Ending
from notifier.http.schemas import SendRequest

LOW, HIGH = Lane.parse("email.low"), Lane.parse("sms.high")
PLAN = Plan(rate=10.0, seconds=1.0, batch=1, mix=((LOW, 1), (HIGH, 1)))


def mix(text):
    return parse_mix(None, None, text)


def measured(**given):
    """A run in which all went well, but for `given`."""
    values = {"accepts": {LOW: [0.01] * 5, HIGH: [0.02] * 5}, "sends": {LOW: [0.1] * 5, HIGH: [0.05] * 5}}
    values |= {"endings": Counter(sent=10), "late": [0.0] * 10, "asked": 10, "seconds": 1.0, "span": 1.0}
    return Measured(**values | given)


def test_every_request_has_its_moment_before_the_first_is_sent():
    """The pace is the plan's, not the door's: n / rate, in batches too, and the count is exact."""
    assert [moment for moment, _ in PLAN.requests()] == pytest.approx([n / 10 for n in range(10)])
    batches = list(Plan(rate=100.0, seconds=1.0, batch=30, mix=PLAN.mix).requests())
    assert [moment for moment, _ in batches] == pytest.approx([0.0, 0.3, 0.6, 0.9])
    assert [len(lanes) for _, lanes in batches] == [30, 30, 30, 10]


def test_the_mix_is_kept_in_every_stretch():
    """Weights hold over the whole and over each round of it: no lane comes in one clump."""
    lanes = list(islice(interleaved(mix("email.low=6,sms.high=1,push.medium=3")), 100))
    assert Counter(lane.name for lane in lanes) == {"email.low": 60, "sms.high": 10, "push.medium": 30}
    for begin in range(0, 100, 10):
        assert Counter(lane.name for lane in lanes[begin : begin + 10])["sms.high"] == 1
    assert mix(None) == tuple((lane, 1) for lane in Lane.all())


@pytest.mark.parametrize(
    "text", ["", "email", "email.low=0", "email.urgent", "email.low,email.low=2", "sms.high="]
)
def test_a_mix_that_is_none_is_refused(text):
    with pytest.raises(click.BadParameter):
        mix(text)


def test_what_is_sent_goes_to_nobody_and_the_door_takes_its_form():
    """Each channel's recipient is one that the simulator delivers, and that a live key is refused."""
    made = {
        Channel.EMAIL: lambda to: EmailAddress(to["email"]),
        Channel.SMS: lambda to: PhoneNumber(to["phone"]),
        Channel.PUSH: lambda to: PushToken(to["push_token"], to["platform"]),
        Channel.CHAT: lambda to: ChatDestination(to["chat"]),
    }
    recipients = magic_recipients()
    assert set(recipients) == set(Channel)
    for channel, to in recipients.items():
        assert ending_of(made[channel](to)) is Ending.DELIVERED
    for lane in Lane.all(Channel):
        body = json.dumps(body_of(7, lane, recipients, "bench-1", 60)).encode()
        found = msgspec.json.decode(body, type=SendRequest)
        assert (found.channel, found.priority, found.reference, found.ttl) == (
            lane.channel,
            lane.priority,
            "bench-1",
            60,
        )


def test_quantiles_are_samples_that_were_there():
    assert milliseconds([]) is None
    assert milliseconds([0.001 * n for n in range(1, 101)]) == {"p50": 50, "p95": 95, "p99": 99, "max": 100}
    assert milliseconds([0.25]) == {"p50": 250, "p95": 250, "p99": 250, "max": 250}


@pytest.mark.parametrize(
    ("given", "kept_up", "said"),
    [
        ({}, True, "kept up: 10 of 10 accepted at 10/s, 10 ended"),
        ({"errors": Counter({"503 unavailable": 3})}, False, "3 were not accepted, most: 503 unavailable"),
        ({"after": 2.5}, False, "the last answer came 2.5 s after its request was due"),
        ({"asked": 6}, False, "4 were not sent any more"),
        ({"late": [0.0] * 8 + [0.5] * 2}, False, "this client itself was late"),
        ({"endings": Counter(sent=7)}, False, "3 had not ended"),
        ({"endings": Counter(sent=9, failed=1)}, False, "1 ended otherwise than sent"),
        ({"sends": {LOW: [0.1, 9.0]}}, False, "the slowest was sent 9.0 s after it was accepted"),
        ({"unread": "the key has no scope `read`", "endings": Counter()}, True, "the sends were not seen"),
        ({"interrupted": True, "asked": 4, "endings": Counter(sent=4)}, True, "ended early, so far: kept up"),
        ({"accepts": {}, "endings": Counter()}, False, "nothing was measured"),
    ],
)
def test_the_verdict_names_what_was_short(given, kept_up, said):
    """One line: it kept up, or the causes; a run cut short is judged by what it did."""
    found, words = verdict(PLAN, measured(**given))
    assert found is kept_up, words
    assert said in words
    assert "\n" not in words


def test_words_and_document_tell_each_lane_and_no_recipient():
    told = document(PLAN, measured(errors=Counter({"429 rate_limited": 2})), "bench-1", live=False)
    said = in_words(told)
    assert [one["lane"] for one in told["lanes"]] == ["email.low", "sms.high"]
    assert told["lanes"][1]["accept_ms"]["p99"] == 20
    assert told["all"]["sent"] == 10
    assert "not accepted: 2 429 rate_limited" in said
    assert said.splitlines()[-1] == told["verdict"]
    for recipient in magic_recipients().values():
        for value in set(recipient.values()) - {"fcm"}:
            assert value not in said + json.dumps(told)


class Lists:
    """A door that answers lists: `rows` newest first, cursors are places."""

    def __init__(self, rows):
        self.rows = rows
        self.asked = []

    def notifications(self, query):
        assert query["reference"] == "bench-1"
        begin = int(query.get("cursor", 0))
        self.asked.append(begin)
        end = begin + PAGE
        more = str(end) if end < len(self.rows) else None
        return Answer(200, {"data": self.rows[begin:end], "next_cursor": more})


def row(status, seconds="00.250"):
    ended = None if status == "queued" else f"2026-01-01T00:00:{seconds}Z"
    lane = {"channel": "email", "priority": "low"}
    return {**lane, "status": status, "created_at": "2026-01-01T00:00:00.000Z", "finished_at": ended}


def test_only_pages_with_one_that_has_not_ended_are_asked_for_again():
    """Reading ten thousand endings is no load of its own: a page that has ended is done with."""
    door, found = Lists([row("sent") for _ in range(3 * PAGE)]), measured(sends={}, endings=Counter())
    door.rows[PAGE + 1] = row("queued")
    endings = Endings(door, "bench-1", found)
    endings.look(lambda _: None)
    assert door.asked == [0, PAGE, 2 * PAGE]
    assert (endings.done, found.endings) == (False, Counter(sent=2 * PAGE))
    door.rows[PAGE + 1] = row("failed", "04.000")
    endings.look(lambda _: None)
    assert door.asked[3:] == [PAGE]
    assert (endings.done, found.endings) == (True, Counter(sent=3 * PAGE - 1, failed=1))
    assert found.sends == {LOW: [0.25] * (3 * PAGE - 1)}
    assert found.span == pytest.approx(4.0)


def test_what_has_ended_beside_one_that_has_not_counts_in_the_end():
    """Ctrl-C, or the end of the wait, loses nothing that was to be seen."""
    door, found = Lists([row("sent"), row("queued"), row("expired")]), measured(sends={}, endings=Counter())
    endings = Endings(door, "bench-1", found)
    endings.look(lambda _: None)
    assert not found.endings
    endings.close()
    assert found.endings == Counter(sent=1, expired=1)
    assert found.sends == {LOW: [0.25]}


def test_a_list_that_is_refused_is_said():
    class Refusing:
        def notifications(self, query):
            return Answer(503, {"code": "unavailable"})

    with pytest.raises(NoAnswer, match="503 unavailable"):
        Endings(Refusing(), "bench-1", measured()).look(lambda _: None)
