"""Every error has one answer, and none of them tells more than it should."""

import inspect
import json

import msgspec
import pytest

from notifier.domain import errors
from notifier.domain.errors import FieldError
from notifier.http import answer_types
from notifier.http.problems import CODE_OF, CODES, Problem, problem_of, shorten_pointer

ERRORS = [
    kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.NotifierError)
]
MADE = {
    errors.InvalidInput: errors.InvalidInput("blank", "must be seen", "/x"),
    errors.InvalidFields: errors.InvalidFields([FieldError("/x", "blank", "must be seen")]),
    errors.Conflict: errors.Conflict("sent"),
    errors.TooLate: errors.TooLate("sending"),
    errors.NotHeld: errors.NotHeld("sent"),
}
STATUS = {
    "InvalidInput": 422,
    "InvalidFields": 422,
    "NotFound": 404,
    "Conflict": 409,
    "TooLate": 409,
    "NotHeld": 409,
    "KeyReused": 422,
    "KeyInUse": 409,
    "Unavailable": 503,
    "BacklogFull": 503,
    "OutcomeUnknown": 503,
    "RenderError": 500,
    "NotConfirmed": 500,
    "NotifierError": 500,
}


@pytest.mark.parametrize("kind", ERRORS)
def test_each_error_of_the_domain_has_one_answer(kind):
    """A new error without an answer fails here."""
    assert kind in CODE_OF
    problem = problem_of(MADE.get(kind) or kind())
    assert problem.code == CODE_OF[kind]
    assert problem.status == STATUS[kind.__name__]
    document = problem.document("request-1")
    msgspec.convert(document, answer_types.Problem)
    assert (problem.status in {409, 503}) <= ("Retry-After" in problem.headers or "state" in document)


def test_every_code_is_used_and_documented():
    """A status that HTTP knows, and a sentence."""
    for status, title in CODES.values():
        assert 400 <= status < 600
        assert title


def test_an_answer_is_a_problem_document():
    """Its type, its code, its request id."""
    answer = Problem("not_found", close=True).response("request-1")
    assert answer.content_type == "application/problem+json"
    assert json.loads(answer.body) == {
        "type": "about:blank",
        "title": "There is no such thing",
        "status": 404,
        "code": "not_found",
        "request_id": "request-1",
    }


def test_long_names_are_cut_in_pointers():
    """Each step to 64 characters."""
    assert shorten_pointer("/a/" + "b" * 65 + "/c") == "/a/" + "b" * 63 + "…/c"
    assert shorten_pointer("/" + "b" * 64) == "/" + "b" * 64
