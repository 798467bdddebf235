"""A name that stands twice is found, with and without the second pass over the body."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as some

from notifier.http import jsontext
from notifier.http.problems import Problem
from notifier.http.sending import read_request

TWICE = [
    r'{"channel":"sms","channel":"sms","to":{"phone":"+14155552671"},"content":{"text":"x"}}',
    r'{"channel":"sms","to":{"phone":"+1","phone":"+14155552671"},"content":{"text":"x"}}',
    r'{"channel":"sms","to":{"phone" :"+1","phone" :"+14155552671"},"content":{"text":"\":\":"}}',
    r'{"channel":"sms","to":{"phone":"+1"},"content":{"text":"a \u0022: b"},"metadata":{"a":"1","a":"2"}}',
    r'{"channel":"sms","to":{"phone":"+14155552671"},"content":{"text":"a"},"topic":null,"topic":"t"}',
]


@pytest.mark.parametrize("text", TWICE)
def test_a_name_that_stands_twice_is_refused(text):
    """Whatever else the texts hold, and however the names are written."""
    with pytest.raises(Problem, match="twice"):
        read_request(text.encode())


@given(text=some.text(), spaced=some.booleans())
@example(text='": "a":', spaced=True)
def test_a_body_with_each_name_once_is_read(text, spaced):
    """Texts that look like names make no name stand twice."""
    given_body = {"channel": "sms", "to": {"phone": "+1"}, "content": {"text": text}, "reference": text}
    separators = (", ", " : ") if spaced else (",", ":")
    body = json.dumps(given_body, separators=separators).encode()
    try:
        request, errors = read_request(body)
    except Problem as problem:
        assert "\\u0000" in body.decode() or "\\ud" in body.decode(), problem  # noqa: PT017
        return
    assert not errors
    assert request.content.text == text


def test_the_second_pass_is_spared_where_all_names_are_read():
    """Else the quick look would be for nothing."""
    body = json.dumps({"channel": "sms", "to": {"phone": "+1"}, "content": {"text": 'a: "b": c'}}).encode()
    request, _ = read_request(body)
    assert jsontext._all_read(body, request)
