"""The token of a link to unsubscribe: made by nobody else, and saying nothing of the reader."""

from base64 import urlsafe_b64encode
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.domain.unsubscribe import UnsubscribeLinks

ID = UUID("01890a5d-ac96-774b-bcce-b302099a8057")
OLD, NEW = "o" * 32, "n" * 32
URL = "https://notify.example.com/mail"
LINKS = UnsubscribeLinks(URL, [NEW])


def token(links: UnsubscribeLinks = LINKS, wanted: UUID = ID) -> str:
    link = links.link(wanted)
    assert link is not None
    return link.removeprefix(f"{URL}/v1/unsubscribe/")


@given(st.uuids())
def test_a_link_leads_back_to_its_notification(wanted):
    """In 43 characters that need no escape."""
    assert LINKS.read(token(wanted=wanted)) == wanted
    assert len(token(wanted=wanted)) == 43
    assert token(wanted=wanted).replace("-", "").replace("_", "").isalnum()


@given(st.integers(0, 42), st.sampled_from("ABCDabcd0189-_"))
def test_one_character_changed_is_a_forgery(place, character):
    """Also in the bits that base64 has to spare at its end."""
    genuine = token()
    forged = genuine[:place] + character + genuine[place + 1 :]
    assert (LINKS.read(forged) == ID) == (forged == genuine)


@pytest.mark.parametrize(
    "forged",
    [
        "",
        "=",
        "a" * 42,
        "a" * 43,
        "a" * 5000,
        "é" * 43,
        "\udc80",
        token() + "=",
        token() + "a",
        token()[:-1],
        urlsafe_b64encode(ID.bytes).decode(),
        token(UnsubscribeLinks(URL, [OLD])),
    ],
)
def test_what_nobody_here_made_is_none(forged):
    """Cut, longer, of another secret, or no token at all."""
    assert LINKS.read(forged) is None


@given(st.text(max_size=60))
def test_any_text_is_judged(text):
    """No text ends in an error."""
    assert LINKS.read(text) is None or text == token()


def test_a_secret_can_be_changed():
    """The first makes links; the others' are honoured until they are taken out."""
    both = UnsubscribeLinks(URL, [NEW, OLD])
    old = token(UnsubscribeLinks(URL, [OLD]))
    assert token(both) == token()
    assert both.read(old) == both.read(token()) == ID
    assert LINKS.read(old) is None


def test_without_a_secret_or_an_address_there_are_no_links():
    """Old links are honoured as long as the secret is there; with no secret nothing is genuine."""
    assert UnsubscribeLinks(None, [NEW]).link(ID) is None
    assert UnsubscribeLinks(None, [NEW]).read(token()) == ID
    assert UnsubscribeLinks(URL).link(ID) is None
    assert UnsubscribeLinks(URL).read(token()) is None
    assert UnsubscribeLinks(URL).read("") is None
