"""One click leaves a topic (RFC 8058): over real sockets, without a key, whatever the mail program sends."""

import json
import re

import pytest

from notifier.domain.ids import parse_notification_id
from notifier.domain.unsubscribe import UnsubscribeLinks
from notifier.storage.engine import reading
from notifier.storage.tables import suppressions

SECRET = "s" * 32
URL = "https://notify.example.com"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
ONE_CLICK = "List-Unsubscribe=One-Click"
MULTIPART = '--b\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--b--\r\n'


@pytest.fixture
def links():
    return UnsubscribeLinks(URL, [SECRET])


@pytest.fixture
async def link(door):
    """The path of a link in an e-mail about news to Ada."""
    return await send(door, "news")


async def send(door, topic):
    body = {
        "channel": "email",
        "to": {"email": "ada@example.com"},
        "topic": topic,
        "content": {"subject": "s", "text": "t"},
    }
    answer = await door.post(json.dumps(body))
    assert answer.status == 202
    made = UnsubscribeLinks(URL, [SECRET]).link(parse_notification_id(answer.json()["id"]))
    return made.removeprefix(URL)


async def ask(door, method, path, **more):
    return await door.ask(method, path, key="", allow_redirects=False, **more)


def left(door):
    with reading(door.engine) as connection:
        return [(row.channel, row.topic, row.source) for row in connection.execute(suppressions.select())]


@pytest.mark.parametrize(
    ("headers", "data"),
    [
        (FORM, ONE_CLICK),
        ({"Content-Type": "multipart/form-data; boundary=b"}, MULTIPART),
        ({}, None),
        ({"Cookie": "a=b", "Origin": "https://mail.example", "Authorization": "Bearer nonsense", **FORM}, ONE_CLICK),
    ],
    ids=["form", "multipart", "nothing", "more than is needed"],
)  # fmt: skip
async def test_one_post_leaves_the_topic(door, link, headers, data):
    """No key, no cookie, no redirect; a second one is the same."""
    for _ in range(2):
        answer = await ask(door, "POST", link, headers=headers, data=data)
        assert answer.status == 200
        assert not {"Location", "Set-Cookie"} & set(answer.headers)
        assert left(door) == [("email", "news", "recipient")]


async def test_a_get_only_shows_a_page_whose_button_does_it(door, link):
    """Scanners of mail fetch every link; the page has nothing from elsewhere, and its form leads to itself."""
    for method in ("GET", "HEAD", "GET"):
        answer = await ask(door, method, link)
        assert answer.status == 200
    assert left(door) == []
    page = answer.body.decode()
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; form-action 'self';")
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-store"
    assert not re.search(r"https?:|//|src=|href=|<script|<style|action=", page)
    assert not {"ada", "news"} & set(re.findall(r"[a-z]+", page.lower()))
    assert '<form method="post">' in page
    name, value = re.search(r'<input type="hidden" name="([^"]+)" value="([^"]+)">', page).groups()
    assert f"{name}={value}" == ONE_CLICK
    assert (await ask(door, "POST", link, headers=FORM, data=f"{name}={value}")).status == 200
    assert left(door) == [("email", "news", "recipient")]


async def test_each_topic_is_left_by_its_own_link(door, link):
    """And each e-mail's link works."""
    assert (await ask(door, "POST", await send(door, "billing"))).status == 200
    assert (await ask(door, "POST", await send(door, "billing"))).status == 200
    assert left(door) == [("email", "billing", "recipient")]
    assert (await ask(door, "POST", link)).status == 200
    assert len(left(door)) == 2


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "forge",
    [
        lambda link: link[:-1] + ("B" if link[-1] == "A" else "A"),
        lambda link: link[:-1],
        lambda link: link + "A",
        lambda link: link.rpartition("/")[0] + "/" + "A" * 43,
        lambda link: link.rpartition("/")[0] + "/%00%ff%C3%A9",
        lambda link: UnsubscribeLinks("", ["other" * 8]).link(parse_notification_id("ntf_01890a5d-ac96-774b-bcce-b302099a8057")),
    ],
    ids=["a character", "shorter", "longer", "no token", "no text", "another secret"],
)  # fmt: skip
async def test_a_forged_link_is_404_without_a_look_at_storage(door, link, method, forge):
    """It is judged by the secret alone: with storage away it is still 404, and a genuine one 503."""
    door.lose_storage()
    answer = await ask(door, method, forge(link))
    assert (answer.status, answer.json()["code"]) == (404, "not_found")
    if method == "POST":
        assert (await ask(door, "POST", link)).status == 503
    door.find_storage()
    assert left(door) == []


async def test_a_genuine_link_to_what_is_gone_is_404(door, link):
    """Its e-mail is kept no more, so nobody knows whose it was."""
    made = UnsubscribeLinks("", [SECRET]).link(
        parse_notification_id("ntf_01890a5d-ac96-774b-bcce-b302099a8057")
    )
    assert (await ask(door, "POST", made)).status == 404


class TestWithoutASecret:
    """A service that makes no links."""

    @pytest.fixture
    def links(self):
        return UnsubscribeLinks()

    async def test_no_link_is_genuine(self, door):
        """404, as for a path that is not there; one of the empty secret too."""
        made = await send(door, "news")
        for token in ("A" * 43, made.rpartition("/")[2]):
            for method in ("GET", "POST"):
                assert (await ask(door, method, f"/v1/unsubscribe/{token}")).status == 404
        assert left(door) == []


async def test_a_body_is_bounded(door, link):
    """Nobody needs a key to send one."""
    answer = await ask(door, "POST", link, headers=FORM, data="x" * (door.config.body_limit + 1))
    assert answer.status == 413
    assert left(door) == []
