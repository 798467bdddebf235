"""The load client reads answers as they come, and the requests and ledgers are what they claim."""

import json

import msgspec
import pytest

from benchmarks import bodies, calls
from benchmarks.http_connection import parsed, request_bytes
from benchmarks.load_client import refusal
from notifier.domain.lanes import Lane
from notifier.http.schemas import SendRequest

ANSWER = b'HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{"id":"x"}'


@pytest.mark.parametrize("cut", range(len(ANSWER)))
def test_an_answer_counts_only_when_it_is_whole(cut):
    """Wherever the network cuts it."""
    assert parsed(ANSWER[:cut]) == (None, ANSWER[:cut])


def test_what_follows_an_answer_is_kept():
    """Two answers in one read are two answers."""
    first, left = parsed(ANSWER + ANSWER)
    assert first == (202, b'{"id":"x"}')
    assert parsed(left) == ((202, b'{"id":"x"}'), b"")


def test_an_answer_that_does_not_say_its_length_is_an_error():
    """Else the client would wait for ever."""
    with pytest.raises(ValueError, match="Content-Length"):
        parsed(b"HTTP/1.1 200 OK\r\n\r\n")


def test_a_request_is_whole_bytes_with_its_length():
    """It is sent as it is, again and again."""
    head, _, body = request_bytes("/v1/notifications", "k", b"{}").partition(b"\r\n\r\n")
    assert body == b"{}"
    assert b"Content-Length: 2" in head
    assert b"Authorization: Bearer k" in head


@pytest.mark.parametrize(
    ("body", "said"),
    [(b'{"code":"unavailable","request_id":"a"}', "503 unavailable"), (b"<html>", "503"), (b"[]", "503")],
    ids=["problem", "no json", "no object"],
)
def test_refusals_are_told_by_their_code(body, said):
    """A thousand requests refused for one reason are one line."""
    assert refusal(503, body) == said


def test_every_run_sends_the_same_requests_over_all_lanes():
    """A figure can be compared with yesterday's; each lane gets as many."""
    made = bodies.singles(18)
    assert made == bodies.singles(18)
    assert made != bodies.singles(18, seed=1)
    found = [msgspec.json.decode(body, type=SendRequest) for body in made]
    assert [(one.channel, one.priority) for one in found] == [
        (lane.channel, lane.priority) for lane in (*Lane.all(), *Lane.all())
    ]


def test_a_batch_has_its_size_and_no_item_twice():
    """Equal items would be kept as cheaply as none."""
    (body,) = bodies.batches(1, 50)
    items = json.loads(body)["items"]
    assert len(items) == 50
    assert len({json.dumps(item) for item in items}) == 50


def test_the_ledger_is_counted_by_its_size_and_read_by_name(tmp_path):
    """All lines are equally long, so counting costs nothing while the clock runs."""
    ledger = tmp_path / "calls"
    assert calls.count(ledger) == 0
    ledger.write_bytes(
        calls.line("ntf_a", 1_000_000_000) + calls.line("1", 2_000_000_000) + calls.line("2", 3_000_000_000)
    )
    assert calls.count(ledger) == 3
    found = calls.read(ledger)
    assert found == {"ntf_a": 1_000_000_000, "1": 2_000_000_000, "2": 3_000_000_000}
    assert calls.per_second(found) == 1.0


def test_a_call_made_twice_is_no_figure(tmp_path):
    """Work done twice must not count as twice the work."""
    ledger = tmp_path / "calls"
    ledger.write_bytes(calls.line("ntf_a", 1) + calls.line("ntf_a", 2))
    with pytest.raises(ValueError, match="twice"):
        calls.read(ledger)
