"""Signature Version 4 against AWS's own test suite.

The vectors are those of "AWS Signature Version 4 test suite" as published beside AWS's libraries (awslabs/aws-c-auth,
tests/aws-signing-test-suite/v4): each request of theirs and the signature that it has.
"""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from notifier.providers.aws_sigv4 import AwsKey, Scope, signed

SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
NOW = datetime(2015, 8, 30, 12, 36, tzinfo=UTC)
SCOPE = Scope("us-east-1", "service")
HOST = {"Host": "example.amazonaws.com"}
TOKEN = "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
BODY_HASH = "9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e"

#: name, method, path, headers, body, session token, signed headers, signature.
SUITE = [
    ("get-vanilla", "GET", "/", {}, b"", "", "host;x-amz-date",
     "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
    ("post-vanilla", "POST", "/", {}, b"", "", "host;x-amz-date",
     "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
    ("get-utf8", "GET", "/\u1234", {}, b"", "", "host;x-amz-date",
     "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"),
    ("get-header-value-trim", "GET", "/", {"My-Header1": " value1", "My-Header2": ' "a   b   c"'}, b"", "",
     "host;my-header1;my-header2;x-amz-date",
     "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"),
    ("post-header-key-sort", "POST", "/", {"My-Header1": "value1"}, b"", "", "host;my-header1;x-amz-date",
     "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c"),
    ("post-x-www-form-urlencoded", "POST", "/", FORM, b"Param1=value1", "", "content-type;host;x-amz-date",
     "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"),
    ("post-x-www-form-urlencoded, all headers", "POST", "/",
     {**FORM, "Content-Length": "13", "x-amz-content-sha256": BODY_HASH}, b"Param1=value1", "",
     "content-length;content-type;host;x-amz-content-sha256;x-amz-date",
     "d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b"),
    ("get-vanilla-with-session-token", "GET", "/", {}, b"", TOKEN, "host;x-amz-date;x-amz-security-token",
     "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path", "headers", "body", "token", "names", "signature"),
    [case[1:] for case in SUITE],
    ids=[case[0] for case in SUITE],
)
def test_aws_s_own_vectors(method, path, headers, body, token, names, signature):
    key = AwsKey("AKIDEXAMPLE", SECRET, token)
    found = signed(method, path, HOST | headers, body, key=key, scope=SCOPE, now=NOW)
    assert found["Authorization"] == (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        f"SignedHeaders={names}, Signature={signature}"
    )
    assert found["X-Amz-Date"] == "20150830T123600Z"
    assert found.get("X-Amz-Security-Token", "") == token
    assert {name: found[name] for name in (HOST | headers)} == HOST | headers


def test_the_moment_is_signed_in_utc():
    """Whatever zone it was said in."""
    there = NOW.astimezone(timezone(timedelta(hours=13)))
    key = AwsKey("AKIDEXAMPLE", SECRET)
    here = signed("GET", "/", HOST, b"", key=key, scope=SCOPE, now=NOW)
    assert signed("GET", "/", HOST, b"", key=key, scope=SCOPE, now=there) == here


def test_a_query_is_refused_rather_than_signed_wrongly():
    with pytest.raises(ValueError, match="a query"):
        signed("GET", "/?a=1", HOST, b"", key=AwsKey("A", SECRET), scope=SCOPE, now=NOW)


def test_a_key_is_never_shown():
    assert SECRET not in repr(AwsKey("AKIDEXAMPLE", SECRET, TOKEN))
    assert TOKEN not in repr(AwsKey("AKIDEXAMPLE", SECRET, TOKEN))
