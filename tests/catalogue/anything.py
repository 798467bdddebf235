"""What hypothesis draws from for the decoders: anything, and what is nearly right. The same in every run."""

from hypothesis import settings
from hypothesis import strategies as st

from tests.catalogue.kit import email, push, sms
from tests.catalogue.subscriptions import subscription


def bounded(examples):
    """So many examples, the same each time, kept nowhere."""
    return settings(derandomize=True, database=None, deadline=None, max_examples=examples)


#: Texts that have broken something somewhere.
AWKWARD = [
    "", " ", "\0", "\r\n", "\r\n.\r\n", "\u2028", "\u200b", "\u202e", "\ufeff", "\ufffd", "e\u0301", "👩‍👩‍👧", "\U0001d518", "ß", "İ", "ﬁ",
    "%", "%00", "%zz", "{{ x }}", "<script>", "' OR 1=1--", "../..", "=?utf-8?q?a?=", "a@b.c", "@", "+14155552671",
    "nk_live_x", "Bearer x", "null", "NaN", "1e999", "-0", "2027-01-01T00:00:00Z", "9" * 400, "javascript:x", "href=",
]  # fmt: skip
texts = st.one_of(st.text(max_size=40), st.lists(st.sampled_from(AWKWARD), max_size=4).map("".join))
#: As above, without what UTF-8 can't hold.
clean_texts = texts.filter(lambda text: text.isprintable() or text.encode("utf-8", "ignore").decode() == text)
numbers = (
    st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([2**63, -(2**63) - 1, 10**30])
)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=8,
)

GOOD = [
    email(),
    email(content={"subject": "s", "html": "<p>x</p>"}, ttl=60, tags=["a"], metadata={"k": "v"}, topic="t"),
    email(options={"email": {"reply_to": "a@b.example", "headers": {"X-A": "b"}}}, on_uncertain="hold"),
    email(
        content={
            "subject": "s",
            "text": "t",
            "attachments": [{"filename": "a.txt", "content_type": "text/plain", "data": "eA=="}],
        }
    ),
    sms(options={"sms": {"sender_id": "ACME"}}),
    push(content={"title": "t", "text": "x"}, options={"push": {"collapse_key": "k", "data": {"a": "b"}}}),
    push(to={"push_token": subscription(), "platform": "webpush"}),
]


@st.composite
def requests(draw):
    """A good request with a few values of its tree exchanged, left out or put in."""
    made = _copy(draw(st.sampled_from(GOOD)))
    for _ in range(draw(st.integers(0, 3))):
        at = made
        while True:
            name = draw(st.sampled_from(sorted(at)) | texts) if at else draw(texts)
            below = at.get(name)
            if isinstance(below, dict) and draw(st.booleans()):
                at = below
                continue
            if draw(st.integers(0, 5)):
                at[name] = draw(texts | values)
            else:
                at.pop(name, None)
            break
    return made


#: Where any text may stand.
_FREE = [
    ("content", "text"), ("content", "subject"), ("content", "html"), ("content", "title"), ("to", "name"), ("reference",),
    ("topic",), ("metadata", "k"), ("options", "email", "headers", "X-A"), ("options", "email", "reply_to"),
    ("options", "push", "data", "a"), ("options", "push", "collapse_key"), ("to", "email"),
]  # fmt: skip


@st.composite
def likely_requests(draw):
    """A good request with any text where texts stand: most are taken."""
    made = _copy(draw(st.sampled_from(GOOD)))
    for path in draw(st.lists(st.sampled_from(_FREE), max_size=2)):
        at = made
        for name in path[:-1]:
            at = at.get(name)
            if not isinstance(at, dict):
                break
        else:
            if path[-1] in at or len(path) == 1:
                at[path[-1]] = draw(clean_texts) + draw(st.sampled_from(["", "x"]))
    return made


def _copy(value):
    return {name: _copy(one) if isinstance(one, dict) else one for name, one in value.items()}
