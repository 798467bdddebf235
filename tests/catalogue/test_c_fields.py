"""Section C of the catalogue: fields of one notification, ids, pages and batches."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from notifier.http.pages import make_cursor
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

NOW = datetime.now(UTC)
STRANGER = "0197f2a4-7c1e-7b3a-9d05-3f6f2b8e4c11"
LONG = "L" * 80


def wrong(name, value, pointers, path=SEND):
    return Case(name, post(value, path), wrong=pointers)


def at(name, text, code="invalid_time"):
    return wrong(f"C08 send_at {name}", email(send_at=text), {"/send_at": code})


def ago(**span):
    return (NOW - timedelta(**span)).isoformat()


def content(**fields):
    return email(content=fields)


def asked(name, query, pointer, code, path=SEND):
    return Case(name, get(f"{path}?{query}"), wrong={pointer: code})


def no_id(name, text):
    return [
        Case(f"C12 {name}", get(f"{SEND}/{text}"), status=404, code="not_found"),
        Case(f"C12 cancel {name}", request("POST", f"{SEND}/{text}/cancel"), status=404, code="not_found"),
        Case(
            f"C12 resolve {name}",
            post({"as": "sent"}, f"{SEND}/{text}/resolve"),
            status=404,
            code="not_found",
        ),
    ]


def no_cursor(name, text, path=SEND):
    return Case(f"C14 {name}", get(f"{path}?cursor={text}"), status=400, code="invalid_cursor")


CASES = [
    wrong("C01 nothing given", {}, {"/channel": "required", "/to": "required", "/content": "required"}),
    wrong("C01 nulls are nothing", email(channel=None, to=None, content=None), {"/channel": "invalid_type", "/to": "invalid_type", "/content": "invalid_type"}),
    wrong(
        "C01 several at once",
        email(channel="fax", priority="urgent", tags=[1], ttl="1", colour="red"),
        {"/channel": "not_allowed", "/priority": "not_allowed", "/tags/0": "invalid_type", "/ttl": "invalid_type", "/colour": "unknown_field"},
    ),
    wrong(
        "C01 shape and rule together",
        email(ttl=0, reference="", content={"subject": 1, "text": " "}),
        {"/ttl": "out_of_range", "/reference": "length", "/content/subject": "invalid_type", "/content/text": "blank"},
    ),
    wrong("C02 channel in capitals", email(channel="Email"), {"/channel": "not_allowed"}),
    wrong("C02 channel chat", email(channel="chat", to={"chat": "ops"}), {"/channel": "not_supported", "/to/chat": "not_supported"}),
    wrong("C02 channel empty", email(channel=""), {"/channel": "not_allowed"}),
    wrong("C02 channel with a blank", email(channel="email "), {"/channel": "not_allowed"}),
    wrong("C02 priority in capitals", email(priority="HIGH"), {"/priority": "not_allowed"}),
    wrong("C02 priority a number", email(priority=1), {"/priority": "invalid_type"}),
    wrong("C03 content empty", content(), {"/content/subject": "required", "/content/text": "required"}),
    wrong("C03 text empty", content(subject="s", text=""), {"/content/text": "blank"}),
    wrong("C03 only blanks", content(subject="s", text=" \n\t"), {"/content/text": "blank"}),
    wrong("C03 only zero-width", content(subject="s", text="\u200b\u200d\ufeff\u2060\u00ad"), {"/content/text": "blank"}),
    wrong("C03 only fillers", content(subject="\u3164\u115f", text="t"), {"/content/subject": "blank"}),
    wrong("C03 title in an e-mail", content(subject="s", text="t", title="x"), {"/content/title": "not_allowed"}),
    wrong("C03 subject in a text message", sms(content={"text": "t", "subject": "x"}), {"/content/subject": "not_allowed"}),
    Case("C04 1 MB of text", post(content(subject="s", text="x" * 1_000_000)), status=413, code="body_too_large"),
    wrong("C05 1,531 of GSM-7", sms(content={"text": "x" * 1531}), {"/content/text": "too_long"}),
    wrong("C05 671 of UCS-2", sms(content={"text": "ж" * 671}), {"/content/text": "too_long"}),
    wrong("C05 766 of the extension table", sms(content={"text": "€" * 766}), {"/content/text": "too_long"}),
    Case("C05 1,530 of GSM-7", post(sms(content={"text": "x" * 1530})), status=202),
    Case("C05 670 of UCS-2", post(sms(content={"text": "ж" * 670})), status=202),
    wrong("C06 4,100 letters", push(content={"text": "x" * 4100}), {"/content/text": "too_long"}),
    wrong("C06 2,100 of two bytes", push(content={"text": "ж" * 2100}), {"/content/text": "too_long"}),
    wrong("C06 data and text together", push(content={"text": "x" * 2000}, options={"push": {"data": {"k": "x" * 2100}}}), {"/content/text": "too_long"}),
    wrong("C07 256 characters", content(subject="s" * 256, text="t"), {"/content/subject": "too_long"}),
    wrong("C07 1,000 bytes", content(subject="👩" * 250, text="t"), {"/content/subject": "too_long"}),
    wrong("C07 two lines", content(subject=f"a\r\nBcc: {CANARY}@y.z", text="t"), {"/content/subject": "control_characters"}),
    at("6 minutes past", ago(minutes=6), "out_of_range"),
    at("long past", "1999-01-01T00:00:00Z", "out_of_range"),
    at("more than a year ahead", ago(days=-367), "out_of_range"),
    at("without zone", "2027-01-01T09:00:00"),
    at("29 Feb 2027", "2027-02-29T09:00:00Z"),
    at("leap second", "2026-12-31T23:59:60Z"),
    at("year 10000", "10000-01-01T00:00:00Z"),
    at("year 9999 behind UTC", "9999-12-31T23:59:59-23:00"),
    at("year 0000", "0000-01-01T00:00:00Z"),
    at("hour 24", "2027-01-01T24:00:00Z"),
    at("in words", "tomorrow"),
    at("empty", ""),
    wrong("C08 send_at a number", email(send_at=1893456000), {"/send_at": "invalid_type"}),
    *(wrong(f"C09 ttl {ttl}", email(ttl=ttl), {"/ttl": "out_of_range"}) for ttl in (0, -1, 10**9)),
    Case("C09 PATCH is not built", request("PATCH", f"{SEND}/ntf_{STRANGER}", b'{"expires_at": "2020-01-01T00:00:00Z"}'), status=404, code="not_found"),
    wrong("C09 expires_at is no field of a send", email(expires_at="2027-01-01T00:00:00Z"), {"/expires_at": "unknown_field"}),
    wrong("C10 17 names", email(metadata={str(n): "x" for n in range(17)}), {"/metadata": "too_many"}),
    wrong("C10 3 KB", email(metadata={"a": "x" * 3000}), {"/metadata": "too_long"}),
    wrong("C10 3 KB of names", email(metadata={"x" * 3000: "a"}), {"/metadata": "too_long"}),
    wrong("C10 nested", email(metadata={"a": {"b": "c"}}), {"/metadata/a": "invalid_type"}),
    wrong("C10 a number", email(metadata={"a/b": 1}), {"/metadata/a~1b": "invalid_type"}),
    wrong("C11 17 tags", email(tags=["x"] * 17), {"/tags": "too_many"}),
    wrong("C11 a newline", email(tags=["a", "b\n"]), {"/tags/1": "control_characters"}),
    wrong("C11 an escape sequence", email(tags=["\x1b[31m"]), {"/tags/0": "control_characters"}),
    wrong("C11 a line separator", email(tags=["a\u2028b"]), {"/tags/0": "control_characters"}),
    wrong("C11 too long and empty", email(tags=["x" * 65, ""]), {"/tags/0": "length", "/tags/1": "length"}),
    wrong("C11 reference of 256", email(reference="x" * 256), {"/reference": "length"}),
    wrong("C11 topic of 101", email(topic="x" * 101), {"/topic": "length"}),
    wrong("C11 on_uncertain drop", email(on_uncertain="drop"), {"/on_uncertain": "not_allowed"}),
    wrong("C11 a provider of another channel", email(provider="console"), {"/provider": "not_allowed"}),
    wrong("C11 options of another channel", email(options={"sms": {"sender_id": "A"}}), {"/options/sms": "not_allowed"}),
    wrong("C11 an unknown option", email(options={"email": {"bcc": f"{CANARY}@y.z"}}), {"/options/email/bcc": "unknown_field"}),
    wrong("C11 null in options", email(options={"email": {"headers": {"X-A": None}}}), {"/options/email/headers/X-A": "invalid_type"}),
    wrong("C11 dedup is not built", email(dedup={"key": "k", "window": 60}), {"/dedup": "not_supported"}),
    *(case for name, text in {
        "a prefix alone": "ntf_",
        "no UUID": "ntf_x",
        "unknown": f"ntf_{STRANGER}",
        "without its prefix": STRANGER,
        "in capitals": f"ntf_{STRANGER.upper()}",
        "of a batch": f"bat_{STRANGER}",
        "a path": "..%2f..%2fetc%2fpasswd",
        "long": "ntf_" + "a" * 300,
        "SQL": "ntf_'%20OR%201=1--",
    }.items() for case in no_id(name, text)),
    *(asked(f"C13 limit={text}", f"limit={text}", "?limit", "out_of_range") for text in ("-1", "0", "1000000000", "abc", "251", "1.0", "%D9%A3", "", "1e2", "0x10", "%2B5", "1_0")),
    *(no_cursor(name, text) for name, text in {
        "empty": "", "NUL": "%00", "no base64": "!!!!", "too long": "x" * 500, "too short": "AAAA",
        "ours with another tenant's signature": make_cursor("other", "/v1/notifications?{}", UUID(STRANGER)),
    }.items()),
    no_cursor("on failures", "AAAA", "/v1/failures"),
    *(asked(f"C14 filter {query}", query, pointer, code) for query, pointer, code in (
        ("status=done", "?status", "not_allowed"),
        ("channel=fax", "?channel", "not_allowed"),
        ("created_after=yesterday", "?created_after", "invalid_time"),
        ("reference=%00", "?reference", "invalid_text"),
        ("tag=", "?tag", "length"),
        ("batch_id=1", "?batch_id", "not_allowed"),
        (f"to={CANARY}@example.com", "?to", "unknown_parameter"),
        ("status=sent&status=failed", "?status", "repeated"),
    )),
    wrong("C15 locale without templates", email(locale="../../etc/passwd"), {"/locale": "unknown_field"}),
    wrong("C15 locale of a template", email(template={"key": "otp", "locale": "../../etc/passwd"}), {"/template": "not_supported"}),
    wrong("C16 a batch of 0", {"items": []}, {"/items": "out_of_range"}, BATCH),
    wrong("C16 a batch of 1,001", {"items": [sms()] * 1001}, {"/items": "out_of_range"}, BATCH),
    wrong("C16 no items", {}, {"/items": "required"}, BATCH),
    wrong("C16 items no list", {"items": 5}, {"/items": "invalid_type"}, BATCH),
    wrong("C16 an unknown field", {"items": [sms()], "x": 1}, {"/x": "unknown_field"}, BATCH),
    wrong("C16 wrong defaults are told once", {"items": [sms()] * 3, "defaults": {"priority": "urgent", "colour": "red"}}, {"/defaults/priority": "not_allowed", "/defaults/colour": "unknown_field"}, BATCH),
    Case("C17 none good", post({"items": [email(channel="fax"), 5]}, BATCH), wrong={"/items/0/channel": "not_allowed", "/items/1": "invalid_type"}),
    Case("C17 atomic with a bad one", post({"items": [email(), email(ttl=0)]}, f"{BATCH}?atomic=true"), wrong={"/items/1/ttl": "out_of_range"}),
    *(Case(f"C17 query {query}", post(email(), f"{SEND}?{query}"), wrong={pointer: code}) for query, pointer, code in (
        ("dry_run=yes", "?dry_run", "not_allowed"),
        ("strict=1", "?strict", "not_allowed"),
        ("dryrun=true", "?dryrun", "unknown_parameter"),
        ("strict=true&strict=true", "?strict", "repeated"),
    )),
    Case("C17 dry_run of a batch", post({"items": [email()]}, f"{BATCH}?dry_run=true"), wrong={"?dry_run": "unknown_parameter"}),
    Case("C17 atomic maybe", post({"items": [email()]}, f"{BATCH}?atomic=maybe"), wrong={"?atomic": "not_allowed"}),
    wrong("C17 a search for nobody", {}, {"/to": "required"}, SEARCH),
    wrong("C17 a search for an empty recipient", {"to": {}}, {"/to/email": "required"}, SEARCH),
    wrong("C17 a search for no number", {"to": {"phone": "1"}}, {"/to/phone": "invalid_recipient"}, SEARCH),
]  # fmt: skip


@pytest.mark.parametrize(**table(CASES))
async def test_section_c(door, case):
    """422 with each wrong field by its pointer and code, and no other; 404 for what is no id."""
    await check(door, case)


async def test_a_wrong_value_is_told_what_is_allowed(door):
    """C02: the detail lists the allowed values; C05: it tells the count."""
    urgent = await check(door, wrong("C02", email(priority="urgent"), {"/priority": "not_allowed"}))
    assert urgent.json()["errors"][0]["detail"] == "must be one of high, medium, low"
    long = await check(door, wrong("C05", sms(content={"text": "x" * 1531}), {"/content/text": "too_long"}))
    assert "takes 11 segments as gsm7" in long.json()["errors"][0]["detail"]


async def test_a_long_name_is_cut_and_many_errors_are_counted(door):
    """Names longer than 64 characters are not repeated whole; at most 100 errors are listed."""
    named = await talk(door.port, post(email(**{LONG: LONG, "channel": LONG, "provider": LONG})))
    assert parts(named).status == 422
    assert LONG.encode() not in named
    many = parts(await talk(door.port, post(email(**{f"x{n}": 1 for n in range(500)}))))
    assert (len(many.json()["errors"]), many.json()["errors_left_out"]) == (100, 400)


async def test_a_cursor_of_another_filter_or_changed_is_refused(door):
    """C14: a real one, cut, changed by one letter, or brought to another filter or route."""
    for _ in range(2):
        assert parts(await talk(door.port, post(email(reference="cursor")))).status == 202
    path = f"{SEND}?reference=cursor&limit=1"
    cursor = parts(await talk(door.port, get(path))).json()["next_cursor"]
    other = "A" if cursor[5] != "A" else "B"
    for wrong_one in (cursor[:-2], cursor + "AA", cursor[:5] + other + cursor[6:]):
        await check(door, Case("C14", get(f"{path}&cursor={wrong_one}"), status=400, code="invalid_cursor"))
    for elsewhere in (f"{SEND}?", f"{path}&status=sent", "/v1/failures?"):
        await check(door, Case("C14", get(f"{elsewhere}&cursor={cursor}"), status=400, code="invalid_cursor"))
    assert parts(await talk(door.port, get(f"{path}&cursor={cursor}"))).status == 200
