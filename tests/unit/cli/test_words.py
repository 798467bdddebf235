"""What a command prints: the request it makes, the options it blames, text that is safe on a terminal."""

import json

import click
import pytest

from notifier.cli.answers import Answer
from notifier.cli.doors import end_with_problem
from notifier.cli.send import OPTIONS, request_of
from notifier.cli.status import in_words
from notifier.cli.words import printable, table


def test_the_options_become_the_request_of_the_interface():
    assert request_of({"email": "a@example.com", "subject": "s", "text": "t", "html": None, "tags": ()}) == {
        "channel": "email",
        "to": {"email": "a@example.com"},
        "content": {"subject": "s", "text": "t"},
    }
    made = request_of({"phone": "+1", "text": "t", "priority": "low", "ttl": 60, "tags": ("a", "b")})
    assert made == {
        "channel": "sms",
        "to": {"phone": "+1"},
        "content": {"text": "t"},
        "priority": "low",
        "ttl": 60,
        "tags": ["a", "b"],
    }


def test_a_subscription_of_web_push_is_given_as_json():
    made = request_of({"push_token": '{"endpoint": "https://x"}', "platform": "webpush", "text": "t"})
    assert made["to"] == {"push_token": {"endpoint": "https://x"}, "platform": "webpush"}


@pytest.mark.parametrize("given", [{}, {"email": "a", "phone": "b"}, {"platform": "fcm"}])
def test_there_is_exactly_one_recipient(given):
    with pytest.raises(click.UsageError):
        request_of({"text": "t", **given})


@pytest.mark.parametrize(
    ("pointer", "shown"),
    [
        ("/to/email", "--email: is wrong"),
        ("/tags/3", "--tag: is wrong"),
        ("/to/push_token/keys/auth", "--push-token: is wrong"),
        ("/provider", "--provider: is wrong"),
        ("/on_uncertain", "/on_uncertain: is wrong"),
    ],
)
def test_a_wrong_field_is_shown_as_the_option_it_came_from(pointer, shown, capsys):
    problem = {"title": "t", "errors": [{"pointer": pointer, "code": "c", "detail": "is wrong"}]}
    with pytest.raises(SystemExit) as ended:
        end_with_problem(Answer(422, problem), as_json=False, options=OPTIONS)
    assert ended.value.code == 2
    assert capsys.readouterr().err == shown + "\n"


@pytest.mark.parametrize(
    ("status", "code"), [(400, 2), (413, 2), (422, 2), (401, 1), (404, 1), (409, 1), (503, 1)]
)
def test_only_what_was_asked_wrongly_is_wrong_usage(status, code, capsys):
    problem = {"title": "It failed", "detail": "so it is"}
    with pytest.raises(SystemExit) as ended:
        end_with_problem(Answer(status, problem), as_json=False)
    assert ended.value.code == code
    assert capsys.readouterr().err == "It failed: so it is\n"


def test_with_json_the_document_is_the_whole_output(capsys):
    with pytest.raises(SystemExit):
        end_with_problem(Answer(404, {"code": "not_found"}), as_json=True)
    said = capsys.readouterr()
    assert json.loads(said.out) == {"code": "not_found"}
    assert said.err == ""


def test_a_provider_s_answer_can_t_move_the_cursor():
    """What came from outside is shown with its control characters spelled out."""
    attempt = {
        "n": 1,
        "provider": "smtp",
        "outcome": "refused",
        "reason": "content_rejected",
        "duration_ms": 1.5,
        "possible_duplicate": True,
        "code": "550",
        "answer": "no\x1b[2Jmore\nlines",
    }
    found = {
        "id": "ntf_1",
        "channel": "email",
        "priority": "high",
        "status": "failed",
        "reason": "content_rejected",
        "reference": "a\u202eb",
        "expires_at": "2027-01-01T00:00:00.000Z",
        "attempts": [attempt],
        "timeline": [{"at": "2026-01-01T00:00:00.000Z", "event": "accepted"}],
    }
    shown = in_words(found)
    assert shown.splitlines()[0] == "ntf_1  email.high  failed: content_rejected"
    assert "550 no\\x1b[2Jmore\\nlines" in shown
    assert "a\\u202eb" in shown
    assert "refused (possible duplicate)" in shown
    assert "2026-01-01T00:00:00.000Z  accepted" in shown


def test_columns_stand_below_their_heads():
    assert table(("id", "name"), [("1", "one"), ("22", "two")]) == "id  name\n1   one\n22  two"
    assert printable("plain Ünïcode") == "plain Ünïcode"
