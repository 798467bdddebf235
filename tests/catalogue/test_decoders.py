"""hypothesis over what reads bytes from outside: total, faithful, and what was valid stays valid."""

import gzip
import json
import zlib
from datetime import UTC, datetime

import msgspec
import pytest
from aiohttp.test_utils import make_mocked_request
from hypothesis import example, given
from hypothesis import strategies as st
from multidict import CIMultiDict

from notifier.domain.content import check_content, push_payload_size
from notifier.domain.errors import InvalidFields, InvalidInput
from notifier.domain.ids import parse_notification_id, uuid7
from notifier.domain.lanes import Channel, Lane
from notifier.domain.links import has_script_link
from notifier.domain.notification import Content, NewNotification, Outgoing
from notifier.domain.recipients import recipient_from_json
from notifier.domain.texts import is_storable
from notifier.http import jsontext
from notifier.http.batch import Bad, read_items
from notifier.http.body import _unpacked, check_type
from notifier.http.callers import Caller
from notifier.http.compose import Asked, compose
from notifier.http.config import HttpConfig
from notifier.http.framing import is_faulty
from notifier.http.headers import idempotency_key_of, request_id_of, traceparent_of
from notifier.http.notifications import FILTERS, PAGING
from notifier.http.problems import Problem
from notifier.http.sending import read_request
from notifier.http.times import parse_moment, shown
from notifier.providers.mime import build_email
from notifier.providers.senders import Sender
from notifier.queueing.messages import BadMessage, QueueMessage, decode, peek_id
from tests.catalogue.anything import GOOD, bounded, clean_texts, likely_requests, requests, texts, values

NOW = datetime(2027, 1, 1, tzinfo=UTC)
ASKED = Asked(
    caller=Caller(key_id="abcdefgh", tenant="acme", scopes=frozenset({"send"})),
    config=HttpConfig(providers={Channel.EMAIL: ("smtp",)}),
    now=NOW,
    request_id="r-1",
)
PREFIX = "notifier.v1"


def read_by(function, *args):
    """What it makes of them and None, or None and the declared error; any other error fails the test."""
    try:
        return function(*args), None
    except (InvalidFields, InvalidInput, Problem) as refused:
        return None, refused


# Queue messages.


@bounded(150)
@given(st.sampled_from(Lane.all()), st.binary(min_size=10, max_size=10), st.integers(1, 1000))
def test_a_message_comes_back_equal(lane, random, units):
    """For every lane, id and cost; its id is found without decoding the rest."""
    sent = QueueMessage(lane, uuid7(NOW, random), units)
    body = sent.encode(PREFIX)
    assert decode(body, lane.queue(PREFIX), PREFIX)[0] == sent
    assert peek_id(body) == sent.id


@bounded(150)
@given(st.binary(max_size=300) | values.map(lambda value: json.dumps(value).encode()))
@example(b'{"kwargs": {"id": 5}}')
@example(b'{"kwargs": []}')
@example(b'{"kwargs": "id"}')
def test_any_body_is_bad_and_a_look_for_its_id_never_raises(body):
    """Bytes and JSON of every kind."""
    with pytest.raises(BadMessage):
        decode(body, Lane.all()[0].queue(PREFIX), PREFIX)
    assert peek_id(body) is None


# JSON.


@bounded(150)
@given(
    st.binary(max_size=200)
    | values.map(lambda value: json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass"))
)
def test_what_is_read_is_what_python_reads(body):
    """Strict: never another value than the standard library's, never another error than the declared one."""
    value, refused = read_by(_storable, body)
    if refused is not None:
        assert refused.code == "invalid_json"
        return
    assert value == json.loads(body)
    assert is_storable(json.dumps(value, ensure_ascii=False))


@bounded(100)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | clean_texts,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(clean_texts, inner, max_size=4),
        max_leaves=10,
    )
)
def test_what_can_be_kept_is_read(value):
    """Nothing that is plain JSON without NUL and surrogates is refused, whichever way it is written."""
    for ascii_only in (True, False):
        text = json.dumps(value, ensure_ascii=ascii_only)
        if is_storable(text) and "\\u0000" not in text:
            assert jsontext.parse(text.encode()) == value


@bounded(150)
@given(st.binary(max_size=400), st.sampled_from([16 + zlib.MAX_WBITS, zlib.MAX_WBITS]), st.integers(0, 500))
def test_packed_bytes_come_back_or_are_refused(raw, window, limit):
    """What was packed is unpacked to the byte, up to the limit; whatever else is a problem."""
    packed = gzip.compress(raw, mtime=0) if window > zlib.MAX_WBITS else zlib.compress(raw)
    for sent in (packed, packed[:-1], packed + b"x", raw):
        found, refused = read_by(_unpacked, sent, window, limit)
        if refused is None:
            assert (sent, found) == (packed, raw)
        else:
            assert refused.code in {"bad_request", "body_too_large"}
            assert sent != packed or len(raw) > limit


# Requests.


def taken(value):
    """The notification in a request, or None when it is refused by one of the two declared errors."""
    made, refused = read_by(_composed, json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    if isinstance(refused, InvalidFields):
        assert refused.errors
        assert all(error.code and error.detail and error.pointer[:1] in {"", "/"} for error in refused.errors)
    elif refused is not None:
        assert refused.code == "invalid_json"
    return made


def _composed(body):
    fields, errors = read_request(body)
    return compose(fields, ASKED, errors)


def _storable(body):
    value = jsontext.parse(body)
    jsontext.check_storable(value)
    return value


@pytest.mark.parametrize("value", GOOD, ids=range(len(GOOD)))
def test_the_good_ones_are_taken(value):
    """What the next tests change."""
    assert taken(value) is not None


@bounded(200)
@given(likely_requests() | requests())
def test_what_is_taken_can_be_kept_and_sent(value):
    """Valid stays valid: it survives storage as it is, and every accepted e-mail can be built, with no header more."""
    made = taken(value)
    if made is None:
        return
    assert is_storable(json.dumps(_kept(made), ensure_ascii=False))
    assert recipient_from_json(json.loads(json.dumps(made.recipient.to_json()))) == made.recipient
    assert check_content(made.lane.channel, made.content, made.options) == []
    assert 1 <= made.units <= 10
    if made.lane.channel is Channel.EMAIL:
        _check_email(made)
    if made.lane.channel is Channel.PUSH:
        assert push_payload_size(made.content, made.options) <= 4096


def _kept(made: NewNotification):
    return [
        made.recipient.to_json(),
        made.content.to_json(),
        made.options,
        made.metadata,
        made.tags,
        made.topic,
        made.reference,
    ]


def _check_email(made):
    outgoing = Outgoing(
        id=uuid7(NOW, bytes(10)), recipient=made.recipient, content=made.content, options=made.options
    )
    head = build_email(outgoing, Sender("news@acme.example"), NOW).data.partition(b"\r\n\r\n")[0]
    names = [
        line.partition(b":")[0].lower().decode()
        for line in head.split(b"\r\n")
        if line[:1] not in {b" ", b"\t"}
    ]
    mine = (made.options.get("email") or {}).get("headers") or {}
    known = {
        "from",
        "to",
        "subject",
        "date",
        "message-id",
        "mime-version",
        "content-type",
        "content-transfer-encoding",
        "reply-to",
    }
    assert len(names) == len(set(names))
    assert set(names) <= known | {name.lower() for name in mine}
    assert "bcc" not in names


@bounded(60)
@given(st.lists(requests() | values, max_size=4), st.booleans(), st.binary(max_size=40))
def test_a_batch_is_read_item_by_item(items, as_lines, garbage):
    """Each item is what it would be by itself; only a whole that is no batch raises, and only the declared errors."""
    good = [json.dumps(item).encode() for item in items]
    body = b"\n".join(good) if as_lines else b'{"items": [' + b",".join(good) + b"]}"
    for sent in (body, body + garbage, garbage):
        found, refused = read_by(read_items, sent, not as_lines, ASKED)
        if refused is not None:
            continue
        assert all(isinstance(item, Bad | NewNotification) for item in found)
        if sent is body:
            assert len(found) == len(items)
            alone = [taken(item) is not None if isinstance(item, dict) else False for item in items]
            assert [not isinstance(item, Bad) for item in found] == alone


# Heads and queries.

_headers = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0"), max_size=60)


@bounded(120)
@given(
    st.sampled_from(
        ["Content-Type", "X-Request-Id", "traceparent", "Idempotency-Key", "Host", "Transfer-Encoding"]
    ),
    st.lists(_headers | texts, max_size=2),
)
def test_any_header_is_taken_or_refused(name, given_values):
    """Whatever stands in a header: a value of the right form, or the declared problem."""
    request = make_mocked_request("POST", "/", headers=CIMultiDict((name, value) for value in given_values))
    assert request_id_of(request).isprintable()
    assert len(request_id_of(request)) <= 128
    trace = traceparent_of(request)
    assert trace is None or len(trace) == 55
    for read in (idempotency_key_of, lambda one: check_type(one, frozenset({"application/json"}))):
        found, refused = read_by(read, request)
        assert refused is None or refused.status in {400, 415}
        assert found is None or (found.isascii() and found.isprintable())
    assert is_faulty(request._message) in {True, False}


@bounded(200)
@given(st.sampled_from([*FILTERS, *PAGING, "x"]), texts, st.booleans())
def test_any_query_is_taken_or_refused(name, text, encoded):
    """By name and value, percent-encoded or not."""
    kind = {**FILTERS, **PAGING}.get(name)
    if kind is None:
        return
    found, refused = read_by(kind, text)
    if refused is None:
        assert found is not None
        assert not isinstance(found, str) or found == text
    else:
        assert refused.code
        assert text not in refused.detail or len(text) < 9


@bounded(300)
@given(
    texts
    | st.from_regex(
        r"\A[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})\Z"
    )
)
def test_a_time_is_a_moment_or_refused(text):
    """What is taken is shown in one form, which means the same moment."""
    moment, refused = read_by(parse_moment, text)
    if refused is not None:
        assert refused.code == "invalid_time"
        return
    again = parse_moment(shown(moment))
    assert abs((moment - again).total_seconds()) < 0.001
    assert shown(again) == shown(moment)


@bounded(200)
@given(texts)
def test_an_id_has_one_form(text):
    """Nothing but that form is an id."""
    found = parse_notification_id(text)
    assert found is None or text == f"ntf_{found}"


@bounded(200)
@given(texts, texts)
def test_any_html_is_judged(before, after):
    """Total; and a script behind a link is found whatever stands around it, unless that quotes or hides it."""
    assert has_script_link(before + after) in {True, False}
    assert has_script_link(f'{before}<a href="javascript:x">{after}') or set(before) & set("\"'=")


@bounded(60)
@given(values)
def test_any_content_is_judged(value):
    """Whatever a caller's JSON holds for content: a list of mistakes, never an exception."""
    fields = value if isinstance(value, dict) else {"text": value}
    content = Content(
        **{
            name: text
            for name, text in fields.items()
            if name in {"subject", "title", "text", "html"} and isinstance(text, str)
        }
    )
    for channel in Channel:
        errors = check_content(channel, content)
        assert msgspec.json.encode([error.code for error in errors])
