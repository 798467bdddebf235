"""Headers that callers bring."""

import pytest
from aiohttp.test_utils import make_mocked_request

from notifier.domain.keys import key_hash, key_id_of, new_key
from notifier.domain.lifecycle import Mode
from notifier.http.headers import idempotency_key_of, request_id_of, traceparent_of

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def asked(**headers):
    return make_mocked_request("GET", "/", headers={n.replace("_", "-"): v for n, v in headers.items()})


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (f"00-{TRACE}-{PARENT}-01", f"00-{TRACE}-{PARENT}-01"),
        (f"cc-{TRACE}-{PARENT}-01-what-the-future", f"00-{TRACE}-{PARENT}-01"),
        (f"00-{TRACE}-{PARENT}-01-x", None),
        (f"ff-{TRACE}-{PARENT}-01", None),
        (f"00-{'0' * 32}-{PARENT}-01", None),
        (f"00-{TRACE}-{'0' * 16}-01", None),
        (f"00-{TRACE.upper()}-{PARENT}-01", None),
        (f"00-{TRACE}-{PARENT}", None),
        ("", None),
    ],
)
def test_a_traceparent_is_kept_only_if_it_is_valid(given, kept):
    """W3C Trace Context, 3.2 and 4.3."""
    assert traceparent_of(asked(traceparent=given)) == kept


def test_request_ids_are_plain_or_our_own():
    """Two requests without one never share one."""
    assert request_id_of(asked(X_Request_Id="a.B_c-9")) == "a.B_c-9"
    assert request_id_of(asked(X_Request_Id="a\u2028b")) != "a\u2028b"
    assert request_id_of(asked()) != request_id_of(asked())


def test_an_idempotency_key_is_taken_as_it_is():
    """Quotes and spaces belong to it."""
    assert idempotency_key_of(asked(Idempotency_Key='"a b"')) == '"a b"'
    assert idempotency_key_of(asked()) is None


def test_a_new_key_has_its_form_and_its_id():
    """``nk_<mode>_<8>_<43>``; only its hash is told apart from its text."""
    key_id, text, digest = new_key(Mode.TEST)
    assert text.startswith(f"nk_test_{key_id}_")
    assert (len(key_id), len(text)) == (8, 8 + 8 + 1 + 43)
    assert (key_id_of(text), key_hash(text)) == (key_id, digest)
    assert new_key(Mode.TEST)[1] != text
    for wrong in ("", text[:-1], text + "x", text.replace("test", "prod"), text + "\n"):
        assert key_id_of(wrong) is None
