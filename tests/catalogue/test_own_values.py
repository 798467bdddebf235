"""Cases of our own beside the catalogue's: odd values, odd JSON, odd times and odd batches."""

import json

import pytest

from tests.catalogue.kit import (
    BATCH,
    CANARY,
    SEARCH,
    SEND,
    Case,
    check,
    email,
    get,
    parts,
    post,
    push,
    request,
    sms,
    table,
    talk,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

GOOD = json.dumps(email()).encode()
OPEN = GOOD[:-1]
STRANGER = f"{SEND}/ntf_0197f2a4-7c1e-7b3a-9d05-3f6f2b8e4c11"


def wrong(name, value, pointers, path=SEND):
    return Case(name, post(value, path), wrong=pointers)


def taken(name, value, path=SEND):
    return Case(name, post(value, path), status=202)


def no_json(name, body, path=SEND, detail=""):
    return Case(name, post(body, path), status=400, code="invalid_json", detail=detail)


def ttl(name, written, code):
    return Case(name, post(OPEN + b', "ttl": ' + written + b"}"), wrong={"/ttl": code})


def time(name, text, code="invalid_time"):
    return wrong(name, email(send_at=text), {"/send_at": code})


def address(name, text):
    return wrong(name, email(to={"email": text}), {"/to/email": "invalid_recipient"})


def deep(levels):
    return json.loads("[" * levels + "]" * levels)


OWN = [
    # Numbers.
    ttl("OWN-118 negative zero", b"-0", "out_of_range"),
    ttl("OWN-119 negative zero with a point", b"-0.0", "invalid_type"),
    ttl("OWN-120 a whole number with an exponent", b"6e1", "invalid_type"),
    ttl("OWN-121 a fraction so small that it is zero", b"1e-999", "invalid_type"),
    *(no_json(name, OPEN + b', "ttl": ' + written + b"}") for name, written in {
        "OWN-122 a leading zero": b"060", "OWN-123 a leading plus": b"+60", "OWN-124 hexadecimal": b"0x3c",
        "OWN-125 underscores": b"6_0", "OWN-126 no digit before the point": b".5", "OWN-127 no digit behind it": b"5.",
        "OWN-128 Arabic digits": "٦".encode(), "OWN-129 undefined": b"undefined", "OWN-130 True": b"True",
    }.items()),
    # Texts and nesting.
    no_json("OWN-131 a NUL behind the document", GOOD + b"\x00"),
    no_json("OWN-132 an escape that is none", GOOD.replace(b"123456", b"\\x41")),
    no_json("OWN-133 an escape cut short", GOOD.replace(b"123456", b"\\u12")),
    no_json("OWN-134 a tab in a text", GOOD.replace(b"123456", b"1\t2")),
    taken("OWN-135 40,000 escapes", GOOD.replace(b"123456", b"\\u0041" * 40_000)),
    taken("OWN-136 40,000 backslashes", GOOD.replace(b"123456", b"\\\\" * 40_000)),
    taken("OWN-137 a surrogate pair by escapes", GOOD.replace(b"123456", b"\\ud83d\\udc69")),
    taken("OWN-138 line separators in a body", email(content={"subject": "s", "text": "a\u2028b\u2029c\ufeffd"})),
    no_json("OWN-139 metadata nested 70 deep", email(metadata={"a": deep(70)}), detail="the body is nested too deeply"),
    wrong("OWN-140 metadata nested 50 deep", email(metadata={"a": deep(50)}), {"/metadata/a": "invalid_type"}),
    wrong("OWN-141 an unknown field nested 50 deep", email(x=deep(50)), {"/x": "unknown_field"}),
    taken("OWN-142 a name twice beyond 4 KB: the last counts, as documented", OPEN + b', "topic": 5, "topic": "b"' + b" " * 4096 + b"}"),
    wrong("OWN-143 a name with slashes and tildes", email(**{"a/b~c": 1}), {"/a~1b~0c": "unknown_field"}),
    wrong("OWN-144 an empty name", email(**{"": 1}), {"/": "unknown_field"}),
    wrong("OWN-145 a name of control characters", email(**{"\x1b[31m": 1}), {"/\x1b[31m": "unknown_field"}),
    taken("OWN-146 metadata named like JavaScript's insides", email(metadata={"__proto__": "a", "constructor": "b", "toString": "c"})),
    taken("OWN-147 SQL in every label", email(reference="'; DROP TABLE notifications;--", topic="' OR 1=1", tags=["%", "_", "\\"])),
    # Types.
    wrong("OWN-148 null in a list", email(tags=[None]), {"/tags/0": "invalid_type"}),
    wrong("OWN-149 a recipient in a recipient", email(to={"email": {"email": "ada@example.com"}}), {"/to/email": "invalid_type"}),
    wrong("OWN-150 a text in pieces", email(content={"subject": "s", "text": ["a", "b"]}), {"/content/text": "invalid_type"}),
    wrong("OWN-151 options as a list", email(options=[]), {"/options": "invalid_type"}),
    wrong("OWN-152 e-mail options as a list", email(options={"email": []}), {"/options/email": "invalid_type"}),
    wrong("OWN-153 a channel in a list", email(channel=["email"]), {"/channel": "invalid_type"}),
    wrong("OWN-154 a provider without a name", email(provider=""), {"/provider": "not_allowed"}),
    wrong("OWN-155 a topic without a letter", email(topic=""), {"/topic": "length"}),
    wrong("OWN-156 a delete character", email(tags=["a\x7f"]), {"/tags/0": "control_characters"}),
    wrong("OWN-157 a next-line character", email(reference="a\x85b"), {"/reference": "control_characters"}),
    # Unicode.
    taken("OWN-158 bidi controls in a subject are text", email(content={"subject": "\u202egpj.exe", "text": "t"})),
    wrong("OWN-159 nothing but bidi controls", email(content={"subject": "\u202e\u2066\u200f", "text": "t"}), {"/content/subject": "blank"}),
    wrong("OWN-160 nothing but variation selectors", email(content={"subject": "s", "text": "\ufe0f\ufe00"}), {"/content/text": "blank"}),
    wrong("OWN-161 a name of nothing but an override", email(to={"email": "a@example.com", "name": "\u202e"}), {"/to/name": "invalid_recipient"}),
    taken("OWN-162 a domain in decomposed form", email(to={"email": "ada@bu\u0308cher.example"})),
    taken("OWN-163 all that a plain local part may hold", email(to={"email": "!#$%&'*+-/=?^_`{|}~@example.com"})),
    taken("OWN-164 hyphens at the ends of a local part", email(to={"email": "-a-@example.com"})),
    address("OWN-165 a ligature in a local part", "\ufb01@example.com"),
    address("OWN-166 an ideographic full stop for the @'s domain", "ada@\u3002com"),
    address("OWN-167 a fraction slash in a domain", "ada@a\u2044b.com"),
    address("OWN-168 a soft hyphen alone in a label", "ada@\u00ad.com"),
    address("OWN-169 a greek question mark", "ada\u037e@example.com"),
    address("OWN-170 a full-width @", "ada\uff20example.com"),
    address("OWN-171 an arabic digit among latin letters", "ada@a\u0661.com"),
    address("OWN-172 an override in a domain", "ada@ex\u202eample.com"),
    wrong("OWN-173 a full-width plus", sms(to={"phone": "\uff0b14155552671"}), {"/to/phone": "invalid_recipient"}),
    wrong("OWN-174 a minus for the plus", sms(to={"phone": "-14155552671"}), {"/to/phone": "invalid_recipient"}),
    # Times.
    time("OWN-175 a zone of +24:00", "2027-01-01T09:00:00+24:00"),
    time("OWN-176 a zone of +23:60", "2027-01-01T09:00:00+23:60"),
    time("OWN-177 a zone without its colon", "2027-01-01T09:00:00+0200"),
    time("OWN-178 a zone of hours alone", "2027-01-01T09:00:00+02"),
    time("OWN-179 two zones", "2027-01-01T09:00:00Z+00:00"),
    time("OWN-180 a zone by name", "2027-01-01T09:00:00 Europe/Berlin"),
    time("OWN-181 a blank for the T", "2027-01-01 09:00:00Z"),
    time("OWN-182 no seconds", "2027-01-01T09:00Z"),
    time("OWN-183 a comma before the fraction", "2027-01-01T09:00:00,5Z"),
    time("OWN-184 ten digits behind the point", "2027-01-01T09:00:00.1234567890Z"),
    time("OWN-185 a week date", "2027-W01-1T09:00:00Z"),
    time("OWN-186 a day of the year", "2027-001T09:00:00Z"),
    time("OWN-187 full-width digits", "\uff12\uff10\uff12\uff17-01-01T09:00:00Z"),
    time("OWN-188 a line end behind it", "2027-01-01T09:00:00Z\n"),
    time("OWN-189 a signed year", "+2027-01-01T09:00:00Z"),
    time("OWN-190 a month of 00", "2027-00-01T09:00:00Z"),
    time("OWN-191 milliseconds since 1970 as text", "1893456000000"),
    time("OWN-192 the first year before its zone", "0001-01-01T00:00:00+23:59"),
    Case("OWN-193 a filter's time whose plus is a blank", get(f"{SEND}?created_after=2027-01-01T09:00:00+02:00"), wrong={"?created_after": "invalid_time"}),
    # Batches, verdicts, searches.
    wrong("OWN-194 defaults as a list", {"items": [sms()], "defaults": []}, {"/defaults": "invalid_type"}, BATCH),
    wrong("OWN-195 an item in a list in a list", {"items": [[sms()]]}, {"/items/0": "invalid_type"}, BATCH),
    wrong("OWN-196 every item null", {"items": [None] * 3}, {f"/items/{n}": "invalid_type" for n in range(3)}, BATCH),
    wrong("OWN-197 a recipient for all and an item that takes it away", {"items": [{"to": None}], "defaults": sms()}, {"/items/0/to": "invalid_type"}, BATCH),
    Case("OWN-198 one notification to the batch", post(email(), BATCH), wrong={"/items": "required", **{f"/{name}": "unknown_field" for name in email()}}),
    Case("OWN-199 a batch to the single", post({"items": [email()]}), wrong={"/items": "unknown_field", "/channel": "required", "/to": "required", "/content": "required"}),
    wrong("OWN-200 a verdict in a list", {"as": ["sent"]}, {"/as": "invalid_type"}, f"{STRANGER}/resolve"),
    wrong("OWN-201 a verdict in capitals", {"as": "SENT"}, {"/as": "not_allowed"}, f"{STRANGER}/resolve"),
    wrong("OWN-202 a verdict by another name", {"verdict": "sent"}, {"/as": "required", "/verdict": "unknown_field"}, f"{STRANGER}/resolve"),
    no_json("OWN-203 a cancel with a list", b"[]", f"{STRANGER}/cancel", "this takes no body"),
    Case("OWN-204 a cancel with an empty object", post({}, f"{STRANGER}/cancel"), status=404, code="not_found"),
    wrong("OWN-205 a search for two recipients", {"to": {"email": "a@example.com", "phone": "+14155552671"}}, {"/to/email": "not_allowed"}, SEARCH),
    wrong("OWN-206 a search by a pattern", {"to": {"email": "%@example.com%"}}, {"/to/email": "invalid_recipient"}, SEARCH),
    wrong("OWN-207 a search with content", {"to": {"email": "a@example.com"}, "content": {}}, {"/content": "unknown_field"}, SEARCH),
    wrong("OWN-208 a token of another platform's form", push(to={"push_token": "fcm:token", "platform": "apns"}), {"/to/push_token": "invalid_recipient"}),
]  # fmt: skip
assert len({case.name for case in OWN}) == len(OWN)


@pytest.mark.parametrize(**table(OWN))
async def test_own_values(door, case):
    """422 with the pointer of what is wrong, 400 for what is no JSON; or taken whole."""
    await check(door, case)


async def test_wildcards_of_sql_find_nothing(door):
    """OWN-209: a filter is a value: %, _ and quotes match only themselves."""
    await talk(door.port, post(email(reference="order-42", tags=["checkout"])))
    for query in (
        "reference=order%25",
        "reference=order_42",
        "tag=%25",
        "tag=check___",
        "reference='%20OR%201=1--",
    ):
        answer = parts(await talk(door.port, get(f"{SEND}?{query}")))
        found = [row["reference"] for row in answer.json()["data"]]
        assert "order-42" not in found, query


async def test_the_same_key_with_differently_written_json_is_another_request(door):
    """OWN-210: bytes are compared, so a client that writes its JSON anew is told so and never answered wrongly."""
    header = "Idempotency-Key: '; DROP TABLE idempotency_keys;--"
    first = parts(await talk(door.port, post(email(), SEND, header)))
    assert first.status == 202
    spaced = json.dumps(email(), indent=1).encode()
    reused = Case("OWN-210", post(spaced, SEND, header), code="idempotency_key_reused")
    await check(door, reused)
    again = parts(await talk(door.port, post(email(), SEND, header)))
    assert (again.body, again.headers["idempotency-replayed"]) == (first.body, "true")


async def test_a_thousand_bad_items_are_counted(door):
    """OWN-211: a hundred wrong fields are listed, the rest is counted, and the answer stays small."""
    answer = parts(
        await talk(door.port, post({"items": [{"channel": f"{CANARY}{n}"} for n in range(1000)]}, BATCH))
    )
    assert (answer.status, len(answer.json()["errors"])) == (422, 100)
    assert answer.json()["errors_left_out"] == 2900
    assert CANARY.encode() not in answer.body


async def test_an_unknown_route_below_a_notification_is_404(door):
    """OWN-212: nothing that looks like a verb is taken for one."""
    for verb in ("Cancel", "cancel/", "cancel%20", "retry", "..", "resolve/x", "content"):
        await check(
            door, Case("OWN-212", request("POST", f"{STRANGER}/{verb}"), status=404, code="not_found")
        )
